import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LostWrites } from '../../../../src/replication/retain/lost-writes.js';
import { RetainedStore } from '../../../../src/replication/retain/store.js';
import { ABSENT, knownValue, UNKNOWN, type View } from '../../../../src/replication/view.js';
import { Database } from '../../../../src/storage/database.js';
import { GroupCommit } from '../../../../src/storage/group-commit.js';
import { silentLogger } from '../../../support/silent-logger.js';
import { type TempDir, tempDir } from '../../../support/temp-dir.js';

const KEEP_MS = 8000; // so segments of two seconds

let folder: TempDir;
let database: Database;
let commits: GroupCommit;
let store: RetainedStore;

async function opened(): Promise<RetainedStore> {
  const loaded = new RetainedStore(database, commits, KEEP_MS);
  await loaded.load();
  return loaded;
}

beforeEach(async () => {
  folder = await tempDir();
  database = new Database(folder.path, silentLogger());
  await database.open();
  commits = new GroupCommit(database, { sync: 'every-write' });
  store = await opened();
});

afterEach(async () => {
  await commits.close();
  await database.close();
  await folder.remove();
});

const at = (key: string, scope = 's') => ({ scope, key });

function keep(key: string, after: View, time: number, before: View = UNKNOWN): Promise<void> {
  return commits.commitLater(store.put(at(key), { at: time, epoch: 'e', after }, before));
}

async function keysIn(from: RetainedStore, atATime = 2): Promise<string[]> {
  const keys: string[] = [];
  for await (const places of from.places(atATime)) keys.push(...places.map(({ key }) => key));
  return keys;
}

const recordsLeft = async () => (await database.level.keys({ gte: 'retain/', lt: 'retain0' }).all()).length;

describe('writes that are kept', () => {
  it('are the newest of each key, across segments and a restart', async () => {
    await keep('a', knownValue(1), 1000);
    await keep('b', ABSENT, 1500);
    await keep('a', knownValue(2), 5000);
    await keep('a', knownValue(3), 5001);
    for (const each of [store, await opened()]) {
      expect(each.newest(at('a'))).toMatchObject({ at: 5001, epoch: 'e', after: { text: '3' } });
      expect(each.newest(at('b'))?.after).toEqual(ABSENT);
      expect(each.newest(at('a', 'other'))).toBeUndefined();
    }
  });

  it('keep the receipt, and that nothing is known', async () => {
    await commits.commitLater(
      store.put(at('a'), { at: 1, epoch: '', receipt: 'g-1', after: UNKNOWN }, UNKNOWN),
    );
    expect(store.newest(at('a'))).toEqual({ at: 1, epoch: '', receipt: 'g-1', after: UNKNOWN });
  });

  it('are listed once each, the newest segment first, any names', async () => {
    for (const key of ['a', 'b', '', 'a\u0000\u0001é', 'c']) await keep(key, knownValue(1), 1000);
    for (const key of ['b', 'z']) await keep(key, knownValue(2), 9000);
    const keys = await keysIn(await opened());
    expect(keys.slice(0, 2).sort()).toEqual(['b', 'z']);
    expect(keys.slice(2).sort()).toEqual(['', 'a', 'a\u0000\u0001é', 'c']);
  });

  it('know what their key held before each of them, and no other key', async () => {
    await keep('a', knownValue(2), 1000, knownValue({ x: 1, y: 1 }));
    await keep('a', knownValue(3), 5000, knownValue(2));
    await keep('b', knownValue(4), 5000, ABSENT);
    expect(store.wasHeld(at('a'), { kind: 'value', text: '{"y":1.0,"x":1}' })).toBe(true);
    expect(store.wasHeld(at('a'), knownValue(2))).toBe(true);
    expect(store.wasHeld(at('a'), knownValue(3))).toBe(false);
    expect(store.wasHeld(at('a'), ABSENT)).toBe(false);
    expect(store.wasHeld(at('b'), ABSENT)).toBe(true);
    expect(store.wasHeld(at('b'), knownValue(2))).toBe(false);
  });

  it('go when they are old enough, and nothing of them stays', async () => {
    for (let n = 0; n < 1500; n += 1) void keep(`k${n}`, knownValue(n), 1000, knownValue('earlier'));
    await keep('young', knownValue(1), 4000);
    await store.sweep(1000 + 2000 + KEEP_MS - 1);
    expect(store.newest(at('k0'))).toBeDefined();
    await store.sweep(1000 + 2000 + KEEP_MS);
    expect(store.newest(at('k0'))).toBeUndefined();
    expect(await keysIn(store)).toEqual(['young']);
    expect(await recordsLeft()).toBe(1);
    await store.sweep(20_000);
    expect(await recordsLeft()).toBe(0);
  });

  it('are kept by a clock that was set back, and taken again by the next segment', async () => {
    await keep('a', knownValue(1), 50_000);
    await keep('b', knownValue(2), 1000);
    expect((await keysIn(await opened())).sort()).toEqual(['a', 'b']);
    await store.sweep(50_000);
    expect(store.newest(at('b'))?.after).toMatchObject({ text: '2' });
  });

  it('a damaged one is not taken for a write', async () => {
    await keep('a', knownValue(1), 1000);
    const [id] = await database.level.keys({ gte: 'retain/', lt: 'retain0' }).all();
    const record = database.read(id as string) as Buffer;
    record[record.length - 1] = 0;
    await database.level.put(id as string, record);
    expect(store.newest(at('a'))).toBeUndefined();
  });
});

describe('the list of lost writes', () => {
  const lostAt = (number: number) => ({
    number,
    ...at(`k${number}`),
    confirmed_at: '2026-01-02T03:04:05.678Z',
    noticed_at: '2026-01-02T03:04:06.678Z',
    certain: true,
    restored: false,
  });

  it('keeps the last thousand, goes on after a restart, and takes news of one', async () => {
    const lost = new LostWrites(database);
    for (let n = 0; n < 1003; n += 1) void commits.commitLater(lost.record(lostAt(lost.takeNumber())));
    await commits.commitLater(lost.record({ ...lostAt(1002), restored: true }));
    const again = new LostWrites(database);
    await again.load();
    expect(again.takeNumber()).toBe(1004);
    const list = await again.list(0, 2000);
    expect(list.map(({ number }) => number)).toEqual(Array.from({ length: 1000 }, (_, n) => n + 4));
    expect(await again.list(1001, 1)).toEqual([{ ...lostAt(1002), restored: true }]);
  });
});
