import type { DamageReport } from '../../storage/damage.js';
import type { Database } from '../../storage/database.js';
import { openRecord } from '../../storage/record.js';
import { afterLast, decodeEntry, ENTRIES, type Entry, entryKey, seqIn } from './layout.js';

/** What one trip to the disk brings at most; the default of 16 KiB costs twice to seven times as much. */
const ENTRIES_PER_TRIP = 1024;
const BYTES_PER_TRIP = 1024 * 1024;

/** Reads the log from end to end, once, in the order of acceptance, a chunk ahead at a time. */
export class Scanner {
  private chunk: [key: string, record: Buffer][] = [];
  private at = 0;
  private loading: Promise<number> | undefined;
  /** The first entry that could not be read: its key waits, and it is met again at the next start. */
  private damagedAt: number | undefined;

  constructor(
    private readonly database: Database,
    /** Where to go on after; everything up to the first cursor is settled. */
    public cursor: number,
    private readonly damage: DamageReport,
  ) {}

  /** The next entry at hand; undefined: `load` may bring more. */
  next(): Entry | undefined {
    while (this.at < this.chunk.length) {
      const [key, record] = this.chunk[this.at] as [string, Buffer];
      this.at += 1;
      const seq = seqIn(ENTRIES, key);
      this.cursor = seq;
      const body = openRecord(key, record);
      if (body) return decodeEntry(seq, body);
      this.damagedAt ??= seq;
      this.damage.found(key, `entry ${seq} of the log, whose key waits with all its writes,`);
    }
    return undefined;
  }

  /** Everything up to here was given out. */
  get passed(): number {
    return this.damagedAt === undefined ? this.cursor : this.damagedAt - 1;
  }

  /** Fetches what follows, if it is on the disk yet; gives how many there are. */
  load(): Promise<number> {
    this.loading ??= this.fetch().finally(() => {
      this.loading = undefined;
    });
    return this.loading;
  }

  private async fetch(): Promise<number> {
    // A new iterator each time: an old one would keep everything that was deleted since it was made.
    const iterator = this.database.level.iterator({
      gt: entryKey(this.cursor),
      lt: afterLast(ENTRIES),
      highWaterMarkBytes: BYTES_PER_TRIP,
    });
    try {
      this.chunk = await iterator.nextv(ENTRIES_PER_TRIP);
      this.at = 0;
      return this.chunk.length;
    } finally {
      await iterator.close();
    }
  }
}
