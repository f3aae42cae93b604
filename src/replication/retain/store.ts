import type { Database } from '../../storage/database.js';
import type { GroupCommit, WriteOp } from '../../storage/group-commit.js';
import { openRecord, putRecord } from '../../storage/record.js';
import type { Known, View } from '../view.js';
import { fingerprintOf } from './fingerprint.js';
import {
  allAfter,
  allIn,
  decodeRetained,
  encodeRetained,
  heldId,
  newestId,
  newestIn,
  type Place,
  placeIn,
  type Retained,
  segmentIn,
} from './layout.js';

/** One segment is a quarter of the time that writes are kept, and no shorter than this. */
const SHORTEST_SEGMENT_MS = 1000;
const DELETED_AT_A_TIME = 1000;
const NOTHING = Buffer.alloc(0);

/**
 * Confirmed writes on the disk: of each key the newest, and fingerprints of what it held before each of them, since a remote
 * that restarts may come back with any of those. Nothing is read to add one, and memory holds the segments' names only.
 */
export class RetainedStore {
  /** By their time; the last one is written to. */
  private segments: number[] = [];

  constructor(
    private readonly database: Database,
    private readonly commits: Pick<GroupCommit, 'commitLater'>,
    /** How long a write is kept, in ms. */
    private readonly keepMs: number,
  ) {}

  async load(): Promise<void> {
    for (let last = 0; ; ) {
      const [id] = await this.database.level.keys({ ...allAfter(last), limit: 1 }).all();
      if (id === undefined) return;
      last = segmentIn(id);
      this.segments.push(last);
    }
  }

  /** What keeps a write, and what its key held before it. */
  put(place: Place, retained: Retained, before: View): WriteOp[] {
    const segment = this.segmentAt(retained.at);
    const newest = putRecord(newestId(segment, place), encodeRetained(retained));
    if (before.kind === 'unknown') return [newest];
    return [newest, putRecord(heldId(segment, place, fingerprintOf(before)), NOTHING)];
  }

  /** The newest one of a key; undefined: none is kept, or it is damaged. */
  newest(place: Place): Retained | undefined {
    const segment = this.segmentOf(place);
    if (segment === undefined) return undefined;
    const id = newestId(segment, place);
    const record = this.database.read(id);
    const body = record && openRecord(id, record);
    return body && decodeRetained(body);
  }

  /** Whether the key held this before one of its writes that are kept. */
  wasHeld(place: Place, known: Known): boolean {
    const fingerprint = fingerprintOf(known);
    return this.segments.some(
      (segment) => this.database.read(heldId(segment, place, fingerprint)) !== undefined,
    );
  }

  /** All keys, those with the newest writes first, since a remote loses them first; each once. */
  async *places(atATime: number): AsyncGenerator<Place[]> {
    for (const segment of this.segments.toReversed()) {
      const { gte, lt } = newestIn(segment);
      for (let after: string | undefined, isLast = false; !isLast; ) {
        const range = after === undefined ? { gte, lt } : { gt: after, lt };
        const ids = await this.database.level.keys({ ...range, limit: atATime }).all();
        after = ids.at(-1);
        isLast = ids.length < atATime;
        yield ids.map((id) => placeIn(segment, id)).filter((place) => this.segmentOf(place) === segment);
      }
    }
  }

  /** Deletes what is older than it need be. */
  async sweep(now: number): Promise<void> {
    const isOld = (segment: number) => segment + this.segmentMs + this.keepMs <= now;
    const old = this.segments.filter(isOld);
    this.segments = this.segments.filter((segment) => !isOld(segment));
    for (const segment of old) await this.delete(segment);
  }

  private async delete(segment: number): Promise<void> {
    for (let count = DELETED_AT_A_TIME; count === DELETED_AT_A_TIME; ) {
      const ids = await this.database.level.keys({ ...allIn(segment), limit: DELETED_AT_A_TIME }).all();
      await this.commits.commitLater(ids.map((key) => ({ type: 'del', key })));
      count = ids.length;
    }
  }

  private get segmentMs(): number {
    return Math.max(SHORTEST_SEGMENT_MS, this.keepMs / 4);
  }

  private segmentAt(now: number): number {
    const last = this.segments.at(-1);
    if (last !== undefined && now < last + this.segmentMs) return last; // a clock that was set back included
    this.segments.push(now);
    return now;
  }

  private segmentOf(place: Place): number | undefined {
    return this.segments.findLast((segment) => this.database.read(newestId(segment, place)) !== undefined);
  }
}
