import type { DamageReport } from '../../storage/damage.js';
import type { Database } from '../../storage/database.js';
import type { GroupCommit, Schedule, WriteOp } from '../../storage/group-commit.js';
import { openRecord, putRecord, sealRecord } from '../../storage/record.js';
import type { Range } from '../../storage/scoped-keys.js';
import type { Known } from '../view.js';
import { MirrorCache, type MirrorEntry, newEntry } from './cache.js';
import { bytesOf, type ChunkRow, readChunk } from './chunk.js';
import { BOOKMARK_KEY, decodeLearnt, encodeLearnt, inWords, VALUES } from './layout.js';

/** How long what was learnt waits for more to be written with it: hot keys change many times meanwhile, and disks wear. */
const GATHER_MS = 200;
/** An unchanged value is written again, for its age, at most this often: after a restart it looks older than it is. */
const REWRITE_MS = 30_000;
const CACHE_BYTES = 16 * 2 ** 20;
/** Values written in one batch: making it keeps the event loop from other work. */
const PORTION = 1000;
const RECORDS_PER_TRIP = 200;
const BYTES_PER_TRIP = 2 ** 20;
/** The sweep goes on until the mirror is this full. */
const SWEPT = 0.9;
/** After a sweep that found nothing to evict, the next one waits for this much growth. */
const REST = 0.01;

export interface MirrorStoreOptions {
  database: Database;
  /** Writes in the order of all that is written to the database. */
  commits: Pick<GroupCommit, 'commitLater'>;
  damage: DamageReport;
  maxBytes: number;
  now: () => number;
  schedule: Schedule;
  /** For tests; by default 16 MiB. */
  cacheBytes?: number | undefined;
  /** Evicts a record, or refuses to. */
  evict: (id: string) => boolean;
}

/** What is known, when it was learnt, and in which epoch: undefined if that was not in this run, or long ago. */
export interface Remembered {
  readonly known: Known;
  readonly at: number;
  readonly epoch: string | undefined;
}

interface Bookmark {
  bytes: number;
  /** Where the sweep goes on. */
  cursor?: string | undefined;
  /** Nothing has been written since. */
  clean: boolean;
}

/**
 * The mirror's records: a cache in front, the database behind. Learning costs an entry in memory; the disk gets it a
 * little later, together with whatever else was learnt.
 */
export class MirrorStore {
  /** Records evicted since the start. */
  evicted = 0;
  private readonly cache: MirrorCache;
  private readonly waiting = new Set<MirrorEntry>();
  private inBatch: MirrorEntry[] = [];
  private riders: MirrorEntry[] | undefined;
  /** What was looked at last, and its size: whoever asks what is known often settles a write to it next. */
  private seen: { id: string; bytes: number } | undefined;
  private stamps = 0;
  private bookmark: Bookmark = { bytes: 0, clean: true };
  private callOff: (() => void) | undefined;
  private writing: Promise<void> | undefined;
  private sweeping: Promise<void> | undefined;
  private readonly counting: Promise<void>;
  /** No sweep below this size. */
  private restUntil = 0;
  private stopping = false;
  private failed = false;
  private readonly wake = (): void => {
    this.callOff = undefined;
    void this.write();
  };

  constructor(private readonly options: MirrorStoreOptions) {
    this.cache = new MirrorCache(options.cacheBytes ?? CACHE_BYTES);
    this.readBookmark();
    this.counting = this.recount().catch(() => undefined); // what cannot be read will be noticed by whoever needs it
  }

  /** Bytes of records on the disk, as far as counted. */
  get bytes(): number {
    return this.bookmark.bytes;
  }

  /** A number for a question to the remote that is about to be asked; see `learn`. */
  asking(): number {
    this.stamps += 1;
    return this.stamps;
  }

  get(id: string): Remembered | undefined {
    const entry = this.cache.find(id) ?? this.load(id);
    if (!entry?.known) return undefined;
    entry.used = true;
    return { known: entry.known, at: entry.at, epoch: entry.epoch };
  }

  /** The same for a look in passing, which leaves the cache as it is. */
  peek(id: string): Known | undefined {
    const entry = this.cache.find(id);
    if (entry) return entry.known;
    const record = this.options.database.read(id);
    this.seen = { id, bytes: sizeOf(id, record) };
    return record && this.decode(id, record)?.known;
  }

