import { join } from 'node:path';
import { Level } from 'level';
import { GatewayError, messageOf } from '../errors.js';
import type { Logger } from '../logger.js';
import { clearUnborn, fileNumber, prepareFolder } from './folder.js';
import { openRecord, sealRecord } from './record.js';

/** Keys are text, ordered by their UTF-8 bytes; values are records (`record.ts`). */
export type Store = Level<string, Buffer>;

/** Opens what a database keeps its records in; a simulation hands in a store of its own. */
export type OpenStore = (folder: string) => Promise<Store>;

/** What to do about a store that cannot be opened, unless somebody knows better. */
const ADVICE = 'Bring the folder back from a copy, or choose an empty one.';

/** The layout that this program writes, described in the README of this folder. */
const FORMAT = '1';
const FORMAT_KEY = 'meta/format';

/**
 * What is gathered in memory before it becomes a table, four times LevelDB's own figure: a logged write is mostly gone
 * again after minutes, and what dies early is sorted and copied less often. It is also what a start may have to read.
 */
const WRITE_BUFFER_BYTES = 16 * 1024 * 1024;

/** For reading by a key in bytes; see `Database.read`. */
const BY_BYTES = { keyEncoding: 'buffer', valueEncoding: 'buffer' } as const;

/**
 * One LevelDB store in a folder of its own, for one process at a time.
 *
 * It fails for good: after one failed write nothing more is written until it is opened again, because what LevelDB
 * appends behind a torn record is lost at the next start. Reading goes on.
 */
export class Database {
  private store: Store | undefined;
  private refusal: GatewayError | undefined;
  /** The file that is locked while the store is open. */
  private lock: string | undefined;
  private turn: Promise<unknown> = Promise.resolve();

  constructor(
    readonly folder: string,
    private readonly logger: Logger,
    private readonly openStore: OpenStore = openInFolder,
  ) {}

  /**
   * Opens the store, or makes it. Opening an open one does nothing.
   * @throws GatewayError `GATEWAY_STORAGE`: in use by another process, another kind of folder, damaged, or of a newer version.
   */
  open(): Promise<void> {
    return this.inTurn(async () => {
      if (this.store !== undefined) return;
      this.store = await this.openStore(this.folder);
      this.lock = await this.lockThere();
      this.refusal = undefined;
    });
  }

  /** Closes the store once what is being read and written is done. Closing a closed one does nothing. */
  close(): Promise<void> {
    return this.inTurn(async () => {
      const store = this.store;
      this.store = undefined;
      await store?.close();
    });
  }

  /** The open store. @throws GatewayError `GATEWAY_STORAGE` while closed. */
  get level(): Store {
    if (this.store !== undefined) return this.store;
    throw new GatewayError('GATEWAY_STORAGE', `The storage in ${this.folder} is not open.`);
  }

  /**
   * The record under a key, or undefined; it blocks for microseconds, much less than a trip through the thread pool.
   * @throws GatewayError `GATEWAY_STORAGE` where the file is damaged that it lies in.
   */
  read(key: string): Buffer | undefined {
    const { level } = this;
    try {
      return readNow(level, key);
    } catch (cause) {
      throw unreadable(this.folder, cause);
    }
  }

  /** Why nothing is written any more, if so. */
  get writeFailure(): GatewayError | undefined {
    return this.refusal;
  }

  /** Ends all writing until the next `open`; the first cause is kept. Returns the error that writers get. */
  refuseWrites(cause: unknown): GatewayError {
    if (this.refusal === undefined) {
      this.refusal = new GatewayError(
        'GATEWAY_STORAGE',
        `Writing to the storage folder ${this.folder} failed (${reasonOf(cause)}). ` +
          'It takes no more writes until the gateway is restarted; reads go on.',
        { cause },
      );
      this.logger.error({ folder: this.folder, cause: reasonOf(cause) }, this.refusal.message);
    }
    return this.refusal;
  }

  /** Notices that the folder was deleted or replaced while it is in use: what is written since is in no folder any more. */
  async lookAtFolder(): Promise<void> {
    const { lock } = this;
    if (lock === undefined || this.refusal !== undefined || lock === (await this.lockThere())) return;
    if (this.store === undefined) return; // it was closed meanwhile
    this.refuseWrites(
      new Error('the folder was deleted or replaced while it was in use; what was written since is lost'),
    );
  }

