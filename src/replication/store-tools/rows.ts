import type { StoreCopy } from './store-copy.js';

/** What one trip to the disk brings at most; LevelDB's default of 16 KiB costs twice to seven times as much. */
const ROWS_PER_TRIP = 1024;
const BYTES_PER_TRIP = 4 * 2 ** 20;

export type Row = [key: string, record: Buffer];

/**
 * Everything in the store, or in a range of it, a portion at a time and the next one on its way. Without a range nothing
 * is skipped where keys lie out of order, as they do behind damage. @throws whatever LevelDB meets.
 */
export async function* rowsOf(
  { level }: StoreCopy,
  range: { gte?: string; lt?: string } = {},
): AsyncGenerator<Row[]> {
  const iterator = level.iterator({ ...range, highWaterMarkBytes: BYTES_PER_TRIP });
  try {
    let coming = iterator.nextv(ROWS_PER_TRIP);
    for (;;) {
      const rows = await coming;
      if (rows.length === 0) return;
      coming = iterator.nextv(ROWS_PER_TRIP);
      coming.catch(() => undefined); // told when it is awaited
      yield rows;
    }
  } finally {
    await iterator.close();
  }
}
