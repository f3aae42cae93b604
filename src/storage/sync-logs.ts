import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isLog } from './folder.js';

/**
 * Brings everything written to the LevelDB store in `folder` so far to the disk.
 *
 * A synced write would not do: LevelDB syncs only the log it writes to now, and when it begins a new one it leaves
 * the end of the old one to the operating system. So every log there is gets its `fdatasync`. One that is gone
 * by then has become a table, which LevelDB syncs itself.
 */
export async function syncLogs(folder: string): Promise<void> {
  const logs = (await readdir(folder)).filter(isLog);
  await Promise.all(logs.map((log) => syncFile(join(folder, log))));
}

async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r+').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  await handle?.datasync().finally(() => handle.close());
}