  /**
   * Takes note of what the remote holds.
   * @param asked from `asking`, for an answer; it is not taken when something newer than the question is known.
   */
  learn(id: string, known: Known, epoch: string | undefined, asked = this.asking()): boolean {
    const entry = this.entryFor(id, asked);
    if (!entry) return false;
    entry.known = known;
    entry.epoch = epoch;
    this.note(entry, asked);
    return true;
  }

  /** The same, for a record that goes into somebody else's `batch`, which is committed at once. */
  learnIn(batch: WriteOp[], id: string, known: Known, epoch: string | undefined): void {
    const entry = this.entryInBatch(id);
    entry.known = known;
    entry.epoch = epoch;
    this.putRecord(batch, entry, known);
    this.cache.measure(entry);
    this.cache.makeRoom();
  }

  forget(id: string): void {
    const entry = this.entryFor(id, this.asking()) as MirrorEntry; // nothing is newer than now
    entry.known = undefined;
    this.note(entry, this.stamps);
  }

  forgetIn(batch: WriteOp[], id: string): void {
    const entry = this.entryInBatch(id);
    entry.known = undefined;
    this.deleteRecord(batch, entry);
  }

  /** What is known in a scope's range; undefined: that is more than `limit` records. */
  async knownIn(range: Range, limit: number): Promise<Known[] | undefined> {
    const found = new Map<string, Known | undefined>();
    // An iterator sees the database as it is when it is made: what is not there yet is taken from memory, now.
    const iterator = this.options.database.level.iterator({ ...range, highWaterMarkBytes: BYTES_PER_TRIP });
    for (const entries of [this.waiting, this.inBatch]) {
      for (const { id, known } of entries) if (id.startsWith(range.gte)) found.set(id, known);
    }
    try {
      while (found.size <= limit) {
        const records = await iterator.nextv(RECORDS_PER_TRIP);
        if (records.length === 0) return [...found.values()].filter((known) => known !== undefined);
        for (const [id, record] of records) if (!found.has(id)) found.set(id, this.decode(id, record)?.known);
      }
      return undefined;
    } finally {
      await iterator.close();
    }
  }

  /** Writes what was learnt so far. */
  async flush(): Promise<void> {
    await this.writing;
    await this.write();
  }

  /** Writes everything. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.callOff?.();
    await Promise.all([this.counting, this.sweeping]);
    await this.flush();
    if (this.failed) return;
    this.bookmark.clean = true;
    await this.options.commits.commitLater([this.bookmarkRecord()]).catch(() => this.fail());
  }

  /** Counts the records anew if the last run ended in a crash, which may have taken the count with it. */
  private async recount(): Promise<void> {
    if (this.bookmark.clean) return;
    const before = this.bookmark.bytes;
    let counted = 0;
    let from: string | undefined;
    do {
      const chunk = await readChunk(this.options.database, from);
      for (const { bytes } of chunk.rows) counted += bytes;
      from = chunk.next;
    } while (from !== undefined && !this.stopping);
    if (!this.stopping) this.bookmark.bytes = Math.max(0, this.bookmark.bytes + counted - before);
  }

  /** The entry to change on the strength of something from `stamp`; undefined: something newer is known. */
  private entryFor(id: string, stamp: number): MirrorEntry | undefined {
    const entry = this.cache.find(id);
    if (entry) return stamp < entry.stamp ? undefined : entry;
    return stamp < this.cache.lostStamp ? undefined : this.added(id);
  }

  /** Whatever was waiting to be written is written with the batch. */
  private entryInBatch(id: string): MirrorEntry {
    const entry = this.cache.find(id) ?? this.added(id);
    entry.storedBytes ??= this.seen?.id === id ? this.seen.bytes : sizeOf(id, this.options.database.read(id));
    this.seen = undefined;
    entry.stamp = this.asking();
    entry.waiting = false;
    this.waiting.delete(entry);
    this.ride(entry);
    return entry;
  }

  /** Until the batch is written only memory has the entry. All batches of one turn of the event loop share a look. */
  private ride(entry: MirrorEntry): void {
    entry.riding += 1;
    if (this.riders) {
      this.riders.push(entry);
      return;
    }
    const riders = [entry];
    this.riders = riders;
    queueMicrotask(() => {
      this.riders = undefined;
    });
    const arrive = () => {
      for (const rider of riders) this.arrived(rider);
    };
    this.options.commits.commitLater([]).then(arrive, arrive);
  }

