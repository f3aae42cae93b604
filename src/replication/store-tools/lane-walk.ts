import { namesIn, type Range, rangeOfSpace } from '../../storage/scoped-keys.js';
import {
  decodeEntry,
  decodeLane,
  decodeSeq,
  ENTRIES,
  type Entry,
  entryKey,
  LANES,
  type LaneRecord,
  laneAt,
  nextKey,
  seqIn,
} from '../log/layout.js';
import { rowsOf } from './rows.js';
import { SeqSet } from './seq-set.js';
import { SCOPE_LANES, soundBody } from './spaces.js';
import type { StoreCopy } from './store-copy.js';

/** A lane that does not fit its entries; without a key, that of a whole scope. */
export interface BrokenLane {
  scope: string;
  key?: string;
  why: string;
}

/** Beyond this many nothing is told apart any more: every lane counts as broken. */
const MOST_BROKEN = 100_000;
const MISSING = 'missing';

/** What can be relied on of the lanes of a store in which something does not fit. */
export class LaneVerdict {
  /** By the name of the lane. */
  readonly broken = new Map<string, BrokenLane>();
  /** Entries that sound lanes have left behind: they were settled, and what deleted them is lost. */
  readonly settled = new SeqSet();
  all = false;
  /** Something is gone without a trace, so more may be. */
  isLeaky = false;

  isBroken(at: string): boolean {
    return this.all || this.broken.has(at);
  }

  addBroken(at: string, why: string): void {
    if (this.broken.has(at)) return;
    if (this.broken.size < MOST_BROKEN) this.broken.set(at, { ...namesOfLane(at), why });
    else this.all = true;
  }
}

export function laneOf({ inScopeOrder, write }: Pick<Entry, 'inScopeOrder' | 'write'>): string {
  return laneAt(write.scope, inScopeOrder ? undefined : write.key);
}

/** Follows every lane from entry to entry. It takes a while, so it is for stores in which `LaneSums` do not fit. */
export async function walkLanes(store: StoreCopy): Promise<LaneVerdict> {
  const verdict = new LaneVerdict();
  const reached = new SeqSet();
  for (const space of [LANES, SCOPE_LANES]) {
    for await (const rows of rowsOf(store, rangeOfSpace(space))) {
      for (const [at, record] of rows) {
        const body = soundBody(at, record);
        const why = body ? walk(store, at, decodeLane(body), reached) : 'its record is damaged';
        if (!why) continue;
        verdict.addBroken(at, why);
        if (why.endsWith(MISSING)) verdict.isLeaky = true;
      }
    }
  }
  await judgeTheRest(store, verdict, reached);
  return verdict;
}

/** Why a lane is broken; undefined: it is sound, and its entries are added to those reached. */
function walk(store: StoreCopy, at: string, lane: LaneRecord, reached: SeqSet): string | undefined {
  if (lane.count === 0) return lane.heldBy > 0 ? undefined : 'it is empty';
  let seq = lane.head;
  for (let count = 1; ; count += 1) {
    const entry = entryAt(store, seq);
    if (!entry) return `entry ${seq} is ${store.read(entryKey(seq)) ? 'damaged' : MISSING}`;
    if (laneOf(entry) !== at) return `entry ${seq} belongs to another one`;
    reached.add(seq);
    if (seq === lane.last)
      return count === lane.count ? undefined : 'it does not have as many entries as it says';
    const link = store.read(nextKey(seq));
    const body = link && soundBody(nextKey(seq), link);
    if (!body) return `the link behind entry ${seq} is ${link ? 'damaged' : MISSING}`;
    if (count >= lane.count) return 'it has more entries than it says';
    seq = decodeSeq(body);
  }
}

async function judgeTheRest(store: StoreCopy, verdict: LaneVerdict, reached: SeqSet): Promise<void> {
  for await (const rows of rowsOf(store, entryRange)) {
    for (const [key, record] of rows) {
      const seq = seqIn(ENTRIES, key);
      const body = reached.has(seq) ? undefined : soundBody(key, record);
      if (!body) continue;
      const at = laneOf(decodeEntry(seq, body));
      if (verdict.isBroken(at)) continue;
      const laneRecord = store.read(at);
      const lane = laneRecord && soundBody(at, laneRecord);
      // One that came after all the lane knows of may be what its record lost; any other has had its turn.
      verdict.isLeaky = true;
      if (!lane) verdict.addBroken(at, `its record is ${MISSING}`);
      else if (seq > decodeLane(lane).last) verdict.addBroken(at, `it does not know entry ${seq}`);
      else verdict.settled.add(seq);
    }
  }
}

const entryRange: Range = rangeOfSpace(ENTRIES);

function entryAt(store: StoreCopy, seq: number): Entry | undefined {
  const record = store.read(entryKey(seq));
  const body = record && soundBody(entryKey(seq), record);
  return body && decodeEntry(seq, body);
}

export function namesOfLane(at: string): { scope: string; key?: string } {
  if (at.startsWith(LANES)) return namesIn(LANES, at);
  return { scope: namesIn(SCOPE_LANES, at).scope };
}
