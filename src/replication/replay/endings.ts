import type { ErrorBody } from '../../errors.js';
import type { Logger } from '../../logger.js';
import type { WriteOp } from '../../storage/group-commit.js';
import type { Ending } from '../log/book.js';
import type { Conflicts } from '../log/conflicts.js';
import type { Behind } from '../log/lane-records.js';
import type { Lane } from '../log/lanes.js';
import type { Entry } from '../log/layout.js';
import type { Quarantine } from '../log/quarantine.js';
import { rebased } from '../log/rebase.js';
import type { Receipts } from '../log/receipts.js';
import { type NamedEnd, namedEnd } from '../log/repeats.js';
import type { WriteAheadLog } from '../log/write-ahead-log.js';
import type { ConflictOutcome, ConflictPolicy, QuarantineReason } from '../operator.js';
import { type ConfirmedChange, heldBefore } from '../retain/confirmed.js';
import { type Known, UNKNOWN, type View } from '../view.js';
import type { AwaitedWrites, RemoteAnswer } from './awaited.js';
import { sameKnown } from './settlement.js';

/** What is known of the remote's values, written together with the log. */
export interface KnownValues {
  /** What the key held when we last knew. */
  peek(scope: string, key: string): View;
  learnIn(batch: WriteOp[], scope: string, key: string, known: Known): void;
  forgetIn(batch: WriteOp[], scope: string, key: string): void;
}

/** Confirmed writes that are kept for a while, because the remote may forget them. */
export interface RetainedWrites {
  wants(scope: string): boolean;
  confirmedIn(
    batch: WriteOp[],
    place: { scope: string; key: string },
    change: ConfirmedChange,
    receipt: string,
  ): void;
  /** Nobody knows what the key holds now. */
  outcomeUnknown(place: { scope: string; key: string }): void;
}

/** How a write ends. */
interface End {
  lane: Lane;
  entry: Entry;
  ending: Ending;
  /** What the key holds now; undefined: what it held. */
  holds?: View;
  error?: ErrorBody;
  together?: readonly WriteOp[];
  /** Those that were accepted on top of it go the way it went. */
  follow?: Behind['follow'];
  /** What the remote said. */
  answer?: RemoteAnswer | undefined;
}

/** A write that leaves with a batch. */
interface Left {
  seq: number;
  answer: RemoteAnswer | undefined;
}

const EXPIRED: ErrorBody = {
  code: 'GATEWAY_EXPIRED',
  message: 'The write was given up: it grew older than the expire_ms of its scope before it could be sent',
};

const OVERFLOWN: ErrorBody = {
  code: 'GATEWAY_BACKLOG_FULL',
  message: 'The write made room for newer ones: the log was full, and its scope says that the oldest go',
};

const PARKED: ErrorBody = {
  code: 'GATEWAY_CONFLICT',
  message:
    'The remote engine holds a value that this write was not based on, and its scope says that an operator decides',
};

const UNDECIDED: ErrorBody = {
  code: 'GATEWAY_CONFLICT',
  message:
    'The remote engine holds a value that this write was not based on, and the function that was to decide left it to an operator, ' +
    'or gave no usable answer (not registered, failed, took more than 10 s, or answered something else)',
};

/** How an ended write is kept for callers that ask for it again. */
export interface RepeatAnswers {
  finish(id: string, ended: NamedEnd): WriteOp[];
}

/** The ways in which a logged write leaves the log, each one batch: its receipt, its key's value, its count. */
export class Endings {
  private readonly waiting = new Map<number, (() => void)[]>();
  /** The writes that leave the log with the batch that is forming. */
  private leaving: { written: Promise<void>; writes: Left[] } | undefined;

  constructor(
    private readonly log: WriteAheadLog,
    private readonly known: KnownValues,
    private readonly receipts: Receipts,
    private readonly quarantine: Quarantine,
    private readonly conflicts: Conflicts,
    private readonly repeats: RepeatAnswers,
    private readonly awaited: AwaitedWrites,
    private readonly retained: RetainedWrites,
    /** Whether the writes behind one that goes to quarantine wait for an operator. */
    private readonly holds: (scope: string) => boolean,
    readonly now: () => number,
    private readonly logger: Logger,
  ) {}

