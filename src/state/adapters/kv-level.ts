import { GatewayError } from '../../errors.js';
import type { Logger } from '../../logger.js';
import type { Repeat, RepeatBounds } from '../../operations/repeats.js';
import { DamageReport } from '../../storage/damage.js';
import { Database, reasonOf } from '../../storage/database.js';
import { GroupCommit, type GroupCommitOptions, type WriteOp } from '../../storage/group-commit.js';
import { NamedRecords } from '../../storage/named-records.js';
import { openRecord, putRecord } from '../../storage/record.js';
import {
  ALL_VALUES,
  decodeEntry,
  type Entry,
  encodeEntry,
  namesIn,
  valueKey,
  valuesOf,
} from './kv-layout.js';
import { Overlay, type Pending } from './kv-overlay.js';
import { Places } from './kv-places.js';
import type { Decide, Decision, FirstCall, KvStore, Row } from './kv-store.js';

/** Rows per trip to the thread pool, and bytes after which it comes back earlier; the default of 16 KiB costs x2 to x7. */
const ROWS_PER_TRIP = 1000;
const BYTES_PER_TRIP = 1024 * 1024;

/**
 * Keeps values in LevelDB. Memory holds what is on its way to the disk and the rows of the answer being made, nothing else.
 *
 * A read and the decision built on it run without a pause, and the write shows from then on (`Overlay`): that makes
 * every change of a key atomic without a lock. What a read shows may therefore still be on its way to the disk.
 */
export class LevelStore implements KvStore {
  private readonly database: Database;
  private readonly damage: DamageReport;
  private readonly overlay = new Overlay();
  private whileOpen: Opened | undefined;

  constructor(
    folder: string,
    private readonly options: GroupCommitOptions,
    /** Of the calls with a name that are remembered. */
    private readonly bounds: RepeatBounds,
    logger: Logger,
  ) {
    this.database = new Database(folder, logger);
    this.damage = new DamageReport(logger);
  }

  get damagedRecords(): number {
    return this.damage.count;
  }

  async open(): Promise<void> {
    await this.database.open();
    if (this.whileOpen !== undefined) return;
    try {
      const places = await Places.load(this.database);
      const calls = new NamedRecords<FirstCall>(this.database, this.damage, this.bounds);
      await calls.load();
      this.whileOpen ??= { commits: new GroupCommit(this.database, this.options), places, calls };
    } catch (error) {
      await this.database.close();
      throw readingFailed('the places of the keys and the names of calls', error);
    }
  }

  async close(): Promise<void> {
    const opened = this.whileOpen;
    this.whileOpen = undefined;
    try {
      await opened?.commits.close();
    } finally {
      await this.database.close();
    }
  }

  read(scope: string, key: string): string | undefined {
    return this.entry(scope, key)?.text;
  }

  async change<T>(scope: string, key: string, decide: Decide<T>, repeat?: Repeat): Promise<T> {
    const before = this.entry(scope, key);
    const { write, answer } = decide(before?.text);
    // Doing nothing also says something about the value: if that is still on its way, so is the answer.
    if (write === 'nothing' && !repeat) await this.overlay.get(scope, key)?.stored;
    else await this.write(scope, key, before, write, repeat);
    return answer;
  }

  firstOf(id: string): FirstCall | undefined {
    try {
      return this.opened.calls.find(id);
    } catch (error) {
      throw readingFailed('what is known of a call with an idempotency_key', error);
    }
  }

  async rows(scope: string, admit: (row: Row) => void = () => undefined): Promise<Row[]> {
    const rows: (Row & Entry)[] = [];
    await this.scan(scope, (key, { place, text }) => {
      const row = { key, place, text };
      admit(row);
      rows.push(row);
    });
    return rows.sort(byPlace);
  }

  async keys(scope: string): Promise<string[]> {
    const keys: { key: string; place: number }[] = [];
    await this.scan(scope, (key, { place }) => keys.push({ key, place }));
    return keys.sort(byPlace).map(({ key }) => key);
  }

  /** Jumps from scope to scope: one look into the database for each scope, not for each key. */
  async scopes(): Promise<Iterable<string>> {
    const pending = this.overlay.snapshot();
    const scopes = new Set([...pending].filter(([, writes]) => hasValues(writes)).map(([scope]) => scope));
    const iterator = this.database.level.keys(ALL_VALUES);
    try {
      for (let at = await iterator.next(); at !== undefined; at = await iterator.next()) {
        const { scope, key } = namesIn(at);
        const write = pending.get(scope)?.get(key);
        if (write !== undefined && write.entry === undefined) continue; // about to be deleted
        scopes.add(scope);
        iterator.seek(valuesOf(scope).lt);
      }
    } catch (error) {
      throw readingFailed('the names of the scopes', error);
    } finally {
      await iterator.close();
    }
    return scopes;
  }

