import type { ErrorBody } from '../../errors.js';
import type { Logger } from '../../logger.js';
import type { WriteOp } from '../../storage/group-commit.js';
import { putRecord } from '../../storage/record.js';
import type { Ending } from '../log/book.js';
import type { Lane } from '../log/lanes.js';
import { CONFLICTS, type Entry, seqKey } from '../log/layout.js';
import type { Quarantine } from '../log/quarantine.js';
import { type Receipts, timeOf } from '../log/receipts.js';
import type { WriteAheadLog } from '../log/write-ahead-log.js';
import type { QuarantineReason } from '../operator.js';
import type { Known, View } from '../view.js';

/** Records of conflicts that are kept; the oldest make room. */
const CONFLICTS_KEPT = 10_000;

/** What is known of the remote's values, written together with the log. */
export interface KnownValues {
  learnIn(batch: WriteOp[], scope: string, key: string, known: Known): void;
  forgetIn(batch: WriteOp[], scope: string, key: string): void;
}

/** The ways in which a logged write leaves the log, each one batch: its receipt, its key's value, its count. */
export class Endings {
  private readonly waiting = new Map<number, (() => void)[]>();
  /** The writes that leave the log with the batch that is forming. */
  private leaving: { written: Promise<void>; seqs: number[] } | undefined;

  constructor(
    private readonly log: WriteAheadLog,
    private readonly known: KnownValues,
    private readonly receipts: Receipts,
    private readonly quarantine: Quarantine,
    readonly now: () => number,
    private readonly logger: Logger,
  ) {}

  /** The remote has it; `after` is what the key holds now. */
  commit(lane: Lane, entry: Entry, after: View): Promise<void> {
    return this.end(lane, entry, 'committed', after);
  }

  /** The remote has it, and it went over somebody else's value. */
  commitOver(lane: Lane, entry: Entry, after: View, overwritten: View): Promise<void> {
    this.log.book.conflictsWon += 1;
    return this.end(lane, entry, 'committed', after, this.conflict(entry, 'won', overwritten));
  }

  /** It lost to what the remote holds. */
  lose(lane: Lane, entry: Entry, found: Known): Promise<void> {
    return this.end(lane, entry, 'conflicted', found, this.conflict(entry, 'lost', found));
  }

  /** Later writes to the key take its place. */
  supersede(lane: Lane, entry: Entry, found: Known): Promise<void> {
    return this.end(lane, entry, 'superseded', found);
  }

  /** It goes where operators decide. */
  setAside(lane: Lane, entry: Entry, reason: QuarantineReason, error: ErrorBody): Promise<void> {
    const together = [this.quarantine.add(entry, { reason, settledAt: this.now(), error })];
    // After a refusal the key holds what it held; after an unknown outcome nobody knows.
    if (reason === 'unknown') this.known.forgetIn(together, entry.write.scope, entry.write.key);
    this.log.book.quarantined[reason] += 1;
    this.logger.warn(
      {
        receipt: this.receipts.nameOf(entry.seq),
        function_id: entry.write.functionId,
        reason,
        code: error.code,
      },
      'a write went to quarantine',
    );
    return this.told(entry, this.log.depart({ lane, entry, together }));
  }

  /** Calls back when the write is settled, once. The returned function calls it off. */
  whenSettled(seq: number, tell: () => void): () => void {
    const tells = this.waiting.get(seq) ?? [];
    this.waiting.set(seq, [...tells, tell]);
    return () => {
      const left = (this.waiting.get(seq) ?? []).filter((other) => other !== tell);
      if (left.length > 0) this.waiting.set(seq, left);
      else this.waiting.delete(seq);
    };
  }

  private end(lane: Lane, entry: Entry, ending: Ending, holds: View, conflict?: WriteOp): Promise<void> {
    const together = conflict ? [conflict] : [];
    this.receipts.settle(entry, ending, this.now());
    this.note(together, entry, holds);
    return this.told(entry, this.log.end({ lane, entry, together }, ending));
  }

  private note(batch: WriteOp[], { write: { scope, key } }: Entry, after: View): void {
    if (after.kind === 'unknown') this.known.forgetIn(batch, scope, key);
    else this.known.learnIn(batch, scope, key, after);
  }

  private conflict({ seq, write }: Entry, outcome: 'won' | 'lost', other: View): WriteOp {
    const receipt = this.receipts.nameOf(seq);
    const { scope, key, functionId } = write;
    this.logger.warn({ receipt, function_id: functionId, outcome }, 'a replayed write met a newer value');
    const value = other.kind === 'value' ? other.text : undefined;
    const record = { receipt, scope, key, outcome, at: timeOf(this.now()), other: other.kind, value };
    return putRecord(seqKey(CONFLICTS, seq % CONFLICTS_KEPT), Buffer.from(JSON.stringify(record)));
  }

  /** Who waits is told once the batch is written; the log's promise is one for many writes, and so is the look. */
  private told({ seq }: Entry, written: Promise<void>): Promise<void> {
    if (this.leaving?.written === written) {
      this.leaving.seqs.push(seq);
      return written;
    }
    const seqs = [seq];
    this.leaving = { written, seqs };
    written.then(
      () => {
        for (const settled of seqs) this.tell(settled);
      },
      () => undefined, // whoever settles them hears of it
    );
    return written;
  }

  private tell(seq: number): void {
    const tells = this.waiting.get(seq);
    if (!tells) return;
    this.waiting.delete(seq);
    for (const tell of tells) tell();
  }
}
