import type { WriteOp } from '../../storage/group-commit.js';
import { putRecord } from '../../storage/record.js';
import type { View } from '../view.js';
import { effectOf } from '../write.js';
import type { Lane } from './lanes.js';
import { type Entry, encodeEntry, entryKey } from './layout.js';
import type { WriteAheadLog } from './write-ahead-log.js';

/** Behind a write that left something else than was computed; beyond so many, what they show stays as it was until they are sent. */
const MOST_REBASED = 256;
/** In the lane of a scope: behind a write that lost. */
const MOST_FOLLOWERS = 4096;

/**
 * What the updates behind a write build on now: their records with what they will meet and make, as far as the next
 * write that does not depend on what was there. With `follows`, in the lane of a scope, all writes behind it to its key get a
 * note that they were accepted on top of one that has lost.
 */
export function rebased(
  log: WriteAheadLog,
  lane: Lane,
  gone: Entry,
  base: View,
  follows?: Entry['follows'],
): WriteOp[] {
  const operations: WriteOp[] = [];
  const { key } = gone.write;
  let view: View | undefined = base;
  let last = gone.seq;
  for (const entry of behind(log, lane, gone, follows ? MOST_FOLLOWERS : MOST_REBASED)) {
    last = entry.seq;
    if (entry.write.key !== key) continue;
    view = view && entry.expected && rebase(entry, view);
    if (!view && !follows) return operations;
    operations.push(rewritten(log, follows ? { ...entry, follows } : entry));
  }
  if (!view) return operations;
  if (last === lane.record?.last && lane.key !== undefined) lane.view = view;
  lane.lasts?.delete(key);
  return operations;
}

/** Gives what comes out of it. */
function rebase(entry: Entry, before: View): View {
  const { after } = effectOf(entry.write.input, before);
  entry.expected = { before, after };
  return after;
}

/** As far as they are on the disk and can be read. */
function* behind(log: WriteAheadLog, lane: Lane, { seq }: Entry, most: number): Generator<Entry> {
  let at = seq;
  const waiting = lane.record?.head === seq ? lane.record.count - 1 : (lane.record?.count ?? 0);
  for (let left = Math.min(waiting, most); left > 0; left -= 1) {
    const next = log.nextIn(lane, at);
    const entry = next === undefined ? undefined : log.readable(next);
    if (!entry) return;
    at = entry.seq;
    yield entry;
  }
}

function rewritten(log: WriteAheadLog, entry: Entry): WriteOp {
  const body = encodeEntry(entry);
  log.book.bytes += body.length - entry.bytes;
  return putRecord(entryKey(entry.seq), body);
}
