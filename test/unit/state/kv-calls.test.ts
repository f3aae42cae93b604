import { join } from 'node:path';
import { Level } from 'level';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { StateInput } from '../../../src/operations/calls.js';
import { createKv, type KvAdapter } from '../../../src/state/adapters/kv.js';
import { SuiteClient, valueIn } from '../../../src/state/adapters/suite/client.js';
import { type SilentLogger, silentLogger } from '../../support/silent-logger.js';
import { type TempDir, tempDir } from '../../support/temp-dir.js';

const BOUNDS = { calls: 3, bytes: 1000 };

let temp: TempDir;
let logger: SilentLogger;
let kv: KvAdapter;
let state: SuiteClient;

beforeEach(async () => {
  temp = await tempDir();
  logger = silentLogger();
});

afterEach(async () => {
  vi.restoreAllMocks();
  await kv.stop().catch(() => undefined); // some tests break the store
  await temp.remove();
});

async function start(storeMethod: 'file_based' | 'in_memory' = 'file_based'): Promise<void> {
  const config = { storeMethod, filePath: join(temp.path, 'kv'), saveIntervalMs: 0 };
  kv = createKv(config, { logger, now: () => 5000, randomId: () => 'id', repeats: BOUNDS });
  state = new SuiteClient(kv);
  await kv.start();
}

/** Counts under a name; gives the count that the answer tells. */
async function count(id: string, fingerprint = 'f'): Promise<number> {
  const ops = [{ type: 'increment', path: 'n', by: 1 } as const];
  const input: StateInput = { functionId: 'state::update', scope: 's', key: 'k', ops };
  const result = valueIn(await state.ask(input, { id, fingerprint })) as { new_value: { n: number } };
  return result.new_value.n;
}

/** The stopped store's own records, its values aside. */
async function raw<T>(work: (level: Level<string, Buffer>) => Promise<T>): Promise<T> {
  await kv.stop();
  const level = new Level<string, Buffer>(join(temp.path, 'kv'), { valueEncoding: 'buffer' });
  const result = await work(level).finally(() => level.close());
  await kv.start();
  return result;
}

const recordsOfCalls = () => raw((level) => level.keys({ gte: 'repeat/', lt: 'repeat0' }).all());

describe.each(['file_based', 'in_memory'] as const)('what is known of calls, %s', (storeMethod) => {
  beforeEach(() => start(storeMethod));

  it('makes room from the oldest on, whose call is made again then', async () => {
    for (const id of ['a', 'b', 'c', 'd']) await count(id);
    expect(await count('b')).toBe(2);
    expect(await count('a')).toBe(5);
  });

  it('makes room for large ones sooner', async () => {
    await state.set('s', 'k', { text: 'x'.repeat(600) });
    for (const id of ['a', 'b']) await count(id);
    expect(await count('b')).toBe(2);
    expect(await count('a')).toBe(3);
  });

  it('keeps families apart, and those of forged receipts are bounded together', async () => {
    for (const id of ['key:a', 'receipt:aa', 'receipt:bb', 'receipt:cc', 'receipt:dd']) await count(id);
    expect(await count('key:a')).toBe(1);
    expect(await count('receipt:dd')).toBe(5);
    expect(await count('receipt:aa')).toBe(6);
  });
});

describe('calls in files', () => {
  beforeEach(() => start());

  it('leave no record behind when they are forgotten', async () => {
    for (let n = 0; n < 20; n += 1) await count(`call ${n}`);
    expect(await recordsOfCalls()).toHaveLength(2 * BOUNDS.calls);
  });

  it('leave none behind when more were made at the same time than are kept', async () => {
    await Promise.all(Array.from({ length: 20 }, (_, n) => count(`call ${n}`)));
    expect(valueIn(await state.get('s', 'k'))).toEqual({ n: 20 });
    await count('last');
    expect(await recordsOfCalls()).toHaveLength(2 * BOUNDS.calls);
  });

  it('are known after the next start, in their order', async () => {
    for (const id of ['a', 'b', 'c']) await count(id);
    await kv.stop();
    await start();
    expect(await count('a')).toBe(1);
    await count('d');
    expect(await count('b')).toBe(2);
    expect(await count('a')).toBe(5);
  });

  it('are not known when their write failed', async () => {
    await state.set('s', 'k', { n: 7 });
    vi.spyOn(Level.prototype, 'batch').mockImplementation(() => {
      throw new Error('no space left');
    });
    const [first, joined] = await Promise.allSettled([count('a'), count('a')]);
    expect(first).toMatchObject({ status: 'rejected', reason: { code: 'GATEWAY_STORAGE' } });
    expect(joined).toMatchObject({ status: 'rejected', reason: { code: 'GATEWAY_STORAGE' } });
    vi.restoreAllMocks();
    await kv.stop().catch(() => undefined);
    await kv.start();
    expect(await count('a')).toBe(8);
  });

  it('that change nothing stand and fall with the write that they saw', async () => {
    await state.set('s', 'k', 1);
    vi.spyOn(Level.prototype, 'batch').mockImplementation(() => {
      throw new Error('no space left');
    });
    const input = { functionId: 'state::delete', scope: 's', key: 'k' } as const;
    const doomed = [state.delete('s', 'k'), state.ask(input, { id: 'a', fingerprint: 'f' })];
    for (const { status } of await Promise.allSettled(doomed)) expect(status).toBe('rejected');
    vi.restoreAllMocks();
    await kv.stop().catch(() => undefined);
    await kv.start();
    expect(valueIn(await state.ask(input, { id: 'a', fingerprint: 'f' }))).toBe(1);
  });

  it('are not made again when their record is damaged', async () => {
    await count('a');
    await raw((level) => level.put('repeat/id/a', Buffer.from('?')));
    await expect(count('a')).rejects.toMatchObject({ code: 'GATEWAY_STORAGE' });
    expect(valueIn(await state.get('s', 'k'))).toEqual({ n: 1 });
    expect(await count('b')).toBe(2);
    expect(kv.damagedRecords).toBe(1);
  });

  it('are still known when the note of their order is damaged', async () => {
    await count('a');
    await raw((level) => level.put('repeat/finished/keys/000000000001', Buffer.from('?')));
    expect(await count('a')).toBe(1);
    expect(kv.damagedRecords).toBe(1);
  });
});
