import type { GatewayError } from '../../errors.js';
import type { Logger } from '../../logger.js';
import { DamageReport } from '../../storage/damage.js';
import type { Database } from '../../storage/database.js';
import { GroupCommit, type WriteOp } from '../../storage/group-commit.js';
import { openRecord, putRecord } from '../../storage/record.js';
import { scopedKey } from '../../storage/scoped-keys.js';
import type { View } from '../view.js';
import type { Write } from '../write.js';
import { type Book, type Ending, newBook } from './book.js';
import type { Lane } from './lanes.js';
import {
  afterLast,
  BOOK_KEY,
  decodeEntry,
  decodeLane,
  decodeSeq,
  ENTRIES,
  type Entry,
  encodeEntry,
  encodeLane,
  encodeSeq,
  entryKey,
  LANES,
  type LaneRecord,
  LoggedWrite,
  nextKey,
  sentKey,
  seqIn,
} from './layout.js';

export interface NewEntry {
  write: Write;
  acceptedAt: number;
  /** It was sent and not answered. */
  sent: boolean;
  expected?: { before: View; after: View };
}

/** What leaves the log together with an entry. */
export interface Departure {
  lane: Lane;
  entry: Entry;
  /** Written in the same batch: its receipt, what the key holds now, its place in quarantine. */
  together: WriteOp[];
}

/** How many sequence numbers one note sets aside for sending. */
const SENDING_STEP = 8192;

/**
 * The accepted writes that the remote has not confirmed, in LevelDB: entries by sequence number, and for each key a
 * lane that says whose turn it is. One `fdatasync` serves all that arrive together. Memory holds counts, no entries.
 */
export class WriteAheadLog {
  readonly book: Book;
  readonly damage: DamageReport;
  private readonly writes: GroupCommit;
  /** Sequence numbers below are of an earlier run. */
  readonly firstOfThisRun: number;
  private readonly sentBefore: number;
  private setAside: Promise<void> | undefined;
  private acknowledgedUpTo: () => number = () => 0;
  private closing: () => WriteOp[] = () => [];

  /** @throws GatewayError `GATEWAY_STORAGE` when the book is damaged. */
  constructor(
    private readonly database: Database,
    logger: Logger,
  ) {
    this.damage = new DamageReport(logger);
    this.book =
      this.read<Book>(BOOK_KEY, 'the book of the log', (body) => JSON.parse(body.toString())) ?? newBook();
    this.firstOfThisRun = this.book.next;
    this.sentBefore = this.book.sentUpTo;
    this.writes = new GroupCommit(database, {
      sync: 'every-write',
      closing: () => [...this.closing(), this.bookRecord()],
    });
  }

  /** Who knows how far the log is settled without a gap. */
  followAcknowledged(upTo: () => number): void {
    this.acknowledgedUpTo = upTo;
  }

  get isEmpty(): boolean {
    return this.book.entries === 0;
  }

  get writeFailure(): GatewayError | undefined {
    return this.database.writeFailure;
  }

  laneRecord = (scope: string, key: string): LaneRecord | undefined => {
    if (this.book.entries === 0) return undefined;
    return this.read(scopedKey(LANES, scope, key), 'a lane of the log', decodeLane);
  };

  /** The lane of an entry just read: mostly it is alone in it, and that can be told without reading the lane. */
  laneRecordOf({ seq, isAlone, write }: Entry): LaneRecord | undefined {
    const isStillAlone = isAlone && this.database.read(nextKey(seq)) === undefined;
    return isStillAlone
      ? { count: 1, head: seq, last: seq, fenceFirst: false }
      : this.laneRecord(write.scope, write.key);
  }

  /** @throws GatewayError `GATEWAY_STORAGE` for a damaged entry. */
  entry(seq: number): Entry | undefined {
    return this.read(entryKey(seq), `entry ${seq} of the log`, (body) => decodeEntry(seq, body));
  }

  /** The sequence number of the oldest entry; undefined: there is none. */
  async firstSeq(): Promise<number | undefined> {
    if (this.isEmpty) return undefined;
    const range = { gt: entryKey(this.book.acknowledged), lt: afterLast(ENTRIES), limit: 1 };
    const [first] = await this.database.level.keys(range).all();
    return first === undefined ? undefined : seqIn(ENTRIES, first);
  }

  /** When the oldest entry was accepted. @throws GatewayError `GATEWAY_STORAGE` if it is damaged. */
  async oldestAcceptedAt(): Promise<number | undefined> {
    const first = await this.firstSeq();
    return first === undefined ? undefined : this.entry(first)?.acceptedAt;
  }

  /** Puts a write at the end of its lane; `durable` resolves when it survives a power cut. */
  append(
    lane: Lane,
    { write, acceptedAt, sent, expected }: NewEntry,
  ): { entry: Entry; durable: Promise<void> } {
    const { book } = this;
    const seq = book.next;
    book.next += 1;
    const logged = LoggedWrite.of(write);
    const isAlone = !lane.record && lane.turn === 'free' && !sent;
    const plain = { acceptedAt, write: logged, sent, isAlone };
    const fields = expected ? { ...plain, expected } : plain;
    const body = encodeEntry(fields);
    const operations = [putRecord(entryKey(seq), body)];
    const { record } = lane;
    if (record) {
      lane.links ??= new Map();
      lane.links.set(record.last, seq);
      operations.push(putRecord(nextKey(record.last), encodeSeq(seq)));
    }
    lane.record = {
      count: (record?.count ?? 0) + 1,
      head: record?.head ?? seq,
      last: seq,
      fenceFirst: record?.fenceFirst ?? lane.turn === 'unclear',
    };
    operations.push(putLane(lane, lane.record));
    book.entries += 1;
    book.bytes += body.length;
    book.accepted += 1;
    lane.appending += 1;
    const arrived = () => {
      lane.appending -= 1;
      if (record) lane.links?.delete(record.last);
    };
    const durable = this.writes.commit(operations).then(arrived, (error: unknown) => {
      arrived();
      book.entries -= 1; // nothing is written any more, and this one was not accepted
      book.bytes -= body.length;
      book.accepted -= 1;
      throw error;
    });
    return { entry: { ...fields, seq, bytes: body.length }, durable };
  }