  private arrived(entry: MirrorEntry): void {
    entry.riding -= 1;
    if (entry.riding > 0 || entry.waiting || entry.writing || this.failed) return;
    // A replay passes by a million keys: those that nobody reads would only push out the others.
    if (!entry.known || !entry.used) this.cache.remove(entry);
  }

  private added(id: string): MirrorEntry {
    const entry = newEntry(id);
    this.cache.add(entry);
    return entry;
  }

  private note(entry: MirrorEntry, stamp: number): void {
    entry.at = this.options.now();
    entry.stamp = stamp;
    entry.used = true;
    this.wait(entry);
  }

  private wait(entry: MirrorEntry): void {
    if (!entry.waiting) {
      entry.waiting = true;
      this.waiting.add(entry);
    }
    if (this.failed) this.settleUnwritten();
    else this.callOff ??= this.options.schedule(this.wake, GATHER_MS);
  }

  private load(id: string): MirrorEntry | undefined {
    const record = this.options.database.read(id);
    const learnt = record && this.decode(id, record);
    if (!learnt) return undefined;
    const entry = this.added(id);
    entry.known = learnt.known;
    entry.at = learnt.at;
    entry.stored = learnt.known;
    entry.storedAt = learnt.at;
    entry.storedBytes = sizeOf(id, record);
    this.cache.measure(entry);
    entry.used = true;
    this.cache.makeRoom();
    return entry;
  }

  private decode(id: string, record: Buffer): { known: Known; at: number } | undefined {
    const body = openRecord(id, record);
    if (body) return decodeLearnt(body);
    this.options.damage.found(id, inWords(id)); // counted and logged; to us it is a value that nobody knows
    return undefined;
  }

  private write(): Promise<void> {
    this.writing ??= this.writeWaiting().finally(() => {
      this.writing = undefined;
      const isDue = !this.failed && !this.stopping && this.waiting.size > 0;
      if (isDue) this.callOff ??= this.options.schedule(this.wake, GATHER_MS);
      this.sweepIfFull();
    });
    return this.writing;
  }

  private async writeWaiting(): Promise<void> {
    let portions = Math.ceil(this.waiting.size / PORTION);
    while (portions > 0 && (await this.writePortion())) portions -= 1;
  }

  /** Says whether there was anything to write. */
  private async writePortion(): Promise<boolean> {
    if (this.failed) this.settleUnwritten();
    const due = this.nextPortion();
    try {
      await this.lookUpSizes(due);
      const batch: WriteOp[] = [];
      for (const entry of due) if (entry.waiting) this.take(entry, batch);
      if (batch.length > 0) {
        this.bookmark.clean = false;
        batch.push(this.bookmarkRecord());
        await this.options.commits.commitLater(batch);
      }
    } catch {
      this.fail();
    }
    for (const entry of this.inBatch) this.wasWritten(entry);
    this.inBatch = [];
    this.cache.makeRoom();
    return due.length > 0;
  }

  /** What has waited longest. A list and its changes make sense only together, so they are never portioned. */
  private nextPortion(): MirrorEntry[] {
    let values = 0;
    return [...this.waiting].filter(({ id }) => {
      if (!id.startsWith(VALUES)) return true;
      values += 1;
      return values <= PORTION;
    });
  }

  private async lookUpSizes(entries: readonly MirrorEntry[]): Promise<void> {
    const unknown = entries.filter(({ storedBytes }) => storedBytes === undefined);
    for (let from = 0; from < unknown.length; from += RECORDS_PER_TRIP) {
      const trip = unknown.slice(from, from + RECORDS_PER_TRIP);
      const records = await this.options.database.level.getMany(trip.map(({ id }) => id));
      for (const [index, entry] of trip.entries()) entry.storedBytes ??= sizeOf(entry.id, records[index]);
    }
  }

  /** Puts an entry into the batch, if the disk holds anything else. */
  private take(entry: MirrorEntry, batch: WriteOp[]): void {
    this.waiting.delete(entry);
    entry.waiting = false;
    this.inBatch.push(entry);
    entry.writing = true;
    if (!entry.known) {
      this.deleteRecord(batch, entry);
      return;
    }
    this.cache.measure(entry);
    if (entry.stored && sameText(entry.stored, entry.known)) {
      entry.known = entry.stored; // one text in memory instead of two
      if (entry.at - entry.storedAt < REWRITE_MS) return;
    }
    this.putRecord(batch, entry, entry.known, entry.at);
  }

