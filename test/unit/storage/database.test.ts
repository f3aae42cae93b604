import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Level } from 'level';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Database } from '../../../src/storage/database.js';
import { sealRecord } from '../../../src/storage/record.js';
import { silentLogger } from '../../support/silent-logger.js';
import { type TempDir, tempDir } from '../../support/temp-dir.js';

let temp: TempDir;
let folder: string;
let database: Database;

beforeEach(async () => {
  temp = await tempDir();
  folder = join(temp.path, 'a', 'b');
  database = new Database(folder, silentLogger());
});

afterEach(async () => {
  await database.close();
  await temp.remove();
});

const refusal = (sentence: RegExp) => ({
  code: 'GATEWAY_STORAGE',
  message: expect.stringMatching(sentence),
});

async function keep(...keys: string[]): Promise<void> {
  await database.open();
  for (const key of keys) await database.level.put(key, Buffer.from(key), { sync: true });
  await database.close();
}

async function fileNamed(pattern: RegExp): Promise<string> {
  const file = (await readdir(folder)).find((name) => pattern.test(name));
  return join(folder, file ?? expect.fail(`no file like ${pattern}`));
}

describe('opening and closing', () => {
  it('makes the folder, keeps the data, and may be done at any time and more than once', async () => {
    await database.close();
    await Promise.all([database.open(), database.open()]);
    await database.level.put('k', Buffer.from('v'));
    await Promise.all([database.close(), database.open(), database.close()]);
    expect(() => database.level).toThrow(expect.objectContaining(refusal(/is not open/)));
    await database.open();
    expect(database.read('k')?.toString()).toBe('v');
    expect(database.read('other')).toBeUndefined();
  });

  it('refuses a second opener in this process, and says what to do', async () => {
    await database.open();
    const second = new Database(folder, silentLogger());
    await expect(second.open()).rejects.toMatchObject(
      refusal(/b is in use by another process\. Stop that one/),
    );
    expect(database.read('k')).toBeUndefined();
  });

  it('refuses while another process has it, and opens when that one is gone', async () => {
    await keep('k');
    const script = `
      import { Level } from 'level';
      const level = new Level(process.argv[1]);
      await level.open();
      console.log('open');
      setInterval(() => undefined, 1000);
    `;
    const other = spawn(process.execPath, ['--input-type=module', '-e', script, folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(other.stdout, 'data');
    await expect(database.open()).rejects.toMatchObject(refusal(/in use by another process/));
    other.kill('SIGKILL');
    await once(other, 'exit');
    await database.open();
    expect(database.read('k')?.toString()).toBe('k');
  });

  it('says so when the folder cannot be used', async () => {
    await writeFile(join(temp.path, 'a'), 'a file in the way');
    await expect(database.open()).rejects.toMatchObject(
      refusal(/a\/b cannot be used \(.+\)\. Check its rights/),
    );
  });
});

describe('a folder that is no store of ours', () => {
  it.each(['users.bin', '.bin', 'a%20b.bin.tmp'])(
    "refuses the engine's own file %s and touches nothing",
    async (file) => {
      folder = temp.path;
      await writeFile(join(folder, file), 'engine');
      database = new Database(folder, silentLogger());
      await expect(database.open()).rejects.toMatchObject(
        refusal(/iii engine's own state files.+another folder/s),
      );
      expect(await readdir(folder)).toEqual([file]);
    },
  );

  it("refuses another program's store", async () => {
    const foreign = new Level(folder);
    await foreign.put('k', 'v');
    await foreign.close();
    await expect(database.open()).rejects.toMatchObject(refusal(/another program's data/));
  });

  it('refuses a newer format by its name', async () => {
    await keep();
    const raw = new Level<string, Buffer>(folder, { valueEncoding: 'buffer' });
    await raw.put('meta/format', sealRecord('meta/format', Buffer.from('2')));
    await raw.close();
    await expect(database.open()).rejects.toMatchObject(refusal(/has format 2; this gateway knows format 1/));
  });
});

describe('a damaged store', () => {
  it('is never begun anew where CURRENT is missing', async () => {
    await keep('k');
    await rm(join(folder, 'CURRENT'));
    await expect(database.open()).rejects.toMatchObject(refusal(/its file CURRENT is missing/));
  });

  it('is never begun anew where the manifest is cut', async () => {
    await keep('k');
    await truncate(await fileNamed(/^MANIFEST/));
    await expect(database.open()).rejects.toMatchObject(
      refusal(/cannot be opened \(.+\)\. Bring the folder back/),
    );
    await expect(database.open()).rejects.toMatchObject(refusal(/cannot be opened/));
  });

  it('is never begun anew where the tables are lost', async () => {
    await keep('k');
    await keep(); // the second opening turns the log into a table
    await rm(await fileNamed(/\.ldb$/));
    await expect(database.open()).rejects.toMatchObject(refusal(/cannot be opened|another program's data/));
  });

  it('is begun anew where a power cut ended the very first opening', async () => {
    await keep();
    for (const file of await readdir(folder)) await rm(join(folder, file));
    await writeFile(join(folder, 'CURRENT'), 'MANIFEST-000001\n');
    await writeFile(join(folder, 'MANIFEST-000001'), '');
    await keep('k');
    await database.open();
    expect(database.read('k')?.toString()).toBe('k');
    expect(await readFile(join(folder, 'CURRENT'), 'utf8')).not.toBe('MANIFEST-000001\n');
  });
});

it('finds a long key beyond ASCII, which getSync with text does not', async () => {
  const key = 'é'.repeat(500);
  await keep('x', key);
  await database.open();
  expect(database.read('x')?.toString()).toBe('x');
  expect(database.read(key)?.toString()).toBe(key);
});
