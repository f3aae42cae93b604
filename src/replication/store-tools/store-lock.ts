import { link, mkdtemp, open, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Level } from 'level';
import { GatewayError } from '../../errors.js';
import { reasonOf } from '../../storage/database.js';

/** Folders of ours beside the store; whoever has the store's lock may clear away what an earlier one left. */
export const SCRATCH = '.store-tools-';

/**
 * Keeps gateways, and others of these tools, away from a store without opening it: opening would already change it.
 * LevelDB locks a file, whatever its path, so an empty store whose `LOCK` is a second name of the other's locks that one.
 */
export class StoreLock {
  private constructor(
    readonly folder: string,
    private readonly stand: Level,
  ) {}

  /** @param scratch where folders may be made. @throws GatewayError `GATEWAY_STORAGE` while somebody has the store open. */
  static async take(storeFolder: string, scratch: string): Promise<StoreLock> {
    const lock = join(storeFolder, 'LOCK');
    await (await open(lock, 'a')).close();
    const folder = await mkdtemp(join(scratch, SCRATCH));
    try {
      await link(lock, join(folder, 'LOCK')).catch(() => symlink(lock, join(folder, 'LOCK')));
      const stand = new Level(folder); // it opens by itself, so not before the lock is there
      await stand.open();
      return new StoreLock(folder, stand);
    } catch (cause) {
      await rm(folder, { recursive: true, force: true });
      if (!isLocked(cause)) throw cause;
      const message = `A gateway, or another of these commands, has the store in ${storeFolder} open: stop the gateway first (${reasonOf(cause)})`;
      throw new GatewayError('GATEWAY_STORAGE', message, { cause });
    }
  }

  async release(): Promise<void> {
    await this.stand.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}

function isLocked(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && 'code' in cause && cause.code === 'LEVEL_LOCKED';
}
