import { describe, expect, it } from 'vitest';
import { FakeEngine } from '../support/fake-engine.js';
import { startGateway } from '../support/gateway.js';
import { startHub } from '../support/hub.js';
import { RawWorker } from '../support/raw-worker.js';
import { stopsAfterEach } from '../support/running.js';

const stopLater = stopsAfterEach();
const KEY = { scope: 's', key: 'k' };

/** A worker of a gateway whose state is here, or on a hub behind it. */
async function workerBefore(place: string): Promise<RawWorker> {
  if (place === 'kv') return workerOf((await startHere()).url);
  const hub = stopLater(await startHub());
  const { url } = stopLater(await startGateway({ remote: hub.url }));
  const worker = await workerOf(url);
  await expect.poll(async () => (await worker.call('state::list_groups', {}))['error']).toBeUndefined();
  return worker;
}

const startHere = async () => stopLater(await startGateway());
const workerOf = async (url: string) => stopLater(await RawWorker.connect(url));

describe.each(['kv', 'bridge'])('before %s', (place) => {
  /** Stores a value, applies the operations and gives the result. */
  async function updated(before: unknown, ops: unknown[]) {
    const worker = await workerBefore(place);
    await worker.call('state::set', { ...KEY, value: before });
    const { result } = await worker.call('state::update', { ...KEY, ops });
    const { result: stored } = await worker.call('state::get', KEY);
    expect(result).toMatchObject({ old_value: before, new_value: stored });
    return result as { new_value: unknown; errors?: unknown };
  }

  it.each<[before: unknown, op: object, after: unknown]>([
    [{ a: 1 }, { set: { b: 2 } }, { b: 2 }],
    [{ a: 1 }, { set: null }, null],
    [1, { set: [1, { type: 'set' }] }, [1, { type: 'set' }]],
    [{ a: 1 }, { merge: { b: 2 } }, { a: 1, b: 2 }],
    [{ n: 1 }, { increment: { field: 'n', by: 2 } }, { n: 3 }],
    [{}, { increment: { field: 'a.b', by: 2 } }, { 'a.b': 2 }],
    [{ n: 1 }, { decrement: { field: 'n', by: -2 } }, { n: 3 }],
    [{ a: 1, b: 2 }, { remove: 'a' }, { b: 2 }],
    [{ type: 1 }, { remove: 'type' }, {}],
  ])('%j with the older single-key shape %j', async (before, op, after) => {
    const { new_value, errors } = await updated(before, [op]);
    expect(new_value).toEqual(after);
    expect(errors).toBeUndefined();
  });

  it.each<[before: unknown, op: object, after: unknown]>([
    [{ a: 1 }, { type: 'set', path: '', value: { b: 2 } }, { b: 2 }],
    [{ a: 1 }, { type: 'set', path: 'a' }, { a: null }],
    [{ a: 1 }, { type: 'set', path: 'a.b', value: 2 }, { a: 1, 'a.b': 2 }],
    [{ a: { b: 1 } }, { type: 'merge', path: ['a'], value: { c: 2 } }, { a: { b: 1, c: 2 } }],
    [{ a: 1 }, { type: 'merge', path: null, value: { c: 2 } }, { a: 1, c: 2 }],
    [{ a: 1 }, { type: 'merge', value: { c: 2 }, comment: 'unknown members are ignored' }, { a: 1, c: 2 }],
    [{ a: [1] }, { type: 'append', path: 'a', value: null }, { a: [1, null] }],
    [{ n: 1 }, { type: 'increment', path: 'n', by: 2 }, { n: 3 }],
    [{ n: 1 }, { type: 'decrement', path: 'n', by: 2 }, { n: -1 }],
    [{ a: 1 }, { type: 'remove', path: 'a' }, {}],
  ])('%j with the tagged shape %j', async (before, op, after) => {
    const { new_value, errors } = await updated(before, [op]);
    expect(new_value).toEqual(after);
    expect(errors).toBeUndefined();
  });

  it('with both shapes in one call, one after the other', async () => {
    const ops = [{ set: {} }, { type: 'set', path: 'n', value: 1 }, { increment: { field: 'n', by: 41 } }];
    expect((await updated({ gone: 1 }, ops)).new_value).toEqual({ n: 42 });
  });

  it('with operations as arrays, as the decoder of the engine takes them', async () => {
    expect((await updated({ n: 1 }, [['increment', 'n', 1]])).new_value).toEqual({ n: 2 });
  });

  it('with an operation that fails beside one that does not', async () => {
    const { new_value, errors } = await updated({ a: 'x', n: 1 }, [
      { increment: { field: 'a', by: 1 } },
      { increment: { field: 'n', by: 1 } },
    ]);
    expect(new_value).toEqual({ a: 'x', n: 2 });
    expect(errors).toEqual([expect.objectContaining({ op_index: 0, code: 'increment.not_number' })]);
  });

  it('a malformed operation refuses the whole call, and nothing is written', async () => {
    const worker = await workerBefore(place);
    await worker.call('state::set', { ...KEY, value: { n: 1 } });
    for (const bad of [
      { type: 'nope' },
      { set: 1, merge: {} },
      { increment: { field: 'n', by: 0.5 } },
      'set',
    ]) {
      const ops = [{ type: 'set', path: 'n', value: 2 }, bad];
      const answer = await worker.call('state::update', { ...KEY, ops });
      expect(answer['error']).toMatchObject({ code: 'deserialization_error' });
    }
    expect((await worker.call('state::get', KEY))['result']).toEqual({ n: 1 });
  });

  it('counts beyond 2^53 to the digit, in either shape', async () => {
    const worker = await workerBefore(place);
    const call = (id: string, data: string) => worker.answerTo(worker.callAsText(id, data));
    await call('state::set', '{"scope":"s","key":"k","value":{"n":9007199254740993}}');
    for (const op of ['{"type":"increment","path":"n","by":2}', '{"increment":{"field":"n","by":2}}']) {
      await call('state::update', `{"scope":"s","key":"k","ops":[${op}]}`);
    }
    await worker.call('state::get', KEY);
    expect(worker.texts.at(-1)).toContain('"result":{"n":9007199254740997}}');
  });

  it('`data` for `value`, and null as a value like any other', async () => {
    const worker = await workerBefore(place);
    expect((await worker.call('state::set', { ...KEY, data: { a: 1 } }))['result']).toEqual({
      old_value: null,
      new_value: { a: 1 },
    });
    await worker.call('state::set', { ...KEY, data: null });
    expect(await worker.call('state::get', KEY)).toHaveProperty('result', null);
    await worker.call('state::delete', KEY);
    expect(await worker.call('state::get', KEY)).not.toHaveProperty('result');
  });

  it('inputs as arrays, in the order of their members', async () => {
    const worker = await workerBefore(place);
    await worker.call('state::set', ['s', 'k', { a: 1 }]);
    expect((await worker.call('state::get', ['s', 'k']))['result']).toEqual({ a: 1 });
    expect((await worker.call('state::update', ['s', 'k', [{ set: 2 }]]))['result']).toEqual({
      old_value: { a: 1 },
      new_value: 2,
    });
    expect((await worker.call('state::list', ['s']))['result']).toEqual([2]);
    expect((await worker.call('state::list_groups', []))['result']).toEqual({ groups: ['s'] });
    expect((await worker.call('state::delete', ['s', 'k']))['result']).toBe(2);
  });

  it('members that it does not know, the caller mark of engines among them', async () => {
    const worker = await workerBefore(place);
    const more = { _caller_worker_id: 'somebody', consistency: 'remote', 'any thing': [] };
    await worker.call('state::set', { ...KEY, value: 1, ...more });
    expect((await worker.call('state::get', { ...KEY, ...more }))['result']).toBe(1);
    expect((await worker.call('state::list_groups', more))['result']).toEqual({ groups: ['s'] });
  });

  it.each([
    ['empty', '', ''],
    ['with dots and slashes', 'a.b/c', '../x'],
    ['of special names', '__proto__', 'constructor'],
    ['with control characters', '\u0000', '\n\u0000\u001f'],
    ['in every script', 'ключ', '鍵 😀'],
    ['that are long', 's'.repeat(5000), 'k'.repeat(5000)],
  ])('scopes and keys %s', async (_, scope, key) => {
    const worker = await workerBefore(place);
    await worker.call('state::set', { scope, key, value: 1 });
    expect((await worker.call('state::get', { scope, key }))['result']).toBe(1);
    expect((await worker.call('state::list_groups', {}))['result']).toEqual({ groups: [scope] });
    expect((await worker.call('state::list_keys', { scope }))['result']).toEqual({ keys: [key] });
    expect(await worker.call('state::get', { scope, key: `${key} ` })).not.toHaveProperty('result');
  });
});

