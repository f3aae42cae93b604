import { mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { GatewayError, messageOf } from '../errors.js';

/**
 * Makes the folder of a store if it is not there, and refuses one that holds something else.
 * @param advice what to do about one that is damaged
 * @throws GatewayError `GATEWAY_STORAGE` with a sentence that names the folder and says what to do.
 */
export async function prepareFolder(folder: string, advice: string): Promise<void> {
  try {
    await makeDurably(folder);
    refuseEngineFiles(folder, await readdir(folder));
    await refuseHeadlessStore(folder, advice);
  } catch (cause) {
    if (cause instanceof GatewayError) throw cause;
    const message = `The storage folder ${folder} cannot be used (${messageOf(cause)}). Check its rights, or choose another.`;
    throw new GatewayError('GATEWAY_STORAGE', message, { cause });
  }
}

/**
 * Clears away a store that a power cut ended during its very first opening: LevelDB then points `CURRENT` at a
 * first manifest that it has not synced, and refuses to open. Says whether this was such a store; any other is left alone.
 */
export async function clearUnborn(folder: string): Promise<boolean> {
  const current = await readFile(join(folder, 'CURRENT'), 'utf8').catch(() => '');
  // Every opening that succeeds begins a manifest with a higher number.
  if (current !== 'MANIFEST-000001\n' || (await holdsData(folder))) return false;
  await rm(join(folder, 'CURRENT'));
  return true;
}

/** What LevelDB calls its files. */
export const isLog = (file: string): boolean => /^\d+\.log$/.test(file);
const isTable = (file: string): boolean => /^\d+\.(ldb|sst)$/.test(file);

function refuseEngineFiles(folder: string, files: readonly string[]): void {
  const foreign = files.find((file) => /\.bin(\.tmp)?$/.test(file));
  if (foreign === undefined) return;
  throw new GatewayError(
    'GATEWAY_STORAGE',
    `The storage folder ${folder} holds the iii engine's own state files (${foreign}). The gateway neither reads nor ` +
      "touches them: give it another folder. The gateway's README tells how to move the data over.",
  );
}

/** LevelDB begins an empty store where `CURRENT` is missing, whatever data lies beside it. */
async function refuseHeadlessStore(folder: string, advice: string): Promise<void> {
  if ((await readdir(folder)).includes('CURRENT') || !(await holdsData(folder))) return;
  throw new GatewayError(
    'GATEWAY_STORAGE',
    `The storage folder ${folder} holds data, but its file CURRENT is missing. ${advice}`,
  );
}

/** Whether a store, or what is left of one, lies in a folder. */
export async function holdsStore(folder: string): Promise<boolean> {
  const files = await readdir(folder).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return files.includes('CURRENT') || (files.length > 0 && (await holdsData(folder)));
}

export async function bytesOfTables(folder: string): Promise<number> {
  const tables = (await readdir(folder)).filter(isTable);
  const sizes = await Promise.all(tables.map(async (table) => (await stat(join(folder, table))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Tells a file from any other one as long as somebody has it open. */
export async function fileNumber(path: string): Promise<string> {
  const { dev, ino } = await stat(path, { bigint: true });
  return `${dev}:${ino}`;
}

async function holdsData(folder: string): Promise<boolean> {
  const files = await readdir(folder);
  if (files.some(isTable)) return true;
  const logs = await Promise.all(files.filter(isLog).map((log) => stat(join(folder, log))));
  return logs.some(({ size }) => size > 0);
}

/** A folder is on disk once the folder above it is; `mkdir` alone leaves that to chance. */
async function makeDurably(folder: string): Promise<void> {
  const topmost = await mkdir(folder, { recursive: true });
  if (topmost === undefined) return;
  for (let made = resolve(folder); ; made = dirname(made)) {
    await syncFolder(dirname(made));
    if (made === resolve(topmost)) return;
  }
}

export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return; // folders cannot be opened there
  const handle = await open(folder, 'r');
  await handle.sync().finally(() => handle.close());
}
