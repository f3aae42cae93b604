import type { DamageReport } from '../../storage/damage.js';
import { type Database, isCorruption } from '../../storage/database.js';
import { openRecord } from '../../storage/record.js';
import { namesIn, rangeOfSpace } from '../../storage/scoped-keys.js';
import type { Book } from './book.js';
import { laneInWords } from './broken-lanes.js';
import { afterLast, decodeLane, ENTRIES, entryKey, LANES, laneAt, seqIn } from './layout.js';

const ENTRIES_PER_TRIP = 1024;
const BYTES_PER_TRIP = 1024 * 1024;
/** A scope's lane without its scope. */
const SCOPE_LANES = laneAt('', undefined).slice(0, laneAt('', '').length * -1 + LANES.length);

/**
 * Counts in the background what lay in the log at the start: an entry that has vanished is met by nobody, and its key would
 * wait for ever without a word. The scanner cannot tell, since it does not run offline, and since much is settled before
 * it comes by.
 */
export class Census {
  private readonly expected: number;
  /** It sees the store as it was when the iterator was made. */
  private readonly entries;

  /** To be made before anything is written to the log. */
  constructor(
    private readonly database: Database,
    book: Readonly<Book>,
    private readonly damage: DamageReport,
  ) {
    this.expected = book.entries;
    this.entries = database.level.iterator({
      gte: ENTRIES,
      lt: afterLast(ENTRIES),
      highWaterMarkBytes: BYTES_PER_TRIP,
    });
  }

  /** Reports what is damaged, missing or too many; ends early when the store is closed. */
  async take(): Promise<void> {
    try {
      const missing = this.expected - (await this.count());
      if (missing !== 0) await this.report(missing);
    } catch (error) {
      if (isCorruption(error)) this.damage.found(ENTRIES, damagedPart);
    }
  }

  private async report(missing: number): Promise<void> {
    const more = '`iii-state-gateway store verify` on the stopped gateway names them all';
    this.damage.contradiction(
      Math.abs(missing),
      missing > 0
        ? `${writes(missing)} missing from the log; their keys wait, with all later writes to them. ${more}`
        : `${writes(-missing)} in the log that its book does not count. ${more}`,
    );
    await this.nameWaiting(LANES, true);
    await this.nameWaiting(SCOPE_LANES, false);
  }

  private async count(): Promise<number> {
    let count = 0;
    try {
      for (;;) {
        const rows = await this.entries.nextv(ENTRIES_PER_TRIP);
        if (rows.length === 0) return count;
        count += rows.length;
        for (const [key, record] of rows) {
          if (!openRecord(key, record)) this.damage.found(key, damagedEntry(seqIn(ENTRIES, key)));
        }
      }
    } finally {
      await this.entries.close();
    }
  }

  /** Lanes that begin with a missing entry; others are met when it is its turn. */
  private async nameWaiting(space: string, ofKey: boolean): Promise<void> {
    for await (const [at, record] of this.database.level.iterator(rangeOfSpace(space))) {
      const body = openRecord(at, record);
      if (!body) continue;
      const { count, head } = decodeLane(body);
      if (count === 0 || this.database.read(entryKey(head))) continue;
      // It may have been settled meanwhile; then the lane is another one too.
      if (!this.database.read(at)?.equals(record)) continue;
      const { scope, key } = namesIn(space, at);
      this.damage.waits(at, laneInWords(scope, ofKey ? key : undefined));
    }
  }
}

const writes = (count: number): string =>
  count === 1 ? '1 accepted write is' : `${count} accepted writes are`;

export const damagedPart = 'a part of the log, whose keys wait with all their writes,';
export const damagedEntry = (seq: number): string =>
  `entry ${seq} of the log, whose key waits with all its writes,`;
