import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isLog } from '../../storage/folder.js';
import { isTable } from './file-damages.js';
import { partsOf } from './leveldb-log.js';
import { StoreLock } from './store-lock.js';
import { checkTable } from './table-file.js';

/**
 * What is wrong with the files of a store, in a sentence; undefined: nothing. LevelDB, opening a store, drops what stands
 * beside a damage in its log, and the log with it: so this comes before.
 * @param withTables its tables, too, which may be large
 * @throws GatewayError `GATEWAY_STORAGE` while somebody has it open.
 */
export async function damagedFile(
  storeFolder: string,
  dataDir: string,
  withTables: boolean,
): Promise<string | undefined> {
  const lock = await StoreLock.take(storeFolder, dataDir);
  try {
    for (const file of await readdir(storeFolder)) {
      const wrong = isLog(file)
        ? await damageOfLog(storeFolder, file)
        : withTables && isTable(file)
          ? await damageOfTable(storeFolder, file)
          : undefined;
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  } finally {
    await lock.release();
  }
}

/** A log may end within a record: it was being written when the process died. */
async function damageOfLog(folder: string, file: string): Promise<string | undefined> {
  for await (const part of partsOf(join(folder, file))) {
    if (part.kind === 'damage') return `the file ${file} is damaged at byte ${part.at}`;
  }
  return undefined;
}

async function damageOfTable(folder: string, file: string): Promise<string | undefined> {
  const state = await checkTable(join(folder, file));
  if (!state) return `the file ${file} cannot be read`;
  if (state.damaged === 0) return undefined;
  return `${state.damaged} of ${state.blocks} blocks of the file ${file} are damaged`;
}
