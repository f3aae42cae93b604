import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { GatewayError } from '../errors.js';
import type { Service } from '../lifecycle.js';
import type { Logger } from '../logger.js';
import { Database, isCorruption, openInFolder, reasonOf, unreadable } from './database.js';
import { bytesOfTables, holdsStore } from './folder.js';
import { GroupCommit } from './group-commit.js';
import { type FoundMark, findMark, HighWaterMark, makeMark } from './high-water-mark.js';
import { Identity, readIdentity } from './identity.js';
import type { Slot } from './mark-slots.js';
import { refuseWithoutStore, repairOf, verdictOn } from './mark-verdict.js';

interface Opened {
  writes: GroupCommit;
  identity: Identity;
  mark: HighWaterMark;
  look: NodeJS.Timeout;
}

const LOOK_MS = 1000;

/** What is wrong with the logs, and if wanted the tables, of a store that nobody has open, in a sentence; undefined: nothing. */
export type LookThrough = (storeFolder: string, withTables: boolean) => Promise<string | undefined>;

/** Tables that take no more than this are looked through before each start, in less than a tenth of a second. */
const QUICKLY_LOOKED_THROUGH_BYTES = 32 * 1024 * 1024;

/**
 * The gateway's own store in its data folder, and the mark that tells whether it is complete. While it is open, no other
 * gateway can start on that folder.
 */
export class DataFolder implements Service {
  readonly name = 'data folder';
  /** Where everything is kept; open between start and stop. */
  readonly database: Database;
  private readonly advice: string;
  private opened: Opened | undefined;

  constructor(
    private readonly dataDir: string,
    logger: Logger,
    private readonly lookThrough: LookThrough = async () => undefined,
  ) {
    this.advice = `\`${repairOf(dataDir)}\` makes a new store of what can be read; or start on an empty folder as a new gateway.`;
    this.database = new Database(join(dataDir, 'store'), logger, (folder) =>
      openInFolder(folder, this.advice),
    );
  }

  /** @throws GatewayError `GATEWAY_STORAGE`: in use by another process, not writable, damaged, a copy, not complete. */
  async start(): Promise<void> {
    if (this.opened) return;
    const { database, dataDir } = this;
    try {
      const found = await findMark(dataDir);
      const isStoreThere = await holdsStore(database.folder);
      refuseWithoutStore(dataDir, found, isStoreThere);
      if (isStoreThere) await this.refuseDamagedFiles(found);
      await database.open();
      const writes = new GroupCommit(database, { sync: 'every-write' });
      const { identity, slot } = await this.identify(writes);
      const mark = await HighWaterMark.open(dataDir, slot, {
        failed: (cause) => void database.refuseWrites(cause),
      });
      const look = setInterval(() => void database.lookAtFolder(), LOOK_MS).unref();
      this.opened = { writes, identity, mark, look };
    } catch (error) {
      await database.close();
      if (error instanceof GatewayError) throw error;
      throw unusable(dataDir, error);
    }
  }

  async stop(): Promise<void> {
    const { opened } = this;
    this.opened = undefined;
    clearInterval(opened?.look);
    try {
      await opened?.writes.close();
      await opened?.mark.close(this.database.writeFailure === undefined);
    } finally {
      await this.database.close();
    }
  }

  /** Who this gateway is; known once started. */
  get identity(): Identity {
    return this.whileOpen.identity;
  }

  /** How far the log in the store has come, kept outside of it. */
  get mark(): HighWaterMark {
    return this.whileOpen.mark;
  }

  /** What is told of an error at the start: damage that only reading finds is one of this folder. */
  explain(error: unknown): unknown {
    if (!isCorruption(error)) return error;
    const { message, cause } = unreadable(this.database.folder, error);
    return new GatewayError('GATEWAY_STORAGE', `${message} ${this.advice}`, { cause });
  }

  private get whileOpen(): Opened {
    if (this.opened) return this.opened;
    throw new TypeError('the data folder is not open');
  }

  /**
   * LevelDB drops what stands beside a damage in its log, and does not compare the checksums of its tables, over which it may
   * end the process. Large tables are looked through only after a run that did not end well, so that what ended it does not end
   * the next one too.
   */
  private async refuseDamagedFiles(found: FoundMark): Promise<void> {
    const { folder } = this.database;
    const wasClosed = found.kind === 'mark' && found.slot.mark.isClean;
    const isQuick = (await bytesOfTables(folder)) <= QUICKLY_LOOKED_THROUGH_BYTES;
    const wrong = await this.lookThrough(folder, isQuick || !wasClosed).catch((error: unknown) => {
      if (error instanceof GatewayError) return undefined; // somebody has it open, which opening it says best
      throw error;
    });
    if (wrong !== undefined) {
      throw new GatewayError(
        'GATEWAY_STORAGE',
        `The store in ${folder} is damaged: ${wrong}. ${this.advice}`,
      );
    }
  }

  /** The store is given its identity first, then its mark is made, then it is told of it: so no crash looks like damage. */
  private async identify(writes: GroupCommit): Promise<{ identity: Identity; slot: Slot }> {
    const { database, dataDir } = this;
    const kept = await readIdentity(database, this.advice);
    const found = await findMark(dataDir);
    const verdict = verdictOn(dataDir, found, kept);
    const identity = new Identity(kept ?? { id: randomUUID() }, writes);
    if (!kept) await identity.write();
    const slot =
      found.kind === 'mark'
        ? found.slot
        : await makeMark(dataDir, { incarnation: randomUUID(), groups: 0, next: 1 });
    if (verdict !== 'fits') await identity.nameStore(slot.mark.incarnation);
    return { identity, slot };
  }
}

function unusable(dataDir: string, cause: unknown): GatewayError {
  const reason = reasonOf(cause);
  const advice = /no space left on device/i.test(reason)
    ? 'It is not damaged: make room on the disk and start again.'
    : 'Check its rights, or choose another.';
  const message = `The data folder ${dataDir} cannot be used (${reason}). ${advice}`;
  return new GatewayError('GATEWAY_STORAGE', message, { cause });
}
