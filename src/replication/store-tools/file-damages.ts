import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isLog } from '../../storage/folder.js';
import { partsOf } from './leveldb-log.js';
import { type Manifest, readManifest } from './manifest.js';
import { checkTable } from './table-file.js';

/** What is wrong with a file of the store, in a sentence. */
export interface FileDamage {
  file: string;
  sentence: string;
}

export interface StoreFiles {
  damages: FileDamage[];
  /** Files that LevelDB must not be given as they are, those in no use included. */
  unsound: ReadonlySet<string>;
  /** Why LevelDB must not open it as it lies; undefined: it may. */
  obstacle: string | undefined;
  /** Tables that the manifest does not know; it may have lost its end. */
  strays: number;
}

export const isTable = (file: string): boolean => /^\d+\.(ldb|sst)$/.test(file);
export const isManifest = (file: string): boolean => /^MANIFEST-\d+$/.test(file);
const numberOf = (file: string): number => Number.parseInt(file, 10);

/** Looks through the files of a store, and compares them with its manifest. */
export async function lookAtFiles(storeFolder: string): Promise<StoreFiles> {
  const files = await readdir(storeFolder);
  const found: FileDamage[] = [];
  for (const file of files.sort()) {
    const damage = await damageIn(storeFolder, file);
    if (damage) found.push(damage);
  }
  const manifest = await readManifest(storeFolder);
  // A table that is in no use may be one that was never finished.
  const isInUse = ({ file }: FileDamage) =>
    !isTable(file) || !manifest || manifest.tables.has(numberOf(file));
  const damages = found.filter(isInUse);
  const there = new Map(files.filter(isTable).map((file) => [numberOf(file), file]));
  if (manifest) damages.push(...missing(manifest, there, files.filter(isLog).map(numberOf)));
  const strays = manifest ? [...there.keys()].filter((number) => !manifest.tables.has(number)).length : 0;
  const unsound = new Set(found.map(({ file }) => file));
  return { damages, unsound, strays, obstacle: obstacleIn(damages, manifest) };
}

function obstacleIn(damages: readonly FileDamage[], manifest: Manifest | undefined): string | undefined {
  if (!manifest) return 'its list of tables is missing or damaged';
  const files = damages.map(({ file }) => file);
  if (files.some(isManifest)) return 'its list of tables is damaged';
  return files.some(isTable) ? 'tables are damaged or missing' : undefined;
}

function missing(
  manifest: Manifest,
  tables: ReadonlyMap<number, string>,
  logs: readonly number[],
): FileDamage[] {
  const damages: FileDamage[] = [];
  for (const number of manifest.tables.keys()) {
    const file = nameOf(number, 'ldb');
    if (!tables.has(number)) damages.push({ file, sentence: `The file ${file} is missing` });
  }
  if (manifest.log > 0 && !logs.includes(manifest.log)) {
    const file = nameOf(manifest.log, 'log');
    damages.push({ file, sentence: `The file ${file} is missing: the newest writes were in it` });
  }
  return damages;
}

const nameOf = (number: number, ending: string): string => `${String(number).padStart(6, '0')}.${ending}`;

async function damageIn(storeFolder: string, file: string): Promise<FileDamage | undefined> {
  if (isLog(file) || isManifest(file)) return damageInLog(storeFolder, file);
  if (!isTable(file)) return undefined;
  const state = await checkTable(join(storeFolder, file));
  if (!state) return { file, sentence: `The file ${file} is damaged so that nothing in it can be found` };
  if (state.damaged === 0) return undefined;
  return { file, sentence: `The file ${file} is damaged in ${state.damaged} of its ${state.blocks} blocks` };
}

async function damageInLog(storeFolder: string, file: string): Promise<FileDamage | undefined> {
  let intact = 0;
  const places: number[] = [];
  for await (const part of partsOf(join(storeFolder, file))) {
    if (part.kind === 'record') intact += 1;
    // A log's torn end is no damage: every kill and every power cut may leave one. A manifest is written rarely, and synced.
    if (part.kind === 'damage' || (part.kind === 'torn' && isManifest(file))) places.push(part.at);
  }
  if (places.length === 0) return undefined;
  const first = `at byte ${places[0]}`;
  const where = places.length === 1 ? first : `in ${places.length} places, first ${first}`;
  const what = isLog(file) ? 'groups of writes' : 'changes to the list of tables';
  return {
    file,
    sentence: `The file ${file} is damaged ${where}: ${what} are lost there; ${intact} are intact`,
  };
}