  /** @throws GatewayError `GATEWAY_STORAGE` when the value is damaged or cannot be read. */
  private entry(scope: string, key: string): Entry | undefined {
    const pending = this.overlay.get(scope, key);
    if (pending !== undefined) return pending.entry;
    const at = valueKey(scope, key);
    const record = this.readRecord(at);
    return record === undefined ? undefined : this.decode(at, record);
  }

  private readRecord(at: string): Buffer | undefined {
    try {
      return this.database.read(at);
    } catch (error) {
      throw readingFailed(nameOf(at), error);
    }
  }

  private decode(at: string, record: Buffer): Entry {
    const body = openRecord(at, record);
    if (body === undefined) throw this.damage.found(at, nameOf(at));
    return decodeEntry(body);
  }

  private write(
    scope: string,
    key: string,
    before: Entry | undefined,
    write: Decision<unknown>['write'],
    repeat: Repeat | undefined,
  ): Promise<void> {
    const { commits, places, calls } = this.opened;
    const operations: WriteOp[] = [];
    if (repeat) {
      const { id, fingerprint } = repeat;
      operations.push(...calls.finish(id, { fingerprint, before: before?.text }));
    }
    if (write === 'nothing') return commits.commit(operations); // in order, so behind what is still on its way
    const at = valueKey(scope, key);
    if (write === 'delete') {
      operations.push({ type: 'del', key: at });
      return this.overlay.hold(scope, key, undefined, commits.commit(operations));
    }
    // An overwritten key keeps its place.
    const entry = { place: before?.place ?? places.take(operations), text: write.text };
    operations.push(putRecord(at, encodeEntry(entry)));
    return this.overlay.hold(scope, key, entry, commits.commit(operations));
  }

  private get opened(): Opened {
    if (this.whileOpen !== undefined) return this.whileOpen;
    throw closed(this.database.folder);
  }

  /** Shows `visit` every value of the scope as it is at this moment, in the database's order, then what is on its way. */
  private async scan(scope: string, visit: (key: string, entry: Entry) => void): Promise<void> {
    // Both in one go: an iterator sees the database as it is when the iterator is made.
    const pending = this.overlay.snapshotOf(scope);
    const iterator = this.database.level.iterator({
      ...valuesOf(scope),
      highWaterMarkBytes: BYTES_PER_TRIP,
    });
    try {
      for (let more = true; more; ) {
        const records = await iterator.nextv(ROWS_PER_TRIP).catch((error: unknown) => {
          throw readingFailed(`scope ${JSON.stringify(scope)}`, error);
        });
        more = records.length > 0; // fewer than asked for is not the end
        for (const [at, record] of records) {
          const { key } = namesIn(at);
          if (!pending.has(key)) visit(key, this.decode(at, record));
        }
      }
    } finally {
      await iterator.close();
    }
    for (const [key, { entry }] of pending) if (entry !== undefined) visit(key, entry);
  }
}

/** What exists while the store is open. */
interface Opened {
  commits: GroupCommit;
  places: Places;
  calls: NamedRecords<FirstCall>;
}

function hasValues(writes: ReadonlyMap<string, Pending>): boolean {
  return [...writes.values()].some(({ entry }) => entry !== undefined);
}

/** Equal places come only from a store that lost its last seconds; then any order will do that is always the same. */
function byPlace(a: { key: string; place: number }, b: { key: string; place: number }): number {
  return a.place - b.place || (a.key < b.key ? -1 : 1);
}

function nameOf(valueKey: string): string {
  const { scope, key } = namesIn(valueKey);
  return `the value of key ${JSON.stringify(key)} in scope ${JSON.stringify(scope)}`;
}

function readingFailed(what: string, error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  return new GatewayError(
    'GATEWAY_STORAGE',
    `Reading ${what} from the storage failed (${reasonOf(error)}).`,
    { cause: error },
  );
}

function closed(folder: string): GatewayError {
  return new GatewayError('GATEWAY_STORAGE', `The storage in ${folder} is not open.`);
}
