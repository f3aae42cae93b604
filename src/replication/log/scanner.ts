import type { Iterator } from 'level';
import type { DamageReport } from '../../storage/damage.js';
import { type Database, isCorruption, type Store } from '../../storage/database.js';
import { openRecord } from '../../storage/record.js';
import { damagedEntry, damagedPart } from './census.js';
import { afterLast, decodeEntry, ENTRIES, type Entry, entryKey, seqIn } from './layout.js';

/** What one trip to the disk brings at most; the default of 16 KiB costs twice to seven times as much. */
const ENTRIES_PER_TRIP = 1024;
const BYTES_PER_TRIP = 1024 * 1024;

type Row = [key: string, record: Buffer];
type EntryIterator = Iterator<Store, string, Buffer>;

/** Reads the log from end to end, once, in the order of acceptance, a chunk ahead at a time. */
export class Scanner {
  private chunk: Row[] = [];
  private at = 0;
  private loading: Promise<number> | undefined;
  private asOf = 0;
  /** The first entry that could not be read: its key waits, and it is met again at the next start. */
  private damagedAt: number | undefined;

  constructor(
    private readonly database: Database,
    /** Where to go on after; everything up to the first cursor is settled. */
    public cursor: number,
    private readonly damage: DamageReport,
    /** How many entries have left otherwise than by their turn. */
    private readonly endedOutOfTurn: () => number = () => 0,
  ) {}

  /** Whether one at hand may have left meanwhile without having been given out. */
  get mayBeStale(): boolean {
    return this.asOf !== this.endedOutOfTurn();
  }

  /** The next entry at hand; undefined: `load` may bring more. */
  next(): Entry | undefined {
    while (this.at < this.chunk.length) {
      const [key, record] = this.chunk[this.at] as Row;
      this.at += 1;
      const seq = seqIn(ENTRIES, key);
      this.cursor = seq;
      const body = openRecord(key, record);
      if (body) return decodeEntry(seq, body);
      this.damagedAt ??= seq;
      this.damage.found(key, damagedEntry(seq));
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
    this.asOf = this.endedOutOfTurn();
    this.chunk = await this.read((iterator) => iterator.nextv(ENTRIES_PER_TRIP)).catch((error: unknown) => {
      if (!isCorruption(error)) throw error;
      this.damagedAt ??= this.cursor + 1; // at the earliest: LevelDB does not say where
      this.damage.found(ENTRIES, damagedPart);
      return this.read(readSingly);
    });
    this.at = 0;
    return this.chunk.length;
  }

  private async read(take: (iterator: EntryIterator) => Promise<Row[]>): Promise<Row[]> {
    // A new iterator each time: an old one would keep everything that was deleted since it was made.
    const iterator = this.database.level.iterator({
      gt: entryKey(this.cursor),
      lt: afterLast(ENTRIES),
      highWaterMarkBytes: BYTES_PER_TRIP,
    });
    try {
      return await take(iterator);
    } finally {
      await iterator.close();
    }
  }
}

/** LevelDB passes over a damaged block and says so at the end: what was read until then is good. */
async function readSingly(iterator: EntryIterator): Promise<Row[]> {
  const rows: Row[] = [];
  try {
    while (rows.length < ENTRIES_PER_TRIP) {
      const [row] = await iterator.nextv(1);
      if (!row) break;
      rows.push(row);
    }
  } catch (error) {
    if (!isCorruption(error)) throw error;
  }
  return rows;
}