  /** The remote has it; `after` is what the key holds now. */
  commit(
    lane: Lane,
    entry: Entry,
    after: View,
    answer?: RemoteAnswer,
    outcome: 'compare' | 'as-computed' = 'as-computed',
  ): Promise<void> {
    // Somebody else's change may be in it, too: those behind build on that.
    const isNews = outcome === 'compare' && (lane.record?.count ?? 0) > 1 && isNewsTo(entry, after);
    const together = isNews ? rebased(this.log, lane, entry, after) : [];
    return this.end({ lane, entry, ending: 'committed', holds: after, together, answer });
  }

  /** The remote has it, and it went over somebody else's value. */
  commitOver(
    lane: Lane,
    entry: Entry,
    after: View,
    overwritten: View,
    answer: RemoteAnswer,
    policy: ConflictPolicy = 'local-wins',
  ): Promise<void> {
    this.log.book.conflictsWon += 1;
    const together = this.conflict(entry, 'won', overwritten, policy);
    return this.end({ lane, entry, ending: 'committed', holds: after, together, answer });
  }

  /** It lost to what the remote holds, and so do those that were accepted on top of it. */
  lose(lane: Lane, entry: Entry, found: View, policy: ConflictPolicy = 'local-wins'): Promise<void> {
    const together = this.conflict(entry, 'lost', found, policy);
    return this.end({ lane, entry, ending: 'conflicted', holds: found, together, follow: 'loser' });
  }

  /** Later writes to the key take its place. What it was based on is what they are based on. */
  supersede(lane: Lane, entry: Entry): Promise<void> {
    return this.end({ lane, entry, ending: 'superseded' });
  }

  /** Another one, just accepted, has taken its place in the log; it was never sent. */
  replaced(entry: Entry, written: Promise<void>): void {
    this.log.book.ended.superseded += 1;
    this.receipts.settle(entry, 'superseded', this.now());
    written.then(() => this.tell(entry.seq, undefined)).catch(() => undefined); // who accepts the newer one hears of it
  }

  /** It grew too old; it was never sent. */
  expire(lane: Lane, entry: Entry): Promise<void> {
    return this.end({ lane, entry, ending: 'expired', error: EXPIRED });
  }

  /** The remote will not have it. Who still waits for it is told, and it was never accepted; else it is set aside. */
  refuse(lane: Lane, entry: Entry, error: ErrorBody): Promise<void> {
    if (!this.awaited.has(entry.seq)) return this.setAside(lane, entry, 'refused', error);
    this.log.book.accepted -= 1;
    const answer = { error };
    this.awaited.isAnswered(entry.seq); // nobody is told meanwhile that it was accepted
    const together = [
      ...this.finished(entry, namedEnd('refused', answer, error)),
      ...this.rebased(lane, entry),
    ];
    const written = this.log.depart({ lane, entry, together });
    written.catch(() => this.awaited.tell(entry.seq, answer));
    return this.told(entry, written, answer);
  }

  /** The remote holds something else, and an operator decides; about those that were accepted on top of it, too. */
  park(lane: Lane, entry: Entry, found: View, policy: ConflictPolicy = 'park'): Promise<void> {
    const together = this.conflict(entry, 'parked', found, policy);
    this.note(together, entry, found); // a retry is based on what is there now
    return this.setAside(lane, entry, 'parked', policy === 'function' ? UNDECIDED : PARKED, together);
  }

  /** It makes room for newer ones; it was never sent. */
  overflow(lane: Lane, entry: Entry): Promise<void> {
    return this.setAside(lane, entry, 'overflow', OVERFLOWN);
  }