  private putRecord(batch: WriteOp[], entry: MirrorEntry, known: Known, at = this.options.now()): void {
    entry.at = at;
    const record = sealRecord(entry.id, encodeLearnt({ known, at }));
    batch.push({ type: 'put', key: entry.id, value: record });
    this.isStored(entry, known, bytesOf(entry.id, record));
  }

  private deleteRecord(batch: WriteOp[], entry: MirrorEntry): void {
    if (entry.storedBytes !== 0) batch.push({ type: 'del', key: entry.id });
    this.isStored(entry, undefined, 0);
  }

  private isStored(entry: MirrorEntry, known: Known | undefined, bytes: number): void {
    this.bookmark.bytes = Math.max(0, this.bookmark.bytes + bytes - (entry.storedBytes ?? 0));
    entry.stored = known;
    entry.storedAt = entry.at;
    entry.storedBytes = bytes;
  }

  private wasWritten(entry: MirrorEntry): void {
    entry.writing = false;
    if (!entry.known && !entry.waiting && entry.riding === 0 && !this.failed) this.cache.remove(entry);
  }

  /** After a failed write, memory alone tells what was forgotten; the rest may be read from the disk, older. */
  private fail(): void {
    this.failed = true;
    this.callOff?.();
    this.settleUnwritten();
  }

  private settleUnwritten(): void {
    for (const entry of this.waiting) {
      this.cache.measure(entry);
      entry.waiting = false;
    }
    this.waiting.clear();
    this.cache.makeRoom();
  }

  private sweepIfFull(): void {
    const { maxBytes } = this.options;
    const isFull = this.bytes > maxBytes && this.bytes > this.restUntil;
    if (!isFull || this.sweeping || this.failed || this.stopping) return;
    this.sweeping = this.sweep()
      .catch(() => this.fail())
      .finally(() => {
        this.sweeping = undefined;
      });
  }

  /** Goes round the records and evicts half of each thousand, until the mirror is small enough. */
  private async sweep(): Promise<void> {
    let found = 0;
    let isWholeRound = false;
    while (this.bytes > this.options.maxBytes * SWEPT && !this.failed && !this.stopping) {
      const { rows, next } = await readChunk(this.options.database, this.bookmark.cursor);
      found += this.evictHalf(rows);
      await this.flush();
      this.bookmark.cursor = next;
      if (next !== undefined) continue;
      if (isWholeRound && found === 0) {
        this.restUntil = this.bytes + this.options.maxBytes * REST;
        return;
      }
      isWholeRound = true;
      found = 0;
    }
    this.restUntil = 0;
  }

  /** Evicts half of the records, the oldest that nobody needs. Says how many there were. */
  private evictHalf(rows: readonly ChunkRow[]): number {
    const aged = rows.map((row) => ({ row, at: this.cache.find(row.id)?.at ?? row.at }));
    aged.sort((a, b) => a.at - b.at);
    let evicted = 0;
    for (const { row } of aged) {
      if (evicted >= rows.length / 2) break;
      if (this.evict(row)) evicted += 1;
    }
    this.evicted += evicted;
    return evicted;
  }

  private evict({ id, bytes }: ChunkRow): boolean {
    const cached = this.cache.find(id);
    if (cached?.waiting || cached?.writing || (cached?.riding ?? 0) > 0 || !this.options.evict(id))
      return false;
    const forgotten = this.cache.find(id);
    if (forgotten) forgotten.storedBytes ??= bytes; // saves looking it up
    return true;
  }

  private readBookmark(): void {
    const record = this.options.database.read(BOOKMARK_KEY);
    if (!record) return;
    const body = openRecord(BOOKMARK_KEY, record);
    if (body) this.bookmark = JSON.parse(body.toString()) as Bookmark;
    else this.bookmark.clean = false; // counted anew
  }

  private bookmarkRecord(): WriteOp {
    return putRecord(BOOKMARK_KEY, Buffer.from(JSON.stringify(this.bookmark)));
  }
}

function sizeOf(id: string, record: Buffer | undefined): number {
  return record ? bytesOf(id, record) : 0;
}

function sameText(a: Known, b: Known): boolean {
  if (a.kind === 'absent' || b.kind === 'absent') return a.kind === b.kind;
  return a === b || a.text === b.text;
}
