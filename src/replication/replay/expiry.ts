import type { Lanes } from '../log/lanes.js';
import type { Entry } from '../log/layout.js';
import type { WriteAheadLog } from '../log/write-ahead-log.js';
import type { ScopeRule } from '../scope-rules.js';
import type { Endings } from './endings.js';

const ENTRIES_PER_LOOK = 1024;

/**
 * Gives up writes that were never sent and have grown too old, also while the remote is away and nothing is replayed.
 * It goes round the log, a part at each look; whatever it has not come to is caught before it is sent.
 */
export class Expiry {
  private after: number;
  private isLooking = false;

  constructor(
    private readonly log: WriteAheadLog,
    private readonly lanes: Lanes,
    private readonly endings: Pick<Endings, 'expire'>,
    private readonly ruleOf: (scope: string) => Pick<ScopeRule, 'expireMs'>,
    /** The shortest time of any scope; undefined: nothing ever expires. */
    private readonly shortestMs: number | undefined,
    private readonly now: () => number,
  ) {
    this.after = log.book.acknowledged;
  }

  async look(): Promise<void> {
    if (this.shortestMs === undefined || this.isLooking || this.log.isEmpty || this.log.writeFailure) return;
    this.isLooking = true;
    try {
      const oldest = this.now() - this.shortestMs;
      const entries = await this.log.entriesAfter(this.after, ENTRIES_PER_LOOK);
      const old = entries.filter(({ acceptedAt }) => acceptedAt < oldest);
      await Promise.all(old.map((entry) => this.expire(entry)));
      // Behind one that is young enough all are, unless the clock was set back.
      const isAtEnd = entries.length < ENTRIES_PER_LOOK || old.length < entries.length;
      this.after = isAtEnd ? this.log.book.acknowledged : (entries.at(-1) as Entry).seq;
    } finally {
      this.isLooking = false;
    }
  }

  /** One that may have been sent stays, and so do those behind it. */
  private expire(entry: Entry): Promise<void> | undefined {
    const { expireMs } = this.ruleOf(entry.write.scope);
    if (expireMs === 0 || this.now() - entry.acceptedAt <= expireMs) return undefined;
    const lane = this.lanes.openOf(entry);
    const { record } = lane;
    const isWaiting = record?.head === entry.seq && record.heldBy === 0 && lane.turn === 'free';
    const mayGo = isWaiting && !record.fenceFirst && lane.appending === 0 && !this.log.mayHaveBeenSent(entry);
    const gone = mayGo ? this.endings.expire(lane, entry) : undefined;
    this.lanes.release(lane);
    return gone;
  }
}