  /** It goes where operators decide. */
  setAside(
    lane: Lane,
    entry: Entry,
    reason: QuarantineReason,
    error: ErrorBody,
    more: readonly WriteOp[] = [],
  ): Promise<void> {
    const { scope, key, functionId } = entry.write;
    const together = [
      ...more,
      this.quarantine.add(entry, { reason, settledAt: this.now(), error }),
      ...this.finished(entry, namedEnd('refused', undefined, error)),
    ];
    // After a refusal the key holds what it held; after an unknown outcome nobody knows.
    if (reason === 'unknown') {
      this.known.forgetIn(together, scope, key);
      this.retained.outcomeUnknown(entry.write);
    }
    const follow = reason === 'parked' ? ('parked' as const) : undefined;
    together.push(...this.rebased(lane, entry, reason === 'unknown' ? UNKNOWN : undefined, follow));
    this.log.book.quarantined[reason] += 1;
    this.logger.warn(
      { receipt: this.receipts.nameOf(entry.seq), function_id: functionId, reason, code: error.code },
      'a write went to quarantine',
    );
    const held = reason !== 'overflow' && this.holds(scope);
    const behind = behindIn(lane, { held, follow });
    return this.told(entry, this.log.depart({ lane, entry, together, behind }));
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

  private end({ lane, entry, ending, holds, error, together = [], follow, answer }: End): Promise<void> {
    const operations = [...together, ...this.finished(entry, namedEnd(ending, answer, error))];
    this.receipts.settle(entry, ending, this.now(), error);
    if (ending === 'committed' && holds && this.retained.wants(entry.write.scope))
      this.retain(operations, entry, holds, answer);
    if (holds) this.note(operations, entry, holds);
    if (ending !== 'committed') operations.push(...this.rebased(lane, entry, holds, follow));
    const departure = { lane, entry, together: operations, behind: behindIn(lane, { follow }) };
    return this.told(entry, this.log.end(departure, ending), answer);
  }

  /** Those behind it were accepted on what it would have made. */
  private rebased(lane: Lane, entry: Entry, holds?: View, follow?: Behind['follow']): WriteOp[] {
    const { scope, key } = entry.write;
    const noted = lane.key === undefined ? follow : undefined;
    return rebased(this.log, lane, entry, holds ?? this.known.peek(scope, key), noted);
  }

  private finished({ repeatId }: Entry, ended: NamedEnd): WriteOp[] {
    return repeatId === undefined ? [] : this.repeats.finish(repeatId, ended);
  }

  /** To be called before the value is noted, too. */
  private retain(
    batch: WriteOp[],
    { seq, write }: Entry,
    after: View,
    answer: RemoteAnswer | undefined,
  ): void {
    const { functionId, scope, key } = write;
    const before = heldBefore(functionId, answer, this.known.peek(scope, key));
    this.retained.confirmedIn(batch, { scope, key }, { before, after }, this.receipts.nameOf(seq));
  }

  private note(batch: WriteOp[], { write: { scope, key } }: Entry, after: View): void {
    if (after.kind === 'unknown') this.known.forgetIn(batch, scope, key);
    else this.known.learnIn(batch, scope, key, after);
  }

  /** To be called before the remote's value is noted, for until then what is known is the base. */
  private conflict(entry: Entry, outcome: ConflictOutcome, other: View, policy: ConflictPolicy): WriteOp[] {
    const { scope, key, functionId } = entry.write;
    const receipt = this.receipts.nameOf(entry.seq);
    this.logger.warn({ receipt, function_id: functionId, outcome }, 'a replayed write met a newer value');
    return this.conflicts.record(entry, { outcome, policy, base: this.known.peek(scope, key), other });
  }

  /** Who waits is told once the batch is written; the log's promise is one for many writes, and so is the look. */
  private told({ seq }: Entry, written: Promise<void>, answer?: RemoteAnswer): Promise<void> {
    const left = { seq, answer: this.awaited.has(seq) ? answer : undefined };
    if (this.leaving?.written === written) {
      this.leaving.writes.push(left);
      return written;
    }
    const writes = [left];
    this.leaving = { written, writes };
    written.then(
      () => {
        for (const settled of writes) this.tell(settled.seq, settled.answer);
      },
      () => undefined, // whoever settles them hears of it
    );
    return written;
  }

  private tell(seq: number, answer: RemoteAnswer | undefined): void {
    this.awaited.tell(seq, answer);
    const tells = this.waiting.get(seq);
    if (!tells) return;
    this.waiting.delete(seq);
    for (const tell of tells) tell();
  }
}

/** In the lane of a key all that is behind it follows; in that of a scope what does is noted at each entry. */
function behindIn({ key }: Lane, behind: Behind): Behind {
  return key === undefined ? { ...behind, follow: undefined } : behind;
}

/** Whether something else came out than was computed. */
function isNewsTo({ expected }: Entry, after: View): boolean {
  if (!expected || after.kind === 'unknown') return false;
  return expected.after.kind === 'unknown' || !sameKnown(expected.after, after, true);
}
