import { GatewayError } from '../errors.js';
import type { StateInputOf } from '../operations/calls.js';
import { Payload } from '../protocol/payload.js';

/** What one scan may take, and all scans together (observe section 7.3). */
const LIFETIME_MS = 120_000;
const MOST_SCANS = 16;
const MOST_ROWS = 100_000;
const MOST_BYTES = 32_000_000;
const MOST_BYTES_TOGETHER = 64_000_000;

export type PageCall = StateInputOf<'state::list_entries'> & { caller: string };

/** One key and its value's JSON text. */
export interface EntryRow {
  key: string;
  text: string;
}

/** Reads a scope as it is at one moment, showing each row to `admit`, which may throw. */
export type ReadRows = (admit: (row: EntryRow) => void) => Promise<EntryRow[]>;

export interface EntryPagesOptions {
  /** Milliseconds. */
  now: () => number;
  /** Unguessable; a cursor is all that it takes to read on. */
  randomId: () => string;
}

/**
 * Answers `state::list_entries`: the first call takes a snapshot of the scope, every page comes from it.
 * A scan ends with its last page, with an error, or 120 s after its first call.
 *
 * `max_bytes` bounds the JSON text of a page's rows, commas included.
 */
export class EntryPages {
  private readonly scans = new Set<Scan>();
  private readonly waiting = new Map<string, Scan>();

  constructor(private readonly options: EntryPagesOptions) {}

  /**
   * One page as the caller gets it.
   * @throws GatewayError `INVALID_CURSOR`, `SNAPSHOT_CAPACITY`, `ROW_TOO_LARGE`, and what `readRows` throws.
   */
  async page(call: PageCall, readRows: ReadRows): Promise<Payload> {
    this.endExpired();
    const scan =
      call.cursor === undefined ? await this.begin(call, readRows) : this.resume(call, call.cursor);
    try {
      return this.nextPage(scan);
    } catch (error) {
      this.end(scan);
      throw error;
    }
  }

  private async begin(call: PageCall, readRows: ReadRows): Promise<Scan> {
    if (this.scans.size >= MOST_SCANS) throw overCapacity(`${MOST_SCANS} snapshots are in use`);
    const began = this.options.now();
    const scan: Scan = { call, rows: [], bytes: 0, offset: 0, expiresAt: Number.POSITIVE_INFINITY };
    this.scans.add(scan); // from here on, so that scans that begin together count too
    try {
      let count = 0;
      const rows = await readRows((row) => {
        count += 1;
        this.admit(scan, count, row);
      });
      scan.rows = rows.map(printRow);
      scan.expiresAt = began + LIFETIME_MS; // not while it is still read: its end would be missed
      return scan;
    } catch (error) {
      this.end(scan);
      throw error;
    }
  }

  private admit(scan: Scan, count: number, row: EntryRow): void {
    scan.bytes += row.key.length + Buffer.byteLength(row.text);
    if (count > MOST_ROWS) throw overCapacity(`the scope has more than ${MOST_ROWS} keys`);
    if (scan.bytes > MOST_BYTES) throw overCapacity(`the scope has more than ${MOST_BYTES} bytes`);
    let together = 0;
    for (const { bytes } of this.scans) together += bytes;
    if (together > MOST_BYTES_TOGETHER) {
      throw overCapacity(`all snapshots together would have more than ${MOST_BYTES_TOGETHER} bytes`);
    }
  }

  private resume(call: PageCall, cursor: string): Scan {
    const scan = this.waiting.get(cursor);
    if (scan === undefined || !isSameScan(scan.call, call)) {
      throw new GatewayError(
        'INVALID_CURSOR',
        'The cursor is unknown, used, expired, or was given for another scope, caller, limit or max_bytes; start again.',
      );
    }
    this.waiting.delete(cursor);
    return scan;
  }

  private nextPage(scan: Scan): Payload {
    const { offset, rows } = scan;
    const page = rowsThatFit(scan);
    scan.offset += page.length;
    const done = scan.offset === rows.length;
    const cursor = done ? null : this.options.randomId();
    if (cursor === null) this.end(scan);
    else this.waiting.set(cursor, scan);
    const rest = { next_cursor: cursor, done, offset, total: rows.length };
    return Payload.fromText(`{"entries":[${page.join(',')}],${JSON.stringify(rest).slice(1)}`);
  }

  private endExpired(): void {
    const now = this.options.now();
    for (const scan of this.scans) if (scan.expiresAt <= now) this.end(scan);
  }

  private end(scan: Scan): void {
    this.scans.delete(scan);
    for (const [cursor, other] of this.waiting) if (other === scan) this.waiting.delete(cursor);
  }
}

interface Scan {
  call: PageCall;
  /** Each row as JSON text. */
  rows: string[];
  bytes: number;
  offset: number;
  expiresAt: number;
}

function rowsThatFit({ call, rows, offset }: Scan): string[] {
  const page: string[] = [];
  let bytes = 0;
  for (const row of rows.slice(offset, offset + call.limit)) {
    bytes += Buffer.byteLength(row) + (page.length > 0 ? 1 : 0);
    if (bytes > call.maxBytes) break;
    page.push(row);
  }
  if (page.length === 0 && offset < rows.length) {
    throw new GatewayError(
      'ROW_TOO_LARGE',
      `Row ${offset} has ${bytes} bytes, more than max_bytes ${call.maxBytes}.`,
    );
  }
  return page;
}

function isSameScan(a: PageCall, b: PageCall): boolean {
  return a.scope === b.scope && a.caller === b.caller && a.limit === b.limit && a.maxBytes === b.maxBytes;
}

function printRow({ key, text }: EntryRow): string {
  return `[${JSON.stringify(key)},${text}]`;
}

function overCapacity(reason: string): GatewayError {
  return new GatewayError('SNAPSHOT_CAPACITY', `No snapshot can be taken now: ${reason}.`);
}
