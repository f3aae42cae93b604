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

  it('keeps scopes, keys and their order across a restart', async () => {
    const folder = await tempDir();
    stopLater({ stop: () => folder.remove() });
    const before = await startGateway({ dataDir: folder.path, state: FILE_BASED });
    const writer = await workerOf(before.url);
    for (const key of ['b', 'a', 'gone', 'c']) {
      await writer.call('state::set', { scope: 's', key, value: key });
      await writer.call('state::set', { scope: `only ${key}`, key, value: 1 });
    }
    await writer.call('state::update', {
      scope: 's',
      key: 'b',
      ops: [{ type: 'append', path: '', value: '!' }],
    });
    for (const scope of ['s', 'only gone']) await writer.call('state::delete', { scope, key: 'gone' });
    const questions = [
      ['state::list', { scope: 's' }],
      ['state::list_keys', { scope: 's' }],
      ['state::list_groups', {}],
      ['state::list_entries', { scope: 's' }],
    ] as const;
    const askAll = async (worker: RawWorker) => {
      const answers = await Promise.all(questions.map(([functionId, data]) => worker.call(functionId, data)));
      return answers.map(({ result }) => result);
    };
    const answers = await askAll(writer);
    expect(answers[0]).toEqual(['b!', 'a', 'c']);
    expect(answers[2]).toEqual({ groups: ['only a', 'only b', 'only c', 's'] });
    await before.stop();

    const after = stopLater(await startGateway({ dataDir: folder.path, state: FILE_BASED }));
    const reader = await workerOf(after.url);
    expect(await askAll(reader)).toEqual(answers);
    expect((await reader.call('state::get', { scope: 's', key: 'gone' }))['result']).toBeUndefined();
  });

  it('tells an event of one key to those alone who want it, with the metadata of each', async () => {
    const { url } = stopLater(await startGateway());
    const [worker, other] = [await workerOf(url), await workerOf(url)];
    for (const [watcher, id, config, metadata] of [
      [worker, 'key', { scope: 's', key: 'k' }, { of: 'key' }],
      [worker, 'scope', { scope: 's' }, [1]],
      [other, 'everything', {}, undefined],
      [other, 'another key', { scope: 's', key: 'other' }, undefined],
      [other, 'that key anywhere', { key: 'k', scope: null }, null],
    ] as const) {
      watcher.send({ type: 'registerfunction', id: `watch ${id}` });
      const trigger = { id, trigger_type: 'state', function_id: `watch ${id}`, config, metadata };
      watcher.send({ type: 'registertrigger', ...trigger });
      await watcher.call('engine::workers::list', {});
    }
    await worker.call('state::set', { scope: 's', key: 'k', value: 1 });
    await worker.received(({ function_id }) => function_id === 'watch scope');
    await other.received(({ function_id }) => function_id === 'watch that key anywhere');
    const told = [worker, other].flatMap(({ frames }) =>
      frames
        .filter(({ type }) => type === 'invokefunction')
        .map(({ function_id, metadata, data }) => {
          expect(Object.keys(data as Frame).sort()).toEqual(
            ['event_type', 'key', 'new_value', 'old_value', 'scope', 'type'], // and no `_caller_worker_id`
          );
          return [function_id, metadata];
        }),
    );
    expect(new Map(told as [string, unknown][])).toEqual(
      new Map<string, unknown>([
        ['watch key', { of: 'key' }],
        ['watch scope', [1]],
        ['watch everything', undefined],
        ['watch that key anywhere', undefined],
      ]),
    );
    expect(told).toHaveLength(4);
  });

  it('answers a writer without waiting for any handler or condition', async () => {
    const { url } = stopLater(await startGateway());
    const [worker, writer] = [await workerOf(url), await workerOf(url)];
    for (const id of ['watch', 'ask']) worker.send({ type: 'registerfunction', id });
    for (const [id, config] of [
      ['a', {}],
      ['b', { condition_function_id: 'ask' }],
    ] as const) {
      worker.send({ type: 'registertrigger', id, trigger_type: 'state', function_id: 'watch', config });
    }
    await worker.call('engine::workers::list', {});
    for (let n = 0; n < 20; n += 1) await writer.call('state::set', { scope: 's', key: 'k', value: n });
    await worker.received(({ data }) => (data as Frame | undefined)?.['new_value'] === 19);
    expect(worker.callsOf('ask')).toHaveLength(1); // which was never answered
  });

  it('does not fire where nobody offers the condition', async () => {
    const { url } = stopLater(await startGateway());
    const worker = await workerOf(url);
    worker.send({ type: 'registerfunction', id: 'watch' });
    for (const [id, config] of [
      ['a', { scope: 's', condition_function_id: 'nobody::offers' }],
      ['b', { scope: 'end' }],
    ] as const) {
      worker.send({ type: 'registertrigger', id, trigger_type: 'state', function_id: 'watch', config });
    }
    await worker.call('state::set', { scope: 's', key: 'k', value: 1 });
    await worker.call('state::set', { scope: 'end', key: 'k', value: 1 });
    await worker.received(({ function_id }) => function_id === 'watch');
    expect(worker.callsOf('watch').map(({ data }) => (data as Frame)['scope'])).toEqual(['end']);
  });

  it('fires where the condition answers an object, and asks it with the event', async () => {
    const { url } = stopLater(await startGateway());
    const worker = await workerOf(url);
    for (const id of ['watch', 'ask']) worker.send({ type: 'registerfunction', id });
    const config = { scope: 's', condition_function_id: 'ask' };
    const trigger = { id: 't', trigger_type: 'state', function_id: 'watch', config, metadata: { m: 1 } };
    worker.send({ type: 'registertrigger', ...trigger });
    await worker.call('state::set', { scope: 's', key: 'k', value: 1 });
    const question = await worker.received(({ function_id }) => function_id === 'ask');
    expect(question).not.toHaveProperty('metadata');
    const { invocation_id } = question;
    worker.send({ type: 'invocationresult', invocation_id, function_id: 'ask', result: { fire: false } });
    const event = await worker.received(({ function_id }) => function_id === 'watch');
    expect(event['data']).toEqual(question['data']);
    expect(event['metadata']).toEqual({ m: 1 });
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
    const refused = await worker.call('state::set', { scope: 's', key: 'k', value: 'é'.repeat(5) });
    expect(refused['error']).toEqual({
      code: 'VALUE_TOO_LARGE',
      message: 'value of 12 bytes exceeds the configured max_value_bytes limit of 10',
    });
    expect(await worker.call('state::get', { scope: 's', key: 'k' })).not.toHaveProperty('result');
    expect(
      await worker.call('state::set', { scope: 's', key: 'k', value: 'x'.repeat(8) }),
    ).not.toHaveProperty('error');
    const ops = [{ type: 'append', path: '', value: 'and an update may go beyond' }];
    expect((await worker.call('state::update', { scope: 's', key: 'k', ops }))['result']).toMatchObject({
      new_value: 'xxxxxxxxand an update may go beyond',
    });
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

  it('hands its triggers to every next provider, and what the provider fires to the handlers', async () => {
    const { url } = stopLater(await startGateway({ state: false }));
    const user = await workerOf(url);
    user.send({ type: 'registerfunction', id: 'watch' });
    const trigger = { id: 't', trigger_type: 'state', function_id: 'watch', config: { scope: 's' } };
    user.send({ type: 'registertrigger', ...trigger, metadata: { m: 1 } });
    await user.call('engine::workers::list', {});

    for (let round = 1; round <= 2; round += 1) {
      const provider = await workerOf(url);
      for (const id of ['state::set', 'state::get']) provider.send({ type: 'registerfunction', id });
      provider.send({ type: 'registertriggertype', id: 'state', description: 'changes' });
      const handed = await provider.received(({ type }) => type === 'registertrigger');
      expect(handed).toEqual({ type: 'registertrigger', ...trigger, metadata: { m: 1 } });

      const { function_id, metadata } = handed;
      const told = user.next(({ type }) => type === 'invokefunction');
      void provider.call(String(function_id), { round }, { metadata });
      expect(await told).toMatchObject({
        function_id: 'watch',
        metadata: { m: 1 },
        data: { round, _caller_worker_id: expect.any(String) },
      });

      const pending = user.call('state::set', { scope: 's', key: 'k', value: round });
      await provider.received(({ function_id: called }) => called === 'state::set');
      await provider.stop();
      expect((await pending)['error']).toMatchObject({ code: 'invocation_stopped' });
      expect((await user.call('state::set', {}))['error']).toMatchObject({ code: 'function_not_found' });
    }
  });

  it('tells a provider which triggers are gone, and a registrant what the provider refuses', async () => {
    const { url } = stopLater(await startGateway({ state: false }));
    const [user, provider] = [await workerOf(url), await workerOf(url)];
    provider.send({ type: 'registertriggertype', id: 'state', description: 'changes' });
    await provider.call('engine::workers::list', {});
    const trigger = { id: 't', trigger_type: 'state', function_id: 'watch', config: { scope: 5 } };
    user.send({ type: 'registertrigger', ...trigger });
    await provider.received(({ type }) => type === 'registertrigger');
    const error = { code: 'trigger_registration_failed', message: 'scope is no string' };
    const { id, trigger_type, function_id } = trigger;
    provider.send({ type: 'triggerregistrationresult', id, trigger_type, function_id, error });
    expect(await user.received(({ type }) => type === 'triggerregistrationresult')).toMatchObject({
      id,
      error,
    });

    user.send({ type: 'registertrigger', ...trigger, config: {}, id: 'good' });
    await provider.received(({ type, id: handed }) => type === 'registertrigger' && handed === 'good');
    await user.stop();
    expect(await provider.received(({ type }) => type === 'unregistertrigger')).toMatchObject({
      id: 'good',
      trigger_type: 'state',
    });
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
