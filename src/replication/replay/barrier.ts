import { GatewayError } from '../../errors.js';
import type { Database } from '../../storage/database.js';
import { rangeOfScope } from '../../storage/scoped-keys.js';
import { LANES, laneAt } from '../log/layout.js';
import type { WriteAheadLog } from '../log/write-ahead-log.js';
import type { Endings } from './endings.js';

/** A scope, one key of it, or everything. */
export interface Covered {
  scope?: string | undefined;
  key?: string | undefined;
}

/** Lets callers wait until what was accepted before they asked is settled. */
export class Barrier {
  constructor(
    private readonly database: Database,
    private readonly log: WriteAheadLog,
    private readonly endings: Endings,
  ) {}

  /**
   * Resolves once every covered write accepted until now has left the log.
   * @throws GatewayError `GATEWAY_TIMEOUT` after `timeoutMs`.
   */
  async passed(covered: Covered, timeoutMs: number): Promise<void> {
    const last = this.log.book.next - 1;
    const deadline = AbortSignal.timeout(timeoutMs);
    for (;;) {
      const first = await this.firstOf(covered, last);
      if (first === undefined) return this.log.commitLater([]); // once those on their way out are written
      await this.settled(first, deadline);
      if (deadline.aborted) throw notYet(timeoutMs, this.log.book.entries);
    }
  }

  /** Resolves when the write is settled, or when `deadline` is over. */
  settled(seq: number, deadline: AbortSignal): Promise<void> {
    if (!this.log.entry(seq)) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        callOff();
        deadline.removeEventListener('abort', done);
        resolve();
      };
      const callOff = this.endings.whenSettled(seq, done);
      deadline.addEventListener('abort', done);
      if (deadline.aborted) done();
    });
  }

  /** How many covered writes wait in lanes that are held. */
  async held({ scope, key }: Covered): Promise<number> {
    let count = 0;
    for await (const held of this.log.heldLanes()) {
      if (scope !== undefined && held.scope !== scope) continue;
      if (key !== undefined && held.key !== undefined && held.key !== key) continue;
      const record = this.log.laneRecord(laneAt(held.scope, held.key));
      if (record && record.heldBy > 0) count += record.count;
    }
    return count;
  }

  /** The sequence number of a covered write that is in the log, waits for nobody's decision, and is not newer than `last`. */
  private async firstOf({ scope, key }: Covered, last: number): Promise<number | undefined> {
    if (this.log.isEmpty) return undefined;
    if (scope === undefined) return this.firstThatGoesOn(last);
    const lanes =
      key === undefined ? await this.lanesOf(scope) : [laneAt(scope, key), laneAt(scope, undefined)];
    for (const at of lanes) {
      const record = this.log.laneRecord(at);
      if (record && record.count > 0 && record.heldBy === 0 && record.head <= last) return record.head;
    }
    return undefined;
  }

  private async firstThatGoesOn(last: number): Promise<number | undefined> {
    if (this.log.book.held === 0) {
      const first = await this.log.firstSeq();
      return first !== undefined && first <= last ? first : undefined;
    }
    let after = this.log.book.acknowledged;
    for (;;) {
      const entries = await this.log.entriesAfter(after, ENTRIES_PER_LOOK);
      const found = entries.find((entry) => this.log.laneRecordOf(entry)?.heldBy === 0);
      if (found) return found.seq <= last ? found.seq : undefined;
      const end = entries.at(-1);
      if (!end || end.seq > last) return undefined;
      after = end.seq;
    }
  }

  private async lanesOf(scope: string): Promise<string[]> {
    const lanes = await this.database.level.keys(rangeOfScope(LANES, scope)).all();
    return [...lanes, laneAt(scope, undefined)];
  }
}

const ENTRIES_PER_LOOK = 256;

function notYet(timeoutMs: number, left: number): GatewayError {
  return new GatewayError(
    'GATEWAY_TIMEOUT',
    `Not everything was settled within ${timeoutMs} ms: ${left} accepted writes are still in the log`,
  );
}
