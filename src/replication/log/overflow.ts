import type { Lane, Lanes } from './lanes.js';
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
  /** Takes it out of the log, to where operators find it. */
  giveUp: (lane: Lane, entry: Entry) => Promise<void>;
}

/** Makes room in a full log by giving up the oldest writes that were never sent, where the scope allows it. */
export class Overflow {
  private isRunning = false;
  /** How many entries there were when none could go. */
  private stuckAt = Number.POSITIVE_INFINITY;

  constructor(
    private readonly log: WriteAheadLog,
    private readonly lanes: Lanes,
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
      after = last.seq;
      await Promise.all(entries.map((entry) => this.drop(entry)));
    }
    this.stuckAt = Number.POSITIVE_INFINITY;
  }

  /** One that may have been sent stays, and so do those behind it. */
  private drop(entry: Entry): Promise<void> | undefined {
    if (!this.options.isOver() || !this.options.isDroppable(entry.write.scope)) return undefined;
    const lane = this.lanes.openOf(entry);
    const isHead = lane.record?.head === entry.seq && lane.turn === 'free' && lane.appending === 0;
    const gone =
      isHead && !lane.record?.fenceFirst && !this.log.mayHaveBeenSent(entry)
        ? this.options.giveUp(lane, entry)
        : undefined;
    this.lanes.release(lane);
    return gone;
  }
}
