import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Level } from 'level';
import { beforeEach, describe, expect, it } from 'vitest';
import { type LogPart, partsOf, writeLog } from '../../../../src/replication/store-tools/leveldb-log.js';
import { stopsAfterEach } from '../../../support/running.js';
import { tempDir } from '../../../support/temp-dir.js';

const stopAfter = stopsAfterEach();
let folder: string;
let file: string;

beforeEach(async () => {
  const dir = await tempDir();
  stopAfter({ stop: dir.remove });
  folder = dir.path;
  file = join(folder, '000003.log');
});

async function* of(records: readonly Buffer[]) {
  yield* records;
}

async function read(path = file): Promise<LogPart[]> {
  const parts: LogPart[] = [];
  for await (const part of partsOf(path)) parts.push(part);
  return parts;
}

const kinds = (parts: readonly LogPart[]) => parts.map(({ kind }) => kind).join(' ');
const dataOf = (parts: readonly LogPart[]) =>
  parts.flatMap((part) => (part.kind === 'record' ? [part.data] : []));

/** Records around the size of a block, where all that is special happens. */
const RECORDS = [0, 1, 100, 32_760, 32_761, 32_762, 7, 70_000, 5, 200_000, 3].map((size, number) =>
  Buffer.alloc(size, number + 1),
);

async function flip(at: number): Promise<void> {
  const bytes = await readFile(file);
  bytes[at] = (bytes[at] as number) ^ 1;
  await writeFile(file, bytes);
}

describe('a log of LevelDB', () => {
  it('is read as LevelDB wrote it', async () => {
    const level = new Level(folder);
    for (let n = 0; n < 50; n += 1) await level.put(`key-${n}`, String(n).repeat(3000));
    await level.close();
    const log = (await readdir(folder)).find((name) => name.endsWith('.log')) ?? '';
    const parts = await read(join(folder, log));
    expect(kinds(parts)).toBe(Array(50).fill('record').join(' '));
    expect(dataOf(parts)[7]?.toString()).toContain('key-7');
  });

  it('is written as LevelDB reads it', async () => {
    const level = new Level(folder);
    for (let n = 0; n < 50; n += 1) await level.put(`key-${n}`, String(n).repeat(3000));
    await level.close();
    const log = join(folder, (await readdir(folder)).find((name) => name.endsWith('.log')) ?? '');
    await writeLog(log, of(dataOf(await read(log)).filter((_, n) => n !== 20)));
    await level.open();
    expect(await level.keys().all()).toHaveLength(49);
    expect(await level.get('key-49')).toBe('49'.repeat(3000));
    await level.close();
  });

  it('comes back as it went', async () => {
    await writeLog(file, of(RECORDS));
    expect(dataOf(await read())).toEqual(RECORDS);
  });

  it('loses only the record that a flipped bit is in', async () => {
    await writeLog(file, of([Buffer.alloc(500, 1), Buffer.alloc(500, 2), Buffer.alloc(500, 3)]));
    await flip(7 + 500 + 7 + 250);
    const parts = await read();
    expect(kinds(parts)).toBe('record damage record');
    expect(parts[1]).toEqual({ kind: 'damage', at: 507 });
  });

  it('loses the whole of a record whose middle is damaged, and nothing else', async () => {
    await writeLog(file, of([Buffer.alloc(10, 1), Buffer.alloc(100_000, 2), Buffer.alloc(10, 3)]));
    await flip(40_000);
    const parts = await read();
    expect(kinds(parts)).toBe('record damage record');
    expect(dataOf(parts).map(({ length }) => length)).toEqual([10, 10]);
  });

  it('whose last record is damaged says so', async () => {
    await writeLog(file, of([Buffer.alloc(10, 1), Buffer.alloc(10, 2)]));
    await flip(7 + 10 + 7 + 5);
    expect(kinds(await read())).toBe('record damage');
  });

  it.each([1, 6, 7, 8, 16])('that ends %i bytes early is torn', async (missing) => {
    await writeLog(file, of([Buffer.alloc(10, 1), Buffer.alloc(10, 2)]));
    await writeFile(file, (await readFile(file)).subarray(0, -missing));
    expect(kinds(await read())).toBe('record torn');
  });

  it('with space that was never written to is torn there', async () => {
    await writeLog(file, of([Buffer.alloc(10, 1)]));
    await writeFile(file, Buffer.concat([await readFile(file), Buffer.alloc(1000)]));
    expect(kinds(await read())).toBe('record torn');
  });

  it('that is empty holds nothing', async () => {
    await writeFile(file, '');
    expect(await read()).toEqual([]);
  });
});
