import { describe, expect, it } from 'vitest';
import type { Frame } from '../support/frame-log.js';
import { startGateway } from '../support/gateway.js';
import { RawWorker } from '../support/raw-worker.js';
import { stopsAfterEach } from '../support/running.js';
import { tempDir } from '../support/temp-dir.js';

const stopLater = stopsAfterEach();
const FILE_BASED = { adapter: { name: 'kv', config: { store_method: 'file_based', save_interval_ms: 0 } } };

async function workerOf(url: string): Promise<RawWorker> {
  return stopLater(await RawWorker.connect(url));
}

describe('without a remote the gateway is an engine of its own', () => {
  it('keeps state across a restart, to the digit', async () => {
    const folder = await tempDir();
    stopLater({ stop: () => folder.remove() });
    const before = await startGateway({ dataDir: folder.path, state: FILE_BASED });
    const writer = await workerOf(before.url);
    const value = '[18446744073709551615,1.0,{"__proto__":{"x":null}}]';
    writer.send(
      `{"type":"invokefunction","invocation_id":"b6c1c791-8b4d-497d-82af-e0ad45876665","function_id":"state::set","data":{"scope":"s","key":"k","value":${value}}}`,
    );
    await writer.answerTo('b6c1c791-8b4d-497d-82af-e0ad45876665');
    await before.stop();

    const after = stopLater(await startGateway({ dataDir: folder.path, state: FILE_BASED }));
    const reader = await workerOf(after.url);
    await reader.call('state::get', { scope: 's', key: 'k' });
    expect(reader.texts.at(-1)).toContain(`"result":${value}`);
  });

  it('tells every change to the triggers it fits, deletes of nothing included', async () => {
    const { url } = stopLater(await startGateway());
    const worker = await workerOf(url);
    worker.send({ type: 'registerfunction', id: 'watch' });
    worker.send({
      type: 'registertrigger',
      id: 't',
      trigger_type: 'state',
      function_id: 'watch',
      config: { scope: 's' },
    });
    await worker.call('state::set', { scope: 's', key: 'k', value: 1 });
    await worker.call('state::update', {
      scope: 's',
      key: 'k',
      ops: [{ type: 'increment', path: '', by: 2 }],
    });
    await worker.call('state::set', { scope: 'other', key: 'k', value: 1 });
    await worker.call('state::delete', { scope: 's', key: 'k' });
    await worker.call('state::delete', { scope: 's', key: 'never' });
    await worker.received(({ data }) => (data as Frame)?.['key'] === 'never');
    const told = worker.callsOf('watch').map(({ data }) => data as Frame);
    expect(told.map(({ event_type, old_value, new_value }) => [event_type, old_value, new_value])).toEqual([
      ['state:created', null, 1],
      ['state:updated', 1, 3],
      ['state:deleted', 3, null],
      ['state:deleted', null, null],
    ]);
  });

  it.each([
    ['an error', { error: { code: 'x', message: 'y' } }],
    ['false', { result: false }],
  ])(
    'does not fire where the condition answers %s, and does where it answers nothing',
    async (_, refusal) => {
      const { url } = stopLater(await startGateway());
      const worker = await workerOf(url);
      for (const id of ['watch', 'ask']) worker.send({ type: 'registerfunction', id });
      const config = { scope: 's', condition_function_id: 'ask' };
      worker.send({ type: 'registertrigger', id: 't', trigger_type: 'state', function_id: 'watch', config });
      for (const [key, outcome] of [
        ['no', refusal],
        ['yes', {}],
      ] as const) {
        await worker.call('state::set', { scope: 's', key, value: 1 });
        const { invocation_id } = await worker.received(
          ({ function_id, data }) => function_id === 'ask' && (data as Frame)['key'] === key,
        );
        worker.send({ type: 'invocationresult', invocation_id, function_id: 'ask', ...outcome });
      }
      await worker.received(({ function_id }) => function_id === 'watch');
      expect(worker.callsOf('watch').map(({ data }) => (data as Frame)['key'])).toEqual(['yes']);
    },
  );

  it('refuses a trigger config that the engine refuses, and tells its worker', async () => {
    const { url } = stopLater(await startGateway());
    const worker = await workerOf(url);
    worker.send({
      type: 'registertrigger',
      id: 't',
      trigger_type: 'state',
      function_id: 'f',
      config: { scope: 5 },
    });
    expect(await worker.received(({ type }) => type === 'triggerregistrationresult')).toMatchObject({
      id: 't',
      error: { code: 'trigger_registration_failed' },
    });
  });

  it('honours max_value_bytes and triggers_enabled', async () => {
    const { url } = stopLater(
      await startGateway({ state: { max_value_bytes: 10, triggers_enabled: false } }),
    );
    const worker = await workerOf(url);
    worker.send({ type: 'registerfunction', id: 'watch' });
    worker.send({
      type: 'registertrigger',
      id: 't',
      trigger_type: 'state',
      function_id: 'watch',
      config: {},
    });
    const refused = await worker.call('state::set', { scope: 's', key: 'k', value: 'x'.repeat(9) });
    expect(refused['error']).toMatchObject({ code: 'VALUE_TOO_LARGE' });
    expect(
      await worker.call('state::set', { scope: 's', key: 'k', value: 'x'.repeat(8) }),
    ).not.toHaveProperty('error');
    await worker.call('state::get', { scope: 's', key: 'k' });
    expect(worker.callsOf('watch')).toEqual([]);
  });
});

describe('an engine without State', () => {
  it('has no state functions, until a worker provides them', async () => {
    const { url } = stopLater(await startGateway({ state: false }));
    const [user, provider] = [await workerOf(url), await workerOf(url)];
    expect((await user.call('state::get', { scope: 's', key: 'k' }))['error']).toMatchObject({
      code: 'function_not_found',
    });
    user.send({
      type: 'registertrigger',
      id: 't',
      trigger_type: 'state',
      function_id: 'watch',
      config: { scope: 's' },
    });
    provider.send({ type: 'registerfunction', id: 'state::get' });
    provider.send({ type: 'registertriggertype', id: 'state', description: 'changes' });
    expect(await provider.received(({ type }) => type === 'registertrigger')).toMatchObject({
      id: 't',
      config: { scope: 's' },
    });
    const answer = user.call('state::get', { scope: 's', key: 'k' });
    const { invocation_id, data } = await provider.received(
      ({ function_id }) => function_id === 'state::get',
    );
    expect(data).toMatchObject({ scope: 's', key: 'k', _caller_worker_id: expect.any(String) });
    provider.send({ type: 'invocationresult', invocation_id, function_id: 'state::get' });
    expect(await answer).not.toHaveProperty('result');
  });

  it('while with State no worker can take its functions over', async () => {
    const { url } = stopLater(await startGateway());
    const worker = await workerOf(url);
    worker.send({ type: 'registerfunction', id: 'state::set' });
    expect(await worker.received(({ type }) => type === 'registrationrejected')).toMatchObject({
      code: 'FUNCTION_NAMESPACE_CONFLICT',
      function_id: 'state::set',
    });
    worker.send({ type: 'registerfunction', id: 'state::onUserUpdated' });
    await worker.call('state::set', { scope: 's', key: 'k', value: 1 });
    expect(worker.frames.filter(({ type }) => type === 'registrationrejected')).toHaveLength(1);
  });
});
