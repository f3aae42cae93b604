import type { Database } from '../../storage/database.js';
import { openRecord } from '../../storage/record.js';
import { ALL_RECORDS, BOOKMARK_KEY, learntAt } from './layout.js';

/** Records looked at before half of them may go. */
const CHUNK_ROWS = 1000;
/** Rows and bytes fetched in one trip: what the event loop is kept from other work for. */
const TRIP_ROWS = 200;
const TRIP_BYTES = 2 ** 20;

export interface ChunkRow {
  id: string;
  /** When it was learnt; a damaged record is older than all others. */
  at: number;
  bytes: number;
}

export interface Chunk {
  rows: ChunkRow[];
  /** Where the next chunk begins; undefined: this was the last. */
  next: string | undefined;
}

/** Reads about a thousand of the mirror's records, without keeping their values. */
export async function readChunk(database: Database, from: string = ALL_RECORDS.gte): Promise<Chunk> {
  const rows: ChunkRow[] = [];
  const iterator = database.level.iterator({ gte: from, lt: ALL_RECORDS.lt, highWaterMarkBytes: TRIP_BYTES });
  try {
    while (rows.length < CHUNK_ROWS) {
      const records = await iterator.nextv(TRIP_ROWS);
      if (records.length === 0) return { rows, next: undefined };
      for (const [id, record] of records) if (id !== BOOKMARK_KEY) rows.push(rowOf(id, record));
    }
    return { rows, next: `${rows.at(-1)?.id}\u0000` };
  } finally {
    await iterator.close();
  }
}

/** What a record takes, as the limit counts it. */
export function bytesOf(id: string, record: Buffer): number {
  return Buffer.byteLength(id) + record.length;
}

function rowOf(id: string, record: Buffer): ChunkRow {
  const body = openRecord(id, record);
  return { id, at: body ? learntAt(body) : 0, bytes: bytesOf(id, record) };
}
