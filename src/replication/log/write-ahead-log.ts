import type { Logger } from '../../logger.js';
import { withoutName } from '../../operations/repeats.js';
import type { Json } from '../../protocol/json.js';
import { Payload } from '../../protocol/payload.js';
import type { Database } from '../../storage/database.js';
import { GroupCommit, type WriteOp } from '../../storage/group-commit.js';
import { putRecord } from '../../storage/record.js';
import type { Write } from '../write.js';
import type { Ending } from './book.js';
import { type Behind, released, withFirst, withLast, withoutHead } from './lane-records.js';
import type { Lane } from './lanes.js';
import {
  afterLast,
  BOOK_KEY,
  type Entry,
  type Expected,
  encodeEntry,
  encodeLane,
  encodeSentNote,
  encodeSeq,
  entryKey,
  FLOORS,
  floorAt,
  type LaneRecord,
  LoggedWrite,
  lastOfKeyAt,
  nextKey,
  type SentNote,
  sentKey,
  seqIn,
} from './layout.js';
import { LogReader } from './log-reader.js';

export interface NewEntry {
  write: Write;
  acceptedAt: number;
  /** It was sent and not answered. */
  sent: boolean;
  expected?: Expected | undefined;
  repeatId?: string | undefined;
  sentAs?: string | undefined;
  /** The only entry of its lane, whose place it takes. */
  replaces?: Entry | undefined;
  /** Written in the same batch. */
  together?: readonly WriteOp[];
}

/** A write that is on its way into the log. */
export interface Appended {
  entry: Entry;
  /** Resolves when it survives a power cut. */
  durable: Promise<void>;
}

/** Tells from outside the store how far the log had come. */
export interface LogMark {
  /** @throws GatewayError `GATEWAY_STORAGE`: more groups than these had been on the disk. */
  check(groups: number): void;
  /** So many groups are on the disk, and all numbers that they bear are below `next`. */
  raise(groups: number, next: number): void;
}

/** What leaves the log together with an entry. */
export interface Departure {
  lane: Lane;
  entry: Entry;
  /** Written in the same batch: its receipt, what the key holds now, its place in quarantine. */
  together: WriteOp[];
  /** What becomes of those behind it. */
  behind?: Behind;
}

const NOTHING: readonly WriteOp[] = [];

/** How many sequence numbers one note sets aside for sending. */
const SENDING_STEP = 8192;

/**
 * The accepted writes that the remote has not confirmed, in LevelDB: entries by sequence number, and for each key a
 * lane that says whose turn it is. One `fdatasync` serves all that arrive together. Memory holds counts, no entries.
 */
export class WriteAheadLog extends LogReader {
  private readonly writes: GroupCommit;
  private setAside: Promise<void> | undefined;
  private acknowledgedUpTo: () => number = () => 0;
  private closing: () => WriteOp[] = () => [];
  private floor = Number.POSITIVE_INFINITY;
  private isFloorOld = true;
  /** The last group that the mark is told of once it is on the disk. */
  private markedGroup: number;

  /** @throws GatewayError `GATEWAY_STORAGE` when the book is damaged, or of an earlier time than the mark. */
  constructor(
    database: Database,
    logger: Logger,
    private readonly mark?: LogMark,
  ) {
    super(database, logger);
    mark?.check(this.book.groups);
    this.markedGroup = this.book.groups;
    this.writes = new GroupCommit(database, {
      sync: 'every-write',
      closing: () => [...this.closing(), this.bookRecord()],
    });
  }

  /** Who knows how far the log is settled without a gap. */
  followAcknowledged(upTo: () => number): void {
    this.acknowledgedUpTo = upTo;
  }

  /** Looks again from where scans must begin for the sake of lanes that are out of their order, if that may have changed. */
  async findFloor(): Promise<void> {
    if (!this.isFloorOld) return;
    this.isFloorOld = false;
    const [first] = await this.database.level.keys({ gte: FLOORS, lt: afterLast(FLOORS), limit: 1 }).all();
    if (!this.isFloorOld) this.floor = first === undefined ? Number.POSITIVE_INFINITY : seqIn(FLOORS, first);
  }

  /** A number that nothing else has, and that is greater than all before it. */
  takeNumber(): number {
    const number = this.book.next;
    this.book.next += 1;
    return number;
  }

