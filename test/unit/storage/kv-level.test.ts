import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { Level } from 'level';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createKv, type KvAdapter } from '../../../src/state/adapters/kv.js';
import { ALL_VALUES, namesIn, valueKey, valuesOf } from '../../../src/state/adapters/kv-layout.js';
import { SuiteClient, valueIn } from '../../../src/state/adapters/suite/client.js';
import { ManualSchedule } from '../../support/manual-schedule.js';
import { type SilentLogger, silentLogger } from '../../support/silent-logger.js';
import { type TempDir, tempDir } from '../../support/temp-dir.js';

let temp: TempDir;
let folder: string;
let logger: SilentLogger;
let timers: ManualSchedule;
let kv: KvAdapter;
let state: SuiteClient;

beforeEach(async () => {
  temp = await tempDir();
  folder = join(temp.path, 'kv');
  logger = silentLogger();
  await startWith(0);
});

afterEach(async () => {
  vi.restoreAllMocks();
  await kv.stop().catch(() => undefined); // some tests break the store
  await temp.remove();
});

async function startWith(saveIntervalMs: number): Promise<void> {
  await kv?.stop().catch(() => undefined);
  timers = new ManualSchedule();
  const config = { storeMethod: 'file_based', filePath: folder, saveIntervalMs } as const;
  const { schedule } = timers;
  kv = createKv(config, { logger, now: Date.now, randomId: () => 'id', schedule });
  state = new SuiteClient(kv);
  await kv.start();
}

/** The stopped store's own bytes. */
async function raw<T>(work: (level: Level<string, Buffer>) => Promise<T>): Promise<T> {
  await kv.stop();
  const level = new Level<string, Buffer>(folder, { valueEncoding: 'buffer' });
  const result = await work(level).finally(() => level.close());
  await kv.start();
  return result;
}

describe('restart', () => {
  it('keeps values, their order, and the order of keys set later', async () => {
    for (const key of ['c', 'a', 'b']) await state.set('s', key, key);
    await kv.stop();
    await kv.start();
    await state.set('s', 'd', 'd');
    await state.set('s', 'a', 'a again');
    await state.delete('s', 'c');
    await state.set('s', 'c', 'c anew');
    await kv.stop();
    await kv.start();
    expect(await state.list('s')).toEqual(['a again', 'b', 'd', 'c anew']);
    expect(await state.listKeys('s')).toEqual(['a', 'b', 'd', 'c']);
    expect(await state.listGroups()).toEqual(['s']);
  });

  it.each(['kv/next-place missing', 'kv/next-place damaged'])(
    'finds the order again with %s',
    async (how) => {
      for (const key of ['c', 'a']) await state.set('s', key, key);
      await raw((level) =>
        how.endsWith('missing') ? level.del('kv/next-place') : level.put('kv/next-place', Buffer.from('?')),
      );
      await state.set('s', 'b', 'b');
      expect(await state.listKeys('s')).toEqual(['c', 'a', 'b']);
    },
  );
});

describe('writes on their way', () => {
  it('are seen by every kind of read', async () => {
    await state.set('s', 'old', 1);
    await state.set('s', 'gone', 1);
    await state.set('gone', 'k', 1);
    const writes = [
      state.set('s', 'new', 2),
      state.set('s', 'old', 3),
      state.delete('s', 'gone'),
      state.delete('gone', 'k'),
      state.set('begun', 'k', 1),
    ];
    const reads = await Promise.all([
      state.get('s', 'new').then(valueIn),
      state.get('s', 'gone').then(valueIn),
      state.list('s'),
      state.listKeys('s'),
      state.listGroups(),
      state.page('s').then(({ entries }) => entries),
    ]);
    await Promise.all(writes);
    expect(reads).toEqual([
      2,
      undefined,
      [3, 2],
      ['old', 'new'],
      ['begun', 's'],
      [
        ['old', 3],
        ['new', 2],
      ],
    ]);
  });

  it('are answered before a sync is due, and synced when it is', async () => {
    await startWith(5000);
    await state.set('s', 'k', 1);
    expect(timers.pending).toEqual([5000]);
    await rm(folder, { recursive: true });
    timers.fire(); // fails, which shows that it was tried
    await expect.poll(() => logger.lines.length).toBe(1);
    await expect(state.set('s', 'k', 2)).rejects.toMatchObject({ code: 'GATEWAY_STORAGE' });
    expect(valueIn(await state.get('s', 'k'))).toBe(1);
  });

  it('that fail are no longer shown, and take those with them that were built on them', async () => {
    await state.set('s', 'k', 1);
    vi.spyOn(Level.prototype, 'batch').mockImplementation(() => {
      throw new Error('no space left');
    });
    const doomed = [
      state.set('s', 'k', 2),
      state.update('s', 'k', { type: 'increment', path: '', by: 1 }),
      state.delete('s', 'k'),
      state.delete('s', 'k'), // changes nothing, and yet stands and falls with the deletion before it
      state.compareAndSet('s', 'k', 5, 6), // the same
    ];
    expect(await state.get('s', 'k')).toEqual({});
    for (const { status } of await Promise.allSettled(doomed)) expect(status).toBe('rejected');
    expect(valueIn(await state.get('s', 'k'))).toBe(1);
    expect(await state.list('s')).toEqual([1]);
    vi.restoreAllMocks();
    await expect(state.set('s', 'other', 1)).rejects.toMatchObject({ code: 'GATEWAY_STORAGE' });
    await kv.stop().catch(() => undefined);
    await kv.start();
    await state.set('s', 'other', 1);
  });
});

