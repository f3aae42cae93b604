import { execFileSync } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Database } from '../../../src/storage/database.js';
import { GroupCommit, type WriteOp } from '../../../src/storage/group-commit.js';
import { ManualSchedule } from '../../support/manual-schedule.js';
import { type SilentLogger, silentLogger } from '../../support/silent-logger.js';
import { type TempDir, tempDir } from '../../support/temp-dir.js';

let temp: TempDir;
let logger: SilentLogger;
let database: Database;

beforeEach(async () => {
  temp = await tempDir();
  logger = silentLogger();
  database = new Database(join(temp.path, 'db'), logger);
  await database.open();
});

afterEach(async () => {
  await database.close();
  await temp.remove();
});

const put = (key: string, value = key): WriteOp[] => [{ type: 'put', key, value: Buffer.from(value) }];
const storageError = { code: 'GATEWAY_STORAGE' };

/** How many operations each batch had that reached the database. */
function batchSizes(): number[] {
  const sizes: number[] = [];
  database.level.on('write', (operations: unknown[]) => void sizes.push(operations.length));
  return sizes;
}

describe('groups', () => {
  it('writes in one batch what arrives together, and in the next what arrives meanwhile', async () => {
    const commits = new GroupCommit(database, { sync: 'every-write' });
    const sizes = batchSizes();
    const first = Array.from({ length: 50 }, (_, n) => commits.commit(put(`k${n}`)));
    await Promise.resolve(); // the first group is on its way now
    const second = Array.from({ length: 30 }, (_, n) => commits.commit(put(`l${n}`)));
    await Promise.all([...first, ...second]);
    expect(sizes).toEqual([50, 30]);
    expect(database.read('k49')?.toString()).toBe('k49');
    expect(database.read('l29')?.toString()).toBe('l29');
  });

  it('lets writers that one group woke share the next', async () => {
    const commits = new GroupCommit(database, { sync: 'every-write' });
    const sizes = batchSizes();
    const writer = async (n: number) => {
      for (let round = 0; round < 5; round += 1) await commits.commit(put(`k${n}`, `${round}`));
    };
    await Promise.all(Array.from({ length: 64 }, (_, n) => writer(n)));
    expect(sizes).toEqual([64, 64, 64, 64, 64]);
  });

  it('keeps the order of writes and deletions of one key', async () => {
    const commits = new GroupCommit(database, { sync: 'every-write' });
    await Promise.all([
      commits.commit(put('a', '1')),
      commits.commit([{ type: 'del', key: 'a' }, ...put('b', '1')]),
      commits.commit(put('b', '2')),
      commits.commit(put('c')),
      commits.commit([{ type: 'del', key: 'c' }]),
    ]);
    expect([database.read('a'), database.read('b')?.toString(), database.read('c')]).toEqual([
      undefined,
      '2',
      undefined,
    ]);
  });
});

describe('syncing on a cadence', () => {
  it('asks for one sync after a write, and for none while nothing is written', async () => {
    const timers = new ManualSchedule();
    const commits = new GroupCommit(database, { sync: 250, schedule: timers.schedule });
    expect(timers.pending).toEqual([]);
    await Promise.all([commits.commit(put('a')), commits.commit(put('b'))]);
    await commits.commit(put('c'));
    expect(timers.pending).toEqual([250]);
    timers.fire();
    await commits.flush();
    expect(timers.pending).toEqual([]);
    await commits.commit(put('d'));
    expect(timers.pending).toEqual([250]);
    await commits.flush();
    expect(timers.pending).toEqual([]);
  });

  it('refuses writes after a sync that failed', async () => {
    const timers = new ManualSchedule();
    const commits = new GroupCommit(database, { sync: 250, schedule: timers.schedule });
    await commits.commit(put('a'));
    await rm(database.folder, { recursive: true });
    timers.fire();
    await expect(commits.flush()).rejects.toMatchObject(storageError);
    await expect(commits.commit(put('b'))).rejects.toMatchObject(storageError);
    expect(logger.lines.map(({ level }) => level)).toEqual(['error']);
  });

  it('needs no timers when every write is synced', async () => {
    const timers = new ManualSchedule();
    const commits = new GroupCommit(database, { sync: 'every-write', schedule: timers.schedule });
    await commits.commit(put('a'));
    expect(timers.pending).toEqual([]);
  });
});

