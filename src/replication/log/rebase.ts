import type { WriteOp } from '../../storage/group-commit.js';
import { putRecord } from '../../storage/record.js';
import type { View } from '../view.js';
import { effectOf } from '../write.js';
import type { Lane } from './lanes.js';
import { type Entry, encodeEntry, entryKey } from './layout.js';
import type { WriteAheadLog } from './write-ahead-log.js';

/** Behind a write that leaves without being applied; beyond so many, what they show stays as it was computed until they are sent. */
const MOST_REBASED = 256;

/**
 * What the updates behind a write that was not applied build on now: their records with what they will meet and make,
 * as far as the next write that does not depend on what was there.
 */
export function rebased(log: WriteAheadLog, lane: Lane, gone: Entry, base: View): WriteOp[] {
  const operations: WriteOp[] = [];
  const { key } = gone.write;
  let view = base;
  let seq = gone.seq;
  const { count = 0, last = 0 } = lane.record ?? {};
  for (let left = Math.min(count - 1, MOST_REBASED); left > 0; left -= 1) {
    const next = log.nextIn(lane, seq);
    const entry = next === undefined ? undefined : log.entry(next);
    if (!entry) return operations;
    seq = entry.seq;
    if (entry.write.key !== key) continue;
    if (!entry.expected) return operations;
    const { after } = effectOf(entry.write.input, view);
    entry.expected = { before: view, after };
    operations.push(putRecord(entryKey(seq), encodeEntry(entry)));
    view = after;
  }
  if (seq === last && lane.key !== undefined) lane.view = view;
  lane.lasts?.delete(key);
  return operations;
}