it('lets one of two deletions have the value', async () => {
  await state.set('s', 'k', 1);
  const answers = await Promise.all([state.delete('s', 'k'), state.delete('s', 'k')]);
  expect(answers.map(valueIn)).toEqual([1, undefined]);
});

describe('damage', () => {
  const damaged = {
    code: 'GATEWAY_STORAGE',
    message: expect.stringMatching(/the value of key "k" in scope "s" is damaged/),
  };

  beforeEach(async () => {
    await state.set('s', 'k', { secret: 1234567 });
    await state.set('s', 'other', 2);
    await state.set('t', 'k', 3);
    await raw(async (level) => {
      const record = (await level.get(valueKey('s', 'k'))) ?? expect.fail('no record');
      const at = record.indexOf('4567');
      await level.put(
        valueKey('s', 'k'),
        Buffer.concat([record.subarray(0, at), Buffer.from('9'), record.subarray(at + 1)]),
      );
    });
  });

  it('never comes out as a value, and is not written over', async () => {
    await expect(state.get('s', 'k')).rejects.toMatchObject(damaged);
    await expect(state.set('s', 'k', 1)).rejects.toMatchObject(damaged);
    await expect(state.delete('s', 'k')).rejects.toMatchObject(damaged);
    await expect(state.update('s', 'k')).rejects.toMatchObject(damaged);
    await expect(state.compareAndSet('s', 'k', null, 1)).rejects.toMatchObject(damaged);
    await expect(state.list('s')).rejects.toMatchObject(damaged);
    await expect(state.listKeys('s')).rejects.toMatchObject(damaged);
    await expect(state.page('s')).rejects.toMatchObject(damaged);
  });

  it('leaves everything else alone', async () => {
    expect(valueIn(await state.get('s', 'other'))).toBe(2);
    expect(await state.list('t')).toEqual([3]);
    expect(await state.listGroups()).toEqual(['s', 't']);
    await state.set('s', 'new', 1);
  });

  it('is counted and logged once, without values', async () => {
    expect(kv.damagedRecords).toBe(0);
    for (let n = 0; n < 3; n += 1) await state.get('s', 'k').catch(() => undefined);
    expect(kv.damagedRecords).toBe(1);
    expect(logger.lines).toHaveLength(1);
    expect(logger.lines[0]?.facts).toEqual({ record: 'the value of key "k" in scope "s"' });
    expect(JSON.stringify(logger.lines)).not.toContain('123');
  });
});

it('refuses with GATEWAY_STORAGE while it is stopped', async () => {
  await kv.stop();
  const stopped = { code: 'GATEWAY_STORAGE' };
  await expect(state.get('s', 'k')).rejects.toMatchObject(stopped);
  await expect(state.set('s', 'k', 1)).rejects.toMatchObject(stopped);
  await expect(state.list('s')).rejects.toMatchObject(stopped);
  await expect(state.listGroups()).rejects.toMatchObject(stopped);
});

it('reads a scope that takes many trips to the disk', async () => {
  await startWith(5000);
  const values = Array.from({ length: 3000 }, (_, n) => `${n}-${'x'.repeat(1000)}`);
  await Promise.all(values.map((value, n) => state.set('s', `k${n}`, value)));
  expect(await state.list('s')).toEqual(values);
});

describe('database keys', () => {
  const name = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom('\u0000', '\u0001', '\u0002', 'a', '\uffff', '/', '0', '😀') }),
  );

  it('give back the names, and meet only where the names do', () => {
    fc.assert(
      fc.property(name, name, (scope, key) => {
        expect(namesIn(valueKey(scope, key))).toEqual({ scope, key });
      }),
    );
  });

  it('lie in the range of their scope and in no other', () => {
    const bytes = (text: string) => Buffer.from(text);
    const lies = (key: string, { gte, lt }: { gte: string; lt: string }) =>
      Buffer.compare(bytes(key), bytes(gte)) >= 0 && Buffer.compare(bytes(key), bytes(lt)) < 0;
    fc.assert(
      fc.property(name, name, name, (scope, key, other) => {
        expect(lies(valueKey(scope, key), ALL_VALUES)).toBe(true);
        expect(lies(valueKey(scope, key), valuesOf(other))).toBe(scope === other);
      }),
    );
  });

  it('keep the byte order of the scopes', () => {
    const order = (a: string, b: string) => Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b)));
    fc.assert(
      fc.property(name, name, name, name, (a, b, key, otherKey) => {
        fc.pre(a !== b);
        expect(order(valueKey(a, key), valueKey(b, otherKey))).toBe(order(a, b));
      }),
    );
  });
});