  /** Takes an entry, which is its lane's head, out of the log. */
  end({ lane, entry, together }: Departure, ending: Ending): Promise<void> {
    this.book.ended[ending] += 1;
    return this.depart({ lane, entry, together });
  }

  /** Takes an entry, which is its lane's head, out of the log; the caller has counted where it went. */
  depart({ lane, entry, together }: Departure): Promise<void> {
    const record = lane.record as LaneRecord;
    const operations: WriteOp[] = [{ type: 'del', key: entryKey(entry.seq) }];
    if (entry.expected) operations.push({ type: 'del', key: sentKey(entry.seq) });
    if (record.count > 1) {
      operations.push({ type: 'del', key: nextKey(entry.seq) });
      lane.record = {
        count: record.count - 1,
        head: this.nextIn(lane, entry.seq) ?? record.last,
        last: record.last,
        fenceFirst: false,
      };
      operations.push(putLane(lane, lane.record));
    } else {
      lane.record = undefined;
      lane.view = undefined;
      operations.push({ type: 'del', key: scopedKey(LANES, lane.scope, lane.key) });
    }
    this.book.entries -= 1;
    this.book.bytes -= entry.bytes;
    for (const operation of together) operations.push(operation);
    return this.writes.commit(operations);
  }

  /** The entry that follows another one in its lane. */
  nextIn(lane: Lane, seq: number): number | undefined {
    return lane.links?.get(seq) ?? this.read(nextKey(seq), 'a link of the log', decodeSeq);
  }

  /** The fence has passed that the lane's head had to wait for. */
  clearFence(lane: Lane): Promise<void> {
    lane.record = { ...(lane.record as LaneRecord), fenceFirst: false };
    return this.writes.commit([putLane(lane, lane.record)]);
  }

  /** Whether an entry of an earlier run may have been sent in it. */
  mayHaveBeenSent({ seq, sent, expected }: Entry): boolean {
    if (seq >= this.firstOfThisRun) return false;
    if (sent) return true;
    return expected ? this.database.read(sentKey(seq)) !== undefined : seq <= this.sentBefore;
  }

  /**
   * Makes sure that a crash will not take this entry for one that was never sent. One note serves thousands of
   * entries of which reading can tell whether they were applied; each of the others gets its own.
   */
  noteSending(entry: Entry): Promise<void> | undefined {
    if (entry.expected) return this.writes.commit([putRecord(sentKey(entry.seq), Buffer.alloc(0))]);
    if (entry.seq <= this.book.sentUpTo - SENDING_STEP / 2) return undefined;
    this.setAside ??= this.setMoreAside(entry.seq);
    this.setAside.catch(() => undefined); // the disk failed, and said so
    if (entry.seq <= this.book.sentUpTo) return undefined;
    return this.setAside.then(() => this.noteSending(entry)); // what is on its way may not reach this far
  }

  /** It was not sent after all. */
  takeBackNote(entry: Entry): void {
    if (!entry.expected) return;
    this.writes.commitLater([{ type: 'del', key: sentKey(entry.seq) }]).catch(() => undefined); // it would only be read back
  }

  commit(operations: readonly WriteOp[]): Promise<void> {
    return this.writes.commit(operations);
  }

  /** In order with the log's own writes; a power cut may take it. */
  commitLater(operations: readonly WriteOp[]): Promise<void> {
    return this.writes.commitLater(operations);
  }

  /** What is written with each group, beside the book: asked when the group is complete. */
  writeAlong(closing: () => WriteOp[]): void {
    this.closing = closing;
  }

  close(): Promise<void> {
    return this.writes.close();
  }

  private async setMoreAside(from: number): Promise<void> {
    const upTo = from + SENDING_STEP;
    const before = this.book.sentUpTo;
    this.pendingMark = upTo;
    try {
      await this.writes.commit([]);
      this.book.sentUpTo = Math.max(before, upTo);
    } finally {
      this.pendingMark = 0;
      this.setAside = undefined;
    }
  }

  /** On its way to the disk; it counts once it is there. */
  private pendingMark = 0;

  private bookRecord(): WriteOp {
    this.book.acknowledged = Math.max(this.book.acknowledged, this.acknowledgedUpTo());
    const sentUpTo = Math.max(this.book.sentUpTo, this.pendingMark);
    return putRecord(BOOK_KEY, Buffer.from(JSON.stringify({ ...this.book, sentUpTo })));
  }

  private read<T>(key: string, what: string, decode: (body: Buffer) => T): T | undefined {
    const record = this.database.read(key);
    if (!record) return undefined;
    const body = openRecord(key, record);
    if (!body) throw this.damage.found(key, what);
    return decode(body);
  }
}

function putLane({ scope, key }: Lane, record: LaneRecord): WriteOp {
  return putRecord(scopedKey(LANES, scope, key), encodeLane(record));
}
