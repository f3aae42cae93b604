import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isTable } from './file-damages.js';
import { StoreLock } from './store-lock.js';
import { checkTable } from './table-file.js';

/** What is wrong with the tables of a store, in a sentence. @throws GatewayError `GATEWAY_STORAGE` while somebody has it open. */
export async function damagedTable(storeFolder: string, dataDir: string): Promise<string | undefined> {
  const lock = await StoreLock.take(storeFolder, dataDir);
  try {
    for (const file of (await readdir(storeFolder)).filter(isTable)) {
      const state = await checkTable(join(storeFolder, file));
      if (!state) return `the file ${file} cannot be read`;
      if (state.damaged > 0)
        return `${state.damaged} of ${state.blocks} blocks of the file ${file} are damaged`;
    }
    return undefined;
  } finally {
    await lock.release();
  }
}
