import type { Database } from '../../storage/database.js';
import type { WriteOp } from '../../storage/group-commit.js';
import { openRecord, putRecord } from '../../storage/record.js';
import { ALL_VALUES, decodeEntry, encodePlace, NEXT_PLACE_KEY } from './kv-layout.js';

/** Places set aside on disk at a time: a start skips at most as many, and a write in so many carries one more record. */
const BLOCK = 2 ** 20;

/** Numbers that only rise, over restarts too: they give the keys of a scope their order. */
export class Places {
  private constructor(
    private next: number,
    private reserved: number,
  ) {}

  /** Continues behind every place ever given out. */
  static async load(database: Database): Promise<Places> {
    const record = database.read(NEXT_PLACE_KEY);
    const body = record === undefined ? undefined : openRecord(NEXT_PLACE_KEY, record);
    const next = body === undefined ? await placeBehindAll(database) : decodeEntry(body).place;
    return new Places(next, next);
  }

  /** The next place; what has to be written together with its first use is added to `operations`. */
  take(operations: WriteOp[]): number {
    if (this.next === this.reserved) operations.push(this.reserve());
    const place = this.next;
    this.next += 1;
    return place;
  }

  private reserve(): WriteOp {
    this.reserved += BLOCK;
    return putRecord(NEXT_PLACE_KEY, encodePlace(this.reserved));
  }
}

/** Where the note is missing or damaged the values themselves tell; an empty store, and nearly nobody else, comes here. */
async function placeBehindAll(database: Database): Promise<number> {
  let next = 0;
  for await (const [key, record] of database.level.iterator(ALL_VALUES)) {
    const body = openRecord(key, record);
    if (body !== undefined) next = Math.max(next, decodeEntry(body).place + 1);
  }
  return next;
}
