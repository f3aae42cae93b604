import {
  decodeLane,
  type Entry,
  encodeEntry,
  encodeLane,
  encodeSeq,
  entryKey,
  floorAt,
  type LaneRecord,
  lastOfKeyAt,
  nextKey,
  QUARANTINE,
  seqKey,
} from '../log/layout.js';
import type { Filler } from './filler.js';
import { laneOf, namesOfLane } from './lane-walk.js';
import { SCOPE_LANES, soundBody } from './spaces.js';
import type { StoreCopy } from './store-copy.js';

/** Makes lanes anew of their entries, one entry at a time; what else their old records say is kept where it can be read. */
export class MendedLanes {
  private scopeLanes = 0;
  /** Names of those that wait for an operator, who are few. */
  private readonly held = new Set<string>();

  constructor(
    private readonly source: StoreCopy,
    private readonly filler: Filler,
  ) {}

  /** Puts an entry at the end of its lane. Gives the size of its record. */
  append(entry: Entry): number {
    const at = laneOf(entry);
    const { seq, write } = entry;
    const before = this.filler.read(at);
    const lane = before ? decodeLane(before) : this.begin(at);
    if (!before && this.isOfScope(at)) this.scopeLanes += 1;
    if (lane.count > 0) this.filler.put(nextKey(lane.last), encodeSeq(seq));
    const head = lane.count === 0 ? seq : lane.head;
    this.filler.put(at, encodeLane({ ...lane, count: lane.count + 1, head, last: seq }));
    if (entry.inScopeOrder) this.filler.put(lastOfKeyAt(write.scope, write.key), encodeSeq(seq));
    const body = encodeEntry({ ...entry, isAlone: false }); // so that its lane is looked up
    this.filler.put(entryKey(seq), body);
    return body.length;
  }

  /** Whether it has an entry by now. */
  has(at: string): boolean {
    return this.filler.read(at) !== undefined;
  }

  /** A lane that waits for an operator does so without entries too. */
  keepHold(at: string): void {
    if (this.filler.read(at)) return;
    const lane = this.begin(at);
    if (lane.heldBy === 0) return;
    this.filler.put(at, encodeLane({ ...lane, fenceFirst: false }));
    if (this.isOfScope(at)) this.scopeLanes += 1;
  }

  isOfScope(at: string): boolean {
    return at.startsWith(SCOPE_LANES);
  }

  finish(): { held: number; heldWrites: number; scopeLanes: number } {
    let heldWrites = 0;
    for (const at of this.held) {
      const lane = decodeLane(this.filler.read(at) as Buffer);
      const { scope, key } = namesOfLane(at);
      const floor = heldFrom(lane);
      heldWrites += lane.count;
      this.filler.put(at, encodeLane({ ...lane, floor }));
      this.filler.put(floorAt(floor), Buffer.from(JSON.stringify({ scope, key })));
    }
    return { held: this.held.size, heldWrites, scopeLanes: this.scopeLanes };
  }

  private begin(at: string): LaneRecord {
    const record = this.source.read(at);
    const body = record && soundBody(at, record);
    // Of a lane whose record cannot be read, what was sent before it was lost has to end first.
    const old = body ? decodeLane(body) : { fenceFirst: true, heldBy: 0, losesUpTo: 0, parks: false };
    const heldBy = old.heldBy > 0 && this.isInQuarantine(old.heldBy) ? old.heldBy : 0;
    if (heldBy > 0) this.held.add(at);
    return { ...old, heldBy, count: 0, head: 0, last: 0, floor: 0 };
  }

  private isInQuarantine(seq: number): boolean {
    const key = seqKey(QUARANTINE, seq);
    const record = this.source.read(key);
    return record !== undefined && soundBody(key, record) !== undefined;
  }
}

/** As the log itself names the note on a held lane: by the first entry for whose sake scans must look. */
function heldFrom({ count, head, heldBy }: LaneRecord): number {
  return count === 0 ? heldBy : Math.min(heldBy, head);
}