describe('closing', () => {
  it('writes and syncs what is on its way, and takes nothing more', async () => {
    const timers = new ManualSchedule();
    const commits = new GroupCommit(database, { sync: 250, schedule: timers.schedule });
    const written = commits.commit(put('a'));
    await commits.close();
    await written;
    expect(timers.pending).toEqual([]);
    expect(database.read('a')?.toString()).toBe('a');
    await expect(commits.commit(put('b'))).rejects.toMatchObject(storageError);
    expect(database.writeFailure).toBeUndefined();
    await commits.close();
  });
});

describe('a write that fails', () => {
  it('refuses the whole group, what waits behind it, and all later writes of every user of the database', async () => {
    const commits = new GroupCommit(database, { sync: 'every-write' });
    const others = new GroupCommit(database, { sync: 1000 });
    await commits.commit(put('kept'));
    await database.level.close(); // under it, as a failing disk would end it
    const failing = [commits.commit(put('a')), commits.commit(put('b'))];
    const behind = Promise.resolve().then(() => commits.commit(put('c')));
    const outcomes = await Promise.allSettled([...failing, behind]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    await expect(commits.commit(put('d'))).rejects.toMatchObject({
      code: 'GATEWAY_STORAGE',
      message: expect.stringMatching(
        /Writing to the storage folder .+ failed .+until the gateway is restarted/,
      ),
    });
    await expect(others.commit(put('e'))).rejects.toMatchObject(storageError);
    await expect(commits.close()).rejects.toMatchObject(storageError);
    expect(logger.lines).toHaveLength(1);

    await database.close();
    await database.open();
    expect(database.read('kept')?.toString()).toBe('kept');
    await new GroupCommit(database, { sync: 'every-write' }).commit(put('a'));
  });
});

/** Undefined where this user may not mount. */
async function tinyDisk(): Promise<TempDir | undefined> {
  const { path, remove } = await tempDir();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', path], { stdio: 'ignore' });
  } catch {
    await remove();
    return undefined;
  }
  const unmount = async () => {
    execFileSync('umount', [path]);
    await remove();
  };
  return { path, remove: unmount };
}

describe('a full disk', () => {
  it.for(['every-write', 60_000] as const)(
    'ends writing for good, not reading (sync: %s)',
    async (sync, { skip }) => {
      const disk = await tinyDisk();
      if (disk === undefined) return skip('needs the right to mount');
      const full = new Database(join(disk.path, 'db'), logger);
      try {
        await full.open();
        const commits = new GroupCommit(full, { sync });
        const acknowledged = await fill(commits);
        expect(acknowledged.length).toBeGreaterThan(5);
        expect(full.writeFailure?.message).toMatch(/No space left on device/);
        expect(full.read(acknowledged[0] ?? '')?.length).toBe(50_000);
        await expect(commits.commit(put('small', '1'))).rejects.toMatchObject(storageError);
        await full.close();
        execFileSync('mount', ['-o', 'remount,size=4m', disk.path]); // somebody makes room, the gateway is restarted
        await full.open();
        for (const key of acknowledged) expect(full.read(key)?.length, key).toBe(50_000);
        await new GroupCommit(full, { sync }).commit(put('small', '1'));
      } finally {
        await full.close();
        await disk.remove();
      }
    },
  );

  /** Writes until it fails; the keys that were acknowledged. */
  async function fill(commits: GroupCommit): Promise<string[]> {
    const acknowledged: string[] = [];
    for (let n = 0; n < 100; n += 1) {
      try {
        await commits.commit(put(`k${n}`, 'x'.repeat(50_000)));
      } catch (error) {
        expect(error).toMatchObject(storageError);
        return acknowledged;
      }
      acknowledged.push(`k${n}`);
    }
    return expect.fail('the disk never filled');
  }
});