  private lockThere(): Promise<string | undefined> {
    return fileNumber(join(this.folder, 'LOCK')).catch(() => undefined);
  }

  private inTurn(action: () => Promise<void>): Promise<void> {
    const result = this.turn.then(action);
    this.turn = result.catch(() => undefined); // told to this caller, not to the next
    return result;
  }
}

/** LevelDB's own reason, which `level` puts one cause down. */
export function reasonOf(error: unknown): string {
  return error instanceof Error && error.cause instanceof Error ? messageOf(error.cause) : messageOf(error);
}

/** @param advice what to do about a store that cannot be opened */
export async function openInFolder(folder: string, advice = ADVICE): Promise<Store> {
  await prepareFolder(folder, advice);
  const store: Store = new Level(folder, {
    keyEncoding: 'utf8',
    valueEncoding: 'buffer',
    writeBufferSize: WRITE_BUFFER_BYTES,
  });
  try {
    await store.open().catch(async (error: unknown) => {
      if (codeOf(error) === 'LEVEL_LOCKED' || !(await clearUnborn(folder))) throw error;
      await store.open();
    });
    await checkFormat(store, folder, advice);
    return store;
  } catch (error) {
    await store.close();
    throw error instanceof GatewayError ? error : openingFailed(folder, error, advice);
  }
}

/** LevelDB's own error, told by us. */
export function unreadable(folder: string, cause: unknown): GatewayError {
  const message = `A part of the storage in ${folder} cannot be read (${reasonOf(cause)}).`;
  return new GatewayError('GATEWAY_STORAGE', message, { cause });
}

/** Whether it is an error of LevelDB's that tells of damage. */
export function isCorruption(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'LEVEL_CORRUPTION';
}

async function checkFormat(store: Store, folder: string, advice: string): Promise<void> {
  const record = readNow(store, FORMAT_KEY);
  if (record !== undefined)
    return refuseOtherFormats(openRecord(FORMAT_KEY, record)?.toString(), folder, advice);
  const [anyKey] = await store.keys({ limit: 1 }).all();
  if (anyKey !== undefined) return refuseOtherFormats(undefined, folder, advice);
  await store.put(FORMAT_KEY, sealRecord(FORMAT_KEY, Buffer.from(FORMAT)), { sync: true });
}

function refuseOtherFormats(format: string | undefined, folder: string, advice: string): void {
  if (format === FORMAT) return;
  throw new GatewayError(
    'GATEWAY_STORAGE',
    format === undefined
      ? `The storage folder ${folder} holds another program's data, or is damaged: its format cannot be read. ${advice}`
      : `The storage in ${folder} has format ${format}; this gateway knows format ${FORMAT}. ` +
          'Start the version of the gateway that wrote it, or a newer one.',
  );
}

/**
 * `getSync` of classic-level 3.0.0 silently cuts a text key with characters beyond ASCII to the size of a buffer it
 * reuses, and so finds nothing, or another key's value. Such keys are handed over as bytes; the others are faster as text.
 */
function readNow(store: Store, key: string): Buffer | undefined {
  if (Buffer.byteLength(key) === key.length) return store.getSync(key);
  return store.getSync<Buffer, Buffer>(Buffer.from(key), BY_BYTES);
}

function openingFailed(folder: string, error: unknown, advice: string): GatewayError {
  const reason = reasonOf(error);
  const isFull = reason.endsWith('No space left on device');
  const whatToDo = isFull ? 'It is not damaged: make room on the disk and start again.' : advice;
  const message =
    codeOf(error) === 'LEVEL_LOCKED'
      ? `The storage folder ${folder} is in use by another process. Stop that one, or give this gateway a folder of its own.`
      : `The storage in ${folder} cannot be opened (${reason}). ${whatToDo}`;
  return new GatewayError('GATEWAY_STORAGE', message, { cause: error });
}

function codeOf(error: unknown): string | undefined {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && 'code' in cause ? String(cause.code) : undefined;
}
