import { GatewayError } from '../../errors.js';
import type { Database } from '../../storage/database.js';
import { openRecord } from '../../storage/record.js';
import { rangeOfScope } from '../../storage/scoped-keys.js';
import { decodeLane, LANES } from '../log/layout.js';
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

  /** The sequence number of a covered write that is in the log and not newer than `last`. */
  private async firstOf({ scope, key }: Covered, last: number): Promise<number | undefined> {
    if (this.log.isEmpty) return undefined;
    if (scope === undefined) {
      const first = await this.log.firstSeq();
      return first !== undefined && first <= last ? first : undefined;
    }
    if (key !== undefined) {
      const head = this.log.laneRecord(scope, key)?.head;
      return head !== undefined && head <= last ? head : undefined;
    }
    for await (const [at, record] of this.database.level.iterator(rangeOfScope(LANES, scope))) {
      const body = openRecord(at, record);
      const head = body && decodeLane(body).head;
      if (head !== undefined && head <= last) return head;
    }
    return undefined;
  }
}

function notYet(timeoutMs: number, left: number): GatewayError {
  return new GatewayError(
    'GATEWAY_TIMEOUT',
    `Not everything was settled within ${timeoutMs} ms: ${left} accepted writes are still in the log`,
  );
}
