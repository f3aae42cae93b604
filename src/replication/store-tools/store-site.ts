import { access, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { GatewayError, messageOf } from '../../errors.js';
import { missingStore, storeIn } from './inspect.js';
import { SCRATCH, StoreLock } from './store-lock.js';

/**
 * A data folder whose store is being worked on, and nobody else's meanwhile.
 *
 * A repair fills `store.mending`, calls it `store.mended` when it is complete and on the disk, puts the old store aside and
 * then the new one in its place. So after a crash at any moment there is the old store, or the new one, or none and a
 * complete one beside it, which `take` puts in its place.
 */
export class StoreSite {
  private constructor(
    readonly dataDir: string,
    private lock: StoreLock,
  ) {}

  /** @throws GatewayError `GATEWAY_STORAGE`: in use, no store, not accessible. */
  static async take(dataDir: string): Promise<StoreSite> {
    try {
      if (!(await exists(storeIn(dataDir))) && (await exists(mended(dataDir)))) await putInPlace(dataDir);
      const missing = await missingStore(storeIn(dataDir));
      if (missing) throw new GatewayError('GATEWAY_STORAGE', missing);
      const lock = await StoreLock.take(storeIn(dataDir), dataDir);
      await clearLeftovers(dataDir, lock.folder);
      return new StoreSite(dataDir, lock);
    } catch (cause) {
      if (cause instanceof GatewayError) throw cause;
      const message = `The data folder ${dataDir} cannot be worked on (${messageOf(cause)}). These commands need to write beside the store: check the rights and the space left`;
      throw new GatewayError('GATEWAY_STORAGE', message, { cause });
    }
  }

  get store(): string {
    return storeIn(this.dataDir);
  }

  /** Where a new store is made. */
  get mending(): string {
    return join(this.dataDir, 'store.mending');
  }

  /** Puts the new store, which is complete and closed, in the place of the old one. Gives where that lies now. */
  async exchange(now: number): Promise<string> {
    await syncAll(this.mending);
    await rename(this.mending, mended(this.dataDir));
    const aside = join(this.dataDir, `store.damaged-${new Date(now).toISOString().replaceAll(/[:.]/g, '-')}`);
    await rename(this.store, aside);
    await putInPlace(this.dataDir);
    return aside;
  }

  release(): Promise<void> {
    return this.lock.release();
  }
}

const mended = (dataDir: string): string => join(dataDir, 'store.mended');

async function putInPlace(dataDir: string): Promise<void> {
  await rename(mended(dataDir), storeIn(dataDir));
  await sync(dataDir);
}

/** What an earlier run left that did not come to its end. */
async function clearLeftovers(dataDir: string, own: string): Promise<void> {
  for (const name of await readdir(dataDir)) {
    const path = join(dataDir, name);
    const isOurs = name.startsWith(SCRATCH) || name === 'store.mending' || name === 'store.mended';
    if (isOurs && path !== own) await rm(path, { recursive: true, force: true });
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function syncAll(folder: string): Promise<void> {
  for (const file of await readdir(folder)) await sync(join(folder, file));
  await sync(folder);
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r');
  await handle.sync().finally(() => handle.close());
}
