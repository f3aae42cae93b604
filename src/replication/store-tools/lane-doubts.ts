import { openRecord } from '../../storage/record.js';
import { namesIn, rangeOfSpace } from '../../storage/scoped-keys.js';
import { decodeEntry, entryKey, LAST_OF_KEY, laneAt, QUARANTINE, RECEIPTS, seqIn } from '../log/layout.js';
import { LaneVerdict, laneOf } from './lane-walk.js';
import { rowsOf } from './rows.js';
import { soundBody } from './spaces.js';
import type { StoreCopy } from './store-copy.js';

/** What speaks against lanes beside their own entries and links. Gives the verdict with it, if there is anything. */
export async function addDoubts(
  store: StoreCopy,
  verdict: LaneVerdict | undefined,
): Promise<LaneVerdict | undefined> {
  const found = verdict ?? new LaneVerdict();
  await addSettled(store, found);
  await addUnreadableNotes(store, found);
  return verdict ?? (found.broken.size > 0 ? found : undefined);
}

/**
 * Entries that a receipt or the quarantine says have left the log: what deleted them is lost, and sending them would be
 * once too often.
 */
async function addSettled(store: StoreCopy, verdict: LaneVerdict): Promise<void> {
  for await (const seq of settledSeqs(store)) {
    const record = store.read(entryKey(seq));
    const body = record && soundBody(entryKey(seq), record);
    if (!body) continue;
    verdict.settled.add(seq);
    verdict.isLeaky = true;
    verdict.addBroken(laneOf(decodeEntry(seq, body)), `entry ${seq} of it is settled already`);
  }
}

async function* settledSeqs(store: StoreCopy): AsyncGenerator<number> {
  for await (const rows of rowsOf(store, rangeOfSpace(QUARANTINE))) {
    for (const [key, record] of rows) if (openRecord(key, record)) yield seqIn(QUARANTINE, key);
  }
  for await (const rows of rowsOf(store, rangeOfSpace(RECEIPTS))) {
    for (const [key, record] of rows) {
      const body = soundBody(key, record);
      if (body) for (const { n } of JSON.parse(body.toString()) as { n: number }[]) yield n;
    }
  }
}

/** Without them nobody knows what a key of the scope holds after its pending writes. */
async function addUnreadableNotes(store: StoreCopy, verdict: LaneVerdict): Promise<void> {
  for await (const rows of rowsOf(store, rangeOfSpace(LAST_OF_KEY))) {
    for (const [key, record] of rows) {
      if (soundBody(key, record)) continue;
      verdict.addBroken(
        laneAt(namesIn(LAST_OF_KEY, key).scope, undefined),
        'a note on one of its keys is damaged',
      );
    }
  }
}
