import type { GatewayError } from '../../errors.js';
import type { Logger } from '../../logger.js';
import { DamageReport } from '../../storage/damage.js';
import type { Database } from '../../storage/database.js';
import { openRecord } from '../../storage/record.js';
import { type Book, newBook } from './book.js';
import { withLast } from './lane-records.js';
import type { Lane } from './lanes.js';
import {
  afterLast,
  BOOK_KEY,
  decodeEntry,
  decodeLane,
  decodeSentNote,
  decodeSeq,
  ENTRIES,
  type Entry,
  entryKey,
  FLOORS,
  type LaneRecord,
  laneAt,
  lastOfKeyAt,
  nextKey,
  type SentNote,
  sentKey,
  seqIn,
} from './layout.js';

/** A lane that waits for an operator; without a key, that of the whole scope. */
export interface HeldLane {
  scope: string;
  key?: string;
}

/** What lies in the log, as it is read: counts from memory, all else from the disk. */
export class LogReader {
  readonly book: Book;
  readonly damage: DamageReport;
  /** Sequence numbers below are of an earlier run. */
  readonly firstOfThisRun: number;
  private readonly sentBefore: number;
  /** Entries that have left otherwise than by their turn: what was read of the log before may show them still. */
  endedOutOfTurn = 0;

  /** @throws GatewayError `GATEWAY_STORAGE` when the book is damaged. */
  constructor(
    protected readonly database: Database,
    logger: Logger,
  ) {
    this.damage = new DamageReport(logger);
    this.book =
      this.read<Book>(BOOK_KEY, 'the book of the log', (body) => ({
        ...newBook(),
        ...JSON.parse(body.toString()),
      })) ?? newBook();
    this.firstOfThisRun = this.book.next;
    this.sentBefore = this.book.sentUpTo;
  }

  get isEmpty(): boolean {
    return this.book.entries === 0;
  }

  get writeFailure(): GatewayError | undefined {
    return this.database.writeFailure;
  }

  get scopeLanes(): number {
    return this.book.scopeLanes;
  }

  laneRecord(at: string): LaneRecord | undefined {
    if (this.book.entries === 0 && this.book.held === 0) return undefined;
    return this.read(at, 'a lane of the log', decodeLane);
  }

  /** The lane of an entry just read: mostly it is alone in it, and that can be told without reading the lane. */
  laneRecordOf({ seq, isAlone, inScopeOrder, write }: Entry): LaneRecord | undefined {
    // One that ended out of turn since it was read has left no record, and gets none.
    if (this.endedOutOfTurn > 0 && this.database.read(entryKey(seq)) === undefined) return undefined;
    const isStillAlone = isAlone && this.database.read(nextKey(seq)) === undefined;
    return isStillAlone
      ? withLast(undefined, seq, false)
      : this.laneRecord(laneAt(write.scope, inScopeOrder ? undefined : write.key));
  }

  /** @throws GatewayError `GATEWAY_STORAGE` for a damaged entry. */
  entry(seq: number): Entry | undefined {
    return this.read(entryKey(seq), `entry ${seq} of the log`, (body) => decodeEntry(seq, body));
  }

  /** The same where a damaged one is like none: it is found, and told of, when its turn comes. */
  readable(seq: number): Entry | undefined {
    const key = entryKey(seq);
    const record = this.database.read(key);
    const body = record && openRecord(key, record);
    return body && decodeEntry(seq, body);
  }

  /** The sequence number of the oldest entry; undefined: there is none. */
  async firstSeq(): Promise<number | undefined> {
    if (this.isEmpty) return undefined;
    const range = { gt: entryKey(this.book.acknowledged), lt: afterLast(ENTRIES), limit: 1 };
    const [first] = await this.database.level.keys(range).all();
    return first === undefined ? undefined : seqIn(ENTRIES, first);
  }

  /** Those that can be read, in order. */
  async entriesAfter(seq: number, limit: number): Promise<Entry[]> {
    const range = { gt: entryKey(seq), lt: afterLast(ENTRIES), limit };
    const records = await this.database.level.iterator(range).all();
    return records.flatMap(([key, record]) => {
      const body = openRecord(key, record);
      return body ? [decodeEntry(seqIn(ENTRIES, key), body)] : [];
    });
  }

  /** Lanes that wait for an operator, by the scope and (unless it is the lane of the scope) the key. */
  async *heldLanes(): AsyncGenerator<HeldLane> {
    if (this.book.held === 0) return;
    for await (const [at, record] of this.database.level.iterator({ gte: FLOORS, lt: afterLast(FLOORS) })) {
      const body = openRecord(at, record);
      if (body) yield JSON.parse(body.toString()) as HeldLane;
    }
  }

  /** When the oldest entry was accepted. @throws GatewayError `GATEWAY_STORAGE` if it is damaged. */
  async oldestAcceptedAt(): Promise<number | undefined> {
    const first = await this.firstSeq();
    return first === undefined ? undefined : this.entry(first)?.acceptedAt;
  }

  /** The last entry of a key in the lane of its scope. */
  lastOf({ scope, lasts }: Lane, key: string): number | undefined {
    return lasts?.get(key)?.seq ?? this.read(lastOfKeyAt(scope, key), 'a key of a lane', decodeSeq);
  }

  /** The entry that follows another one in its lane; undefined also where the link is damaged. */
  nextIn(lane: Lane, seq: number): number | undefined {
    const linked = lane.links?.get(seq);
    if (linked !== undefined) return linked;
    const key = nextKey(seq);
    const record = this.database.read(key);
    const body = record && openRecord(key, record);
    if (record && !body) this.damage.found(key, 'a link of the log');
    return body && decodeSeq(body);
  }

  /** Whether an entry of an earlier run may have been sent in it. */
  mayHaveBeenSent({ seq, sent, expected }: Entry): boolean {
    if (seq >= this.firstOfThisRun) return false;
    if (sent) return true;
    return expected ? this.database.read(sentKey(seq)) !== undefined : seq <= this.sentBefore;
  }

  /** What was noted when an update was sent in an earlier run. */
  sentNote({ seq }: Entry): SentNote | undefined {
    return this.read(sentKey(seq), `the note on entry ${seq} of the log`, decodeSentNote);
  }

  protected read<T>(key: string, what: string, decode: (body: Buffer) => T): T | undefined {
    const record = this.database.read(key);
    if (!record) return undefined;
    const body = openRecord(key, record);
    if (!body) throw this.damage.found(key, what);
    return decode(body);
  }
}
