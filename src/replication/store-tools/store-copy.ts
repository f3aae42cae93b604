import { copyFile, link, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Level } from 'level';
import type { Store } from '../../storage/database.js';
import { isLog } from '../../storage/folder.js';
import { isManifest, isTable, type StoreFiles } from './file-damages.js';
import { partsOf, writeLog } from './leveldb-log.js';
import { SCRATCH } from './store-lock.js';
import { batchesIn } from './table-file.js';

/** How LevelDB gets at the data: as it finds them, or after it has pieced its list of tables together anew. */
export type Access = 'as-they-lie' | 'pieced-together';

/** What `level` gives no types, since browsers do not have it. */
const ClassicLevel = Level as unknown as { repair(folder: string): Promise<void> };
const compact = (level: Store): Promise<void> =>
  (level as unknown as { compactRange(from: string, to: string): Promise<void> }).compactRange('', '\uffff');

/** For reading by a key in bytes: text keys beyond ASCII are cut by `getSync` (see `Database.read`). */
const BY_BYTES = { keyEncoding: 'buffer', valueEncoding: 'buffer' } as const;

/**
 * A store opened without touching it: LevelDB drops, deletes and rewrites files as it opens them, damaged ones too. So it
 * is given a folder of its own, in which tables, which it never changes, are second names of the same files; logs and
 * manifests are small and are copied, without their damaged parts. Of damaged tables the intact records become logs.
 */
export class StoreCopy {
  private constructor(
    readonly level: Store,
    readonly folder: string,
    readonly files: StoreFiles,
  ) {}

  /** @throws whatever LevelDB says when it cannot open it. */
  static async open(
    storeFolder: string,
    scratch: string,
    files: StoreFiles,
    access: Access,
  ): Promise<StoreCopy> {
    const folder = await mkdtemp(join(scratch, SCRATCH));
    try {
      await copyFiles(storeFolder, folder, files.unsound);
      if (access === 'pieced-together') await ClassicLevel.repair(folder);
      const level: Store = new Level(folder, {
        keyEncoding: 'utf8',
        valueEncoding: 'buffer',
        createIfMissing: false,
        writeBufferSize: 16 * 2 ** 20,
        maxOpenFiles: 128, // each is mapped into memory
      });
      await level.open();
      // Of several tables with a key, single reads take the newest table, which need not be that of the newest value.
      if (access === 'pieced-together') await compact(level);
      return new StoreCopy(level, folder, files);
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** The record under a key, or undefined. */
  read(key: string): Buffer | undefined {
    return this.level.getSync<Buffer, Buffer>(Buffer.from(key), BY_BYTES);
  }

  async close(): Promise<void> {
    await this.level.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}

async function copyFiles(from: string, to: string, damaged: ReadonlySet<string>): Promise<void> {
  for (const file of await readdir(from)) {
    const [source, target] = [join(from, file), join(to, file)];
    if (isTable(file) && damaged.has(file)) await writeLog(asLog(target), batchesIn(source));
    else if (isTable(file)) await link(source, target).catch(() => copyFile(source, target));
    else if (damaged.has(file)) await writeLog(target, intactIn(source));
    else if (file === 'CURRENT' || isLog(file) || isManifest(file)) await copyFile(source, target);
  }
}

/** No log has the number of a table. */
const asLog = (table: string): string => table.replace(/\.\w+$/, '.log');

async function* intactIn(file: string): AsyncGenerator<Buffer> {
  for await (const part of partsOf(file)) if (part.kind === 'record') yield part.data;
}