  /** Puts a write at the end of its lane. */
  append(lane: Lane, fields: NewEntry): Appended {
    const { replaces, together = NOTHING } = fields;
    const { record } = lane;
    const isAlone = (!record || replaces !== undefined) && lane.turn === 'free' && !fields.sent;
    const entry = this.newEntry(lane, fields, isAlone);
    const operations = together.slice();
    let linked: number | undefined;
    if (replaces) {
      this.endedOutOfTurn += 1;
      operations.push({ type: 'del', key: entryKey(replaces.seq) });
      this.book.entries -= 1;
      this.book.bytes -= replaces.bytes;
    } else if (record && record.count > 0) {
      this.link(lane, record.last, entry.seq, operations);
      linked = record.last;
    }
    this.setLane(
      lane,
      withLast(replaces ? undefined : record, entry.seq, lane.turn === 'unclear'),
      operations,
    );
    if (record && record.heldBy > 0) this.book.heldWrites += 1;
    if (lane.key === undefined) {
      operations.push(putRecord(lastOfKeyAt(lane.scope, entry.write.key), encodeSeq(entry.seq)));
    }
    return this.write(lane, entry, operations, linked);
  }

  /** Puts a write before all others in a lane that was held for it. */
  putFirst(lane: Lane, { together = [], ...fields }: NewEntry): Appended {
    const held = lane.record as LaneRecord;
    const entry = this.newEntry(lane, fields, false);
    const operations = [...together];
    this.unhold(held);
    if (held.count > 0) this.link(lane, entry.seq, held.head, operations);
    this.setLane(lane, withFirst(held, entry.seq), operations);
    const { key } = entry.write;
    if (lane.key === undefined && this.lastOf(lane, key) === undefined) {
      operations.push(putRecord(lastOfKeyAt(lane.scope, key), encodeSeq(entry.seq)));
    }
    return this.write(lane, entry, operations, entry.seq);
  }

  /** Lets a lane go on that was held; `together` is written in the same batch. */
  release(lane: Lane, together: readonly WriteOp[]): Promise<void> {
    const held = lane.record as LaneRecord;
    const operations = [...together];
    this.unhold(held);
    this.setLane(lane, released(held), operations);
    return this.writes.commit(operations);
  }

  /**
   * Lets a lane's head go out under another receipt, and as a set of another value if one is given; its own receipt stays. It
   * is another call then, so the name that its caller gave it goes.
   */
  async rewrite(
    lane: Lane,
    { expected, ...entry }: Entry,
    { sentAs, value }: { sentAs: string; value?: Json | undefined },
  ): Promise<Entry> {
    const { scope, key, traceparent, baggage } = entry.write;
    const metadata = entry.write.metadata && withoutName(entry.write.metadata);
    const isSet = value !== undefined;
    const input = isSet ? ({ functionId: 'state::set', scope, key, value } as const) : entry.write.input;
    const payload = isSet ? Payload.of({ scope, key, value }) : withoutName(entry.write.payload);
    const write = LoggedWrite.of({ input, payload, metadata, traceparent, baggage });
    const rewritten: Entry = { ...entry, write, sentAs };
    if (!isSet && expected) rewritten.expected = expected;
    const body = encodeEntry(rewritten);
    this.book.bytes += body.length - entry.bytes;
    await this.writes.commit([putRecord(entryKey(entry.seq), body)]);
    lane.view = undefined;
    lane.lasts?.delete(key);
    return { ...rewritten, bytes: body.length };
  }

  /** Takes an entry, which is its lane's head, out of the log. */
  end(departure: Departure, ending: Ending): Promise<void> {
    this.book.ended[ending] += 1;
    return this.depart(departure);
  }

  /** Takes an entry, which is its lane's head, out of the log; the caller has counted where it went. */
  depart({ lane, entry, together, behind = {} }: Departure): Promise<void> {
    const { record } = lane;
    if (record?.head !== entry.seq) throw new TypeError(`entry ${entry.seq} is not the head of its lane`);
    const operations: WriteOp[] = [{ type: 'del', key: entryKey(entry.seq) }];
    if (entry.expected) operations.push({ type: 'del', key: sentKey(entry.seq) });
    const next = record.count > 1 ? this.headAfter(lane, entry.seq, record) : undefined;
    if (next !== undefined) operations.push({ type: 'del', key: nextKey(entry.seq) });
    const left = withoutHead(record, next, behind);
    this.setLane(lane, left, operations);
    if (!left?.count) lane.view = undefined;
    if (lane.key === undefined) this.forgetLast(lane, entry, operations);
    if (left && behind.held) this.hold(left);
    this.book.entries -= 1;
    this.book.bytes -= entry.bytes;
    for (const operation of together) operations.push(operation);
    return this.commit(operations);
  }

  /** The fence has passed that the lane's head had to wait for. */
  clearFence(lane: Lane): Promise<void> {
    const operations: WriteOp[] = [];
    this.setLane(lane, { ...(lane.record as LaneRecord), fenceFirst: false }, operations);
    return this.commit(operations);
  }

