import type { Entry } from '../log/layout.js';
import type { WriteAheadLog } from '../log/write-ahead-log.js';
import type { ScopeRule } from '../scope-rules.js';

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
    /** Undefined: it has to stay, because it may have been sent, or is behind one that stays. */
    private readonly giveUp: (entry: Entry) => Promise<void> | undefined,
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

  private expire(entry: Entry): Promise<void> | undefined {
    const { expireMs } = this.ruleOf(entry.write.scope);
    const isOld = expireMs > 0 && this.now() - entry.acceptedAt > expireMs;
    return isOld ? this.giveUp(entry) : undefined;
  }
}
