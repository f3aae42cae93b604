import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DataFolder } from '../../../src/storage/data-folder.js';
import { Database } from '../../../src/storage/database.js';
import { makeMark, markIn } from '../../../src/storage/high-water-mark.js';
import { adopted, decodeIdentity, encodeIdentity, IDENTITY_KEY } from '../../../src/storage/identity.js';
import { openRecord, sealRecord } from '../../../src/storage/record.js';
import { silentLogger } from '../../support/silent-logger.js';
import { type TempDir, tempDir } from '../../support/temp-dir.js';

const ID = '3f2b8c1e-5f0a-4e0e-9a53-0f6a1f0d7c11';
const OTHER = '8a0d2c54-1f7e-4d7b-8d0c-6f0f4b1c9e22';

let temp: TempDir;
beforeEach(async () => {
  temp = await tempDir();
});
afterEach(() => temp.remove());

/** Starts on what is there; gives who the gateway is, and who it was. */
async function start(): Promise<[id: string, ...formerIds: string[]]> {
  const folder = new DataFolder(temp.path, silentLogger());
  await folder.start();
  const { id, formerIds } = folder.identity;
  await folder.stop();
  return [id, ...formerIds];
}

async function inStore<T>(action: (store: Database) => Promise<T>): Promise<T> {
  const store = new Database(join(temp.path, 'store'), silentLogger());
  await store.open();
  return action(store).finally(() => store.close());
}

const put = (key: string, body: Buffer) =>
  inStore((store) => store.level.put(key, sealRecord(key, body), { sync: true }));

const refusal = (sentence: RegExp) => ({
  code: 'GATEWAY_STORAGE',
  message: expect.stringMatching(sentence),
});

describe('the first start', () => {
  it('makes a store, a mark and an identity that stays', async () => {
    const first = await start();
    expect((await readdir(temp.path)).sort()).toEqual(['high-water-mark', 'store']);
    expect(await start()).toEqual(first);
  });

  it('may be cut short before the identity is there', async () => {
    await inStore(async () => undefined);
    await start();
  });

  it('may be cut short while the mark is made', async () => {
    await put(IDENTITY_KEY, encodeIdentity({ id: ID }));
    await writeFile(`${markIn(temp.path)}.new`, 'half of it');
    expect(await start()).toEqual([ID]);
    expect((await readdir(temp.path)).sort()).toEqual(['high-water-mark', 'store']);
  });

  it('may be cut short before the store is told of its mark', async () => {
    await put(IDENTITY_KEY, encodeIdentity({ id: ID }));
    await makeMark(temp.path, { incarnation: 'i', groups: 0, next: 1 });
    expect(await start()).toEqual([ID]);
    const kept = await inStore(async (store) => openRecord(IDENTITY_KEY, store.read(IDENTITY_KEY) as Buffer));
    expect(decodeIdentity(kept as Buffer)?.incarnation).toBe('i');
  });
});

describe('a store of the time before there were marks', () => {
  it('is taken over with all it holds', async () => {
    await put(IDENTITY_KEY, encodeIdentity({ id: ID, session: { workerId: 'w' } }));
    await put('log/book', Buffer.from('{"next":7}'));
    expect(await start()).toEqual([ID]);
    await rm(markIn(temp.path));
    await expect(start()).rejects.toMatchObject(refusal(/high-water-mark .+ is missing/));
  });

  it('is refused beside the mark of a store in which something was accepted', async () => {
    await put(IDENTITY_KEY, encodeIdentity({ id: ID }));
    await makeMark(temp.path, { incarnation: 'i', groups: 1, next: 2 });
    await expect(start()).rejects.toMatchObject(refusal(/is not the one that was used here last/));
  });
});

describe('tables that are damaged', () => {
  it('are looked for before the store is opened, and refuse the start', async () => {
    await start();
    const looked: string[] = [];
    const folder = new DataFolder(temp.path, silentLogger(), async (store) => {
      looked.push(store);
      return 'one table is bad';
    });
    await expect(folder.start()).rejects.toMatchObject(
      refusal(/is damaged: one table is bad\. .+store repair/),
    );
    expect(looked).toEqual([join(temp.path, 'store')]);
    await start();
  });
});

describe('an identity', () => {
  it.each([
    ['damaged', () => put(IDENTITY_KEY, Buffer.from('{"id":"nobody"}'))],
    ['missing', () => inStore((store) => store.level.del(IDENTITY_KEY, { sync: true }))],
  ])('that is %s is not replaced by another one', async (what, harm) => {
    await start();
    await put('log/book', Buffer.from('{}'));
    await harm();
    for (const _ of [1, 2]) {
      await expect(start()).rejects.toMatchObject(
        refusal(new RegExp(`identity .+ is ${what}.+store repair`)),
      );
    }
  });

  it('of a copy that was taken over is another one, and remembers who it was', async () => {
    const original = { id: ID, formerIds: [OTHER], incarnation: 'i', session: { workerId: 'w' } };
    const copy = adopted(original, 'b7a7a2de-93f2-4b43-8a0f-2d1f7c6e5a33');
    expect(copy).toEqual({ id: 'b7a7a2de-93f2-4b43-8a0f-2d1f7c6e5a33', formerIds: [ID, OTHER] });
    await put(IDENTITY_KEY, encodeIdentity({ ...copy, incarnation: 'j' }));
    await makeMark(temp.path, { incarnation: 'j', groups: 5, next: 9 });
    expect(await start()).toEqual(['b7a7a2de-93f2-4b43-8a0f-2d1f7c6e5a33', ID, OTHER]);
  });
});