  /**
   * Makes sure that a crash will not take this entry for one that was never sent. One note serves thousands of
   * entries of which reading can tell whether they were applied; each of the others gets its own.
   */
  noteSending(entry: Entry, note?: SentNote): Promise<void> | undefined {
    if (note) return this.commit([putRecord(sentKey(entry.seq), encodeSentNote(note))]);
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
    const written = this.writes.commit(operations);
    const forming = this.book.groups + 1;
    if (this.mark && forming > this.markedGroup) {
      this.markedGroup = forming;
      written.then(
        () => this.mark?.raise(forming, this.book.next),
        () => undefined, // told to whoever wrote
      );
    }
    return written;
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

  private newEntry(
    lane: Lane,
    { write, acceptedAt, sent, expected, repeatId, sentAs }: NewEntry,
    isAlone: boolean,
  ): Entry {
    // One literal, always of the same members: a spread, or members that come and go, cost a fifth of an acceptance.
    return {
      seq: this.takeNumber(),
      acceptedAt,
      write: LoggedWrite.of(write),
      inScopeOrder: lane.key === undefined,
      sent,
      isAlone,
      expected,
      repeatId,
      sentAs,
      follows: undefined,
      bytes: 0,
    };
  }

  private link(lane: Lane, seq: number, next: number, operations: WriteOp[]): void {
    lane.links ??= new Map();
    lane.links.set(seq, next);
    operations.push(putRecord(nextKey(seq), encodeSeq(next)));
  }

  private write(lane: Lane, entry: Entry, operations: WriteOp[], linked: number | undefined): Appended {
    const { book } = this;
    const body = encodeEntry(entry);
    entry.bytes = body.length;
    operations.push(putRecord(entryKey(entry.seq), body));
    book.entries += 1;
    book.bytes += body.length;
    book.accepted += 1;
    lane.appending += 1;
    const durable = this.commit(operations).then(
      () => this.arrived(lane, linked),
      (error: unknown) => {
        this.arrived(lane, linked);
        book.entries -= 1; // nothing is written any more, and this one was not accepted
        book.bytes -= body.length;
        book.accepted -= 1;
        throw error;
      },
    );
    return { entry, durable };
  }

  /** Where a link is lost, nobody knows what follows: the lane stays at a number that is gone, and waits. */
  private headAfter(lane: Lane, seq: number, { count, last }: LaneRecord): number {
    return count === 2 ? last : (this.nextIn(lane, seq) ?? seq);
  }

  /** What is on the disk need not be kept in memory. */
  private arrived(lane: Lane, linked: number | undefined): void {
    lane.appending -= 1;
    if (linked !== undefined) lane.links?.delete(linked);
  }

  private setLane(lane: Lane, record: LaneRecord | undefined, operations: WriteOp[]): void {
    if (lane.key === undefined) this.book.scopeLanes += Number(!!record) - Number(!!lane.record);
    this.setFloor(lane, lane.record?.floor ?? 0, record?.floor ?? 0, operations);
    lane.record = record;
    operations.push(record ? putRecord(lane.at, encodeLane(record)) : { type: 'del', key: lane.at });
  }

  /** Scans must begin before the entries that wait, or come after newer ones, however much is settled behind them. */
  private setFloor({ scope, key }: Lane, before: number, after: number, operations: WriteOp[]): void {
    if (before === after) return;
    this.book.floors += Number(after > 0) - Number(before > 0);
    if (before > 0) operations.push({ type: 'del', key: floorAt(before) });
    this.isFloorOld = true;
    if (after === 0) return;
    operations.push(putRecord(floorAt(after), Buffer.from(JSON.stringify({ scope, key }))));
    this.floor = Math.min(this.floor, after);
  }

  private forgetLast(lane: Lane, { seq, write: { key } }: Entry, operations: WriteOp[]): void {
    if (this.lastOf(lane, key) !== seq) return;
    lane.lasts?.delete(key);
    operations.push({ type: 'del', key: lastOfKeyAt(lane.scope, key) });
  }

  private hold(record: LaneRecord): void {
    this.book.held += 1;
    this.book.heldWrites += record.count;
  }

  private unhold(record: LaneRecord): void {
    this.book.held -= 1;
    this.book.heldWrites -= record.count;
  }

  private async setMoreAside(from: number): Promise<void> {
    const upTo = from + SENDING_STEP;
    const before = this.book.sentUpTo;
    this.pendingMark = upTo;
    try {
      await this.commit([]);
      this.book.sentUpTo = Math.max(before, upTo);
    } finally {
      this.pendingMark = 0;
      this.setAside = undefined;
    }
  }

  /** On its way to the disk; it counts once it is there. */
  private pendingMark = 0;

  private bookRecord(): WriteOp {
    this.book.groups += 1;
    const upTo = Math.min(
      this.acknowledgedUpTo(),
      this.book.floors > 0 ? this.floor - 1 : Number.POSITIVE_INFINITY,
    );
    this.book.acknowledged = Math.max(this.book.acknowledged, upTo);
    const sentUpTo = Math.max(this.book.sentUpTo, this.pendingMark);
    return putRecord(BOOK_KEY, Buffer.from(JSON.stringify({ ...this.book, sentUpTo })));
  }
}