describe('a remote is asked in the shape that every engine knows', () => {
  it.each<[given: unknown, asked: unknown]>([
    [{ set: { b: 2 } }, { type: 'set', path: '', value: { b: 2 } }],
    [{ merge: { b: 2 } }, { type: 'merge', value: { b: 2 } }],
    [{ increment: { field: 'n', by: 2 } }, { type: 'increment', path: 'n', by: 2 }],
    [{ decrement: { field: 'n', by: 2 } }, { type: 'decrement', path: 'n', by: 2 }],
    [{ remove: 'a' }, { type: 'remove', path: 'a' }],
    [
      { type: 'set', path: 'a', more: 1 },
      { type: 'set', path: 'a', more: 1 },
    ],
    [
      ['set', 'a', 1],
      ['set', 'a', 1],
    ],
  ])('%j is sent as %j', async (given, asked) => {
    const engine = stopLater(await FakeEngine.start()).reply('state::update', () => ({ result: {} }));
    const { url } = stopLater(await startGateway({ remote: engine.url }));
    const worker = await workerOf(url);
    const other = { type: 'append', path: ['a'], value: 1 };
    await worker.call('state::update', { ...KEY, ops: [other, given], more: 'kept' });
    const { data } = await engine.received(({ function_id }) => function_id === 'state::update');
    expect(data).toEqual({ ...KEY, ops: [other, asked], more: 'kept' });
  });

  it('and `data` for `value` is left to it', async () => {
    const engine = stopLater(await FakeEngine.start()).reply('state::set', () => ({ result: {} }));
    const { url } = stopLater(await startGateway({ remote: engine.url }));
    const worker = await workerOf(url);
    await worker.call('state::set', { ...KEY, data: 1 });
    const { data } = await engine.received(({ function_id }) => function_id === 'state::set');
    expect(data).toEqual({ ...KEY, data: 1 });
  });
});
