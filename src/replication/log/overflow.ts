import type { Entry } from './layout.js';
import type { WriteAheadLog } from './write-ahead-log.js';

/** Writes that may be accepted beyond the limits while the oldest are on their way out. */
const SLACK = 1024;
const ENTRIES_PER_LOOK = 256;

export interface OverflowOptions {
  mostEntries: number;
  /** Whether the log holds more than it may. */
  isOver: () => boolean;
  /** Whether the oldest writes of the scope may go. */
  isDroppable: (scope: string) => boolean;
  /** Takes it out of the log, to where operators find it; undefined: it has to stay. */
  giveUp: (entry: Entry) => Promise<void> | undefined;
}

/** Makes room in a full log by giving up the oldest writes that were never sent, where the scope allows it. */
export class Overflow {
  private isRunning = false;
  /** How many entries there were when none could go. */
  private stuckAt = Number.POSITIVE_INFINITY;

  constructor(
    private readonly log: WriteAheadLog,
    private readonly options: OverflowOptions,
  ) {}

  /** Whether a write may be accepted although the log is full. */
  get canMakeRoom(): boolean {
    const { entries } = this.log.book;
    return entries < this.stuckAt && entries < this.options.mostEntries + SLACK;
  }

  makeRoom(): void {
    if (this.isRunning) return;
    this.isRunning = true;
    this.run()
      .catch(() => undefined) // the disk failed, and said so
      .finally(() => {
        this.isRunning = false;
      });
  }

  private async run(): Promise<void> {
    let after = this.log.book.acknowledged;
    while (this.options.isOver()) {
      const entries = await this.log.entriesAfter(after, ENTRIES_PER_LOOK);
      const last = entries.at(-1);
      if (!last) {
        this.stuckAt = this.log.book.entries;
        return;
      }
      const dropped = entries.flatMap((entry) => this.drop(entry) ?? []);
      await Promise.all(dropped);
      // What has come meanwhile is newer than what was passed over.
      after = dropped.length > 0 ? this.log.book.acknowledged : last.seq;
    }
    this.stuckAt = Number.POSITIVE_INFINITY;
  }

  private drop(entry: Entry): Promise<void> | undefined {
    const mayGo = this.options.isOver() && this.options.isDroppable(entry.write.scope);
    return mayGo ? this.options.giveUp(entry) : undefined;
  }
}
