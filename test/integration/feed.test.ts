import { describe, expect, it } from 'vitest';
import { FakeEngine } from '../support/fake-engine.js';
import type { Frame } from '../support/frame-log.js';
import { startGateway } from '../support/gateway.js';
import { startHub } from '../support/hub.js';
import { RawWorker } from '../support/raw-worker.js';
import { stopsAfterEach } from '../support/running.js';

const stopLater = stopsAfterEach();

const change = (scope: string, key: string, value: unknown) => ({
  type: 'state',
  event_type: 'state:created',
  scope,
  key,
  old_value: null,
  new_value: value,
});

async function workerOf(url: string): Promise<RawWorker> {
  const worker = stopLater(await RawWorker.connect(url));
  worker.send({ type: 'registerfunction', id: 'watch' });
  return worker;
}

function watch(worker: RawWorker, id: string, config: object, more: object = {}): void {
  worker.send({ type: 'registertrigger', id, trigger_type: 'state', function_id: 'watch', config, ...more });
}

const isEvent = ({ type, function_id }: Frame) => type === 'invokefunction' && function_id === 'watch';
const subscriptions = (engine: FakeEngine) => engine.frames.filter(({ type }) => type === 'registertrigger');

/** Fires the gateway's feed, as an engine does when a trigger fires. */
function fire(engine: FakeEngine, subscription: Frame, data: object): string {
  const invocation_id = crypto.randomUUID();
  engine.send({
    type: 'invokefunction',
    invocation_id,
    function_id: String(subscription['function_id']),
    data,
  });
  return invocation_id;
}

describe('the remote is asked for what somebody here wants', () => {
  it('once for a scope, however many triggers name it, and no longer when they are gone', async () => {
    const engine = stopLater(await FakeEngine.start());
    const { url } = stopLater(await startGateway({ remote: engine.url }));
    const worker = await workerOf(url);
    watch(worker, 'a', { scope: 's' });
    watch(worker, 'b', { scope: 's', key: 'k' });
    watch(worker, 'c', { scope: 'other' });
    await engine.received(({ config }) => (config as { scope?: string })?.scope === 'other');
    expect(subscriptions(engine).map(({ config }) => config)).toEqual([{ scope: 's' }, { scope: 'other' }]);

    worker.send({ type: 'unregistertrigger', id: 'a', trigger_type: 'state' });
    worker.send({ type: 'unregistertrigger', id: 'c', trigger_type: 'state' });
    const gone = await engine.received(({ type }) => type === 'unregistertrigger');
    expect(gone['id']).toBe(subscriptions(engine)[1]?.['id']);
    await worker.stop();
    const rest = await engine.next(({ type }) => type === 'unregistertrigger');
    expect(rest['id']).toBe(subscriptions(engine)[0]?.['id']);
  });

  it('for everything, in place of single scopes, when somebody wants every scope', async () => {
    const engine = stopLater(await FakeEngine.start());
    const { url } = stopLater(await startGateway({ remote: engine.url }));
    const worker = await workerOf(url);
    watch(worker, 'a', { scope: 's' });
    const single = await engine.received(({ type }) => type === 'registertrigger');
    watch(worker, 'b', {});
    const everything = await engine.next(({ type }) => type === 'registertrigger');
    expect(everything['config']).toEqual({});
    expect(await engine.received(({ type }) => type === 'unregistertrigger')).toMatchObject({
      id: single['id'],
    });

    fire(engine, everything, change('s', 'k', 1));
    await worker.received(isEvent);
    fire(engine, everything, change('elsewhere', 'k', 2));
    await worker.received((frame) => isEvent(frame) && (frame['data'] as Frame)['scope'] === 'elsewhere');
    expect(worker.callsOf('watch').map(({ data }) => (data as Frame)['scope'])).toEqual([
      's',
      's',
      'elsewhere',
    ]);
  });
});

describe('changes of others', () => {
  it('reach the triggers whose scope, key and condition they fit, with the metadata', async () => {
    const engine = stopLater(await FakeEngine.start());
    const { url } = stopLater(await startGateway({ remote: engine.url }));
    const worker = await workerOf(url);
    watch(worker, 'key', { scope: 's', key: 'wanted' }, { metadata: { m: 1 } });
    const subscription = await engine.received(({ type }) => type === 'registertrigger');
    fire(engine, subscription, change('s', 'unwanted', 1));
    fire(engine, subscription, { ...change('s', 'wanted', 2), _caller_worker_id: 'somebody' });
    const event = await worker.received(isEvent);
    expect(event).toMatchObject({ metadata: { m: 1 } });
    expect(event['data']).toEqual(change('s', 'wanted', 2));
  });

  it.each([
    [false, 0],
    [0, 1],
    [null, 1],
    [{ any: 'thing' }, 1],
  ])('pass a condition that says %j %i times', async (verdict, times) => {
    const engine = stopLater(await FakeEngine.start());
    const { url } = stopLater(await startGateway({ remote: engine.url }));
    const worker = await workerOf(url);
    worker.send({ type: 'registerfunction', id: 'condition' });
    watch(worker, 'a', { scope: 's', condition_function_id: 'condition' });
    watch(worker, 'b', { scope: 's', key: 'last' });
    const subscription = await engine.received(({ type }) => type === 'registertrigger');
    fire(engine, subscription, change('s', 'k', 1));
    const { invocation_id } = await worker.received(({ function_id }) => function_id === 'condition');
    worker.send({ type: 'invocationresult', invocation_id, function_id: 'condition', result: verdict });
    fire(engine, subscription, change('s', 'last', 2));
    await worker.received((frame) => isEvent(frame) && (frame['data'] as Frame)['key'] === 'last');
    const told = worker.callsOf('watch').filter(({ data }) => (data as Frame)['key'] === 'k');
    expect(told).toHaveLength(times);
  });

  it('are taken from the engine before any handler has answered', async () => {
    const engine = stopLater(await FakeEngine.start());
    const { url } = stopLater(await startGateway({ remote: engine.url }));
    const worker = await workerOf(url);
    watch(worker, 'a', { scope: 's' });
    const subscription = await engine.received(({ type }) => type === 'registertrigger');
    const id = fire(engine, subscription, change('s', 'k', 1));
    const answer = await engine.received(
      ({ type, invocation_id }) => type === 'invocationresult' && invocation_id === id,
    );
    expect(answer).not.toHaveProperty('error');
    await worker.received(isEvent); // which this worker never answers
  });

  it('and our own come once, from the hub', async () => {
    const hub = stopLater(await startHub());
    const { url } = stopLater(await startGateway({ remote: hub.url }));
    const worker = await workerOf(url);
    watch(worker, 'a', { scope: 's' });
    const direct = stopLater(await RawWorker.connect(hub.url));
    await expect
      .poll(async () => {
        await direct.call('state::set', { scope: 's', key: 'probe', value: 0 });
        return worker.callsOf('watch').length;
      })
      .toBeGreaterThan(0);
    await worker.call('state::set', { scope: 's', key: 'own', value: 1 });
    await worker.call('state::set', { scope: 's', key: 'own', value: 2 });
    await direct.call('state::set', { scope: 's', key: 'end', value: 3 });
    await worker.received((frame) => isEvent(frame) && (frame['data'] as Frame)['key'] === 'end');
    const own = worker
      .callsOf('watch')
      .map(({ data }) => data as Frame)
      .filter(({ key }) => key === 'own');
    expect(own.map(({ new_value }) => new_value)).toEqual([1, 2]);
  });
});

describe('an engine without triggers is observed instead', () => {
  const envelope = (document: object) => ({
    observer_id: 'o',
    activation_id: 'a',
    function_id: 'state::on-changed',
    status: 'success',
    input: document,
  });

  it('from 0.26 on', async () => {
    const engine = stopLater(
      await FakeEngine.start({ features: ['observe.v1', 'observe.v2', 'local-dispatch.v1'] }),
    );
    const { url } = stopLater(await startGateway({ remote: engine.url }));
    const worker = await workerOf(url);
    watch(worker, 'a', { scope: 's' });
    const observe = await engine.received(({ type }) => type === 'observe');
    expect(observe['source']).toEqual({
      function_id: 'state::on-changed',
      filters: { 'input.scope': { $eq: 's' } },
      capture: ['input'],
    });
    const { function_id } = observe['target'] as Frame;
    engine.send({
      type: 'invokefunction',
      invocation_id: crypto.randomUUID(),
      function_id,
      data: envelope(change('s', 'k', 1)),
      activation: { observer_id: observe['id'], activation_id: 'x' },
    });
    expect((await worker.received(isEvent))['data']).toEqual(change('s', 'k', 1));
    expect(subscriptions(engine)).toEqual([]);
    worker.send({ type: 'unregistertrigger', id: 'a', trigger_type: 'state' });
    expect(await engine.received(({ type }) => type === 'unobserve')).toMatchObject({ id: observe['id'] });
  });

  it.each([
    [
      'observed, if its state worker has the function',
      { function_id: 'state::on-changed', worker_name: 'state' },
      'observe',
    ],
    ['subscribed to, if not', { function_id: 'state::on-changed', error: 'not_found' }, 'registertrigger'],
  ])('and 0.25 is %s', async (_, row, expected) => {
    const engine = stopLater(await FakeEngine.start({ features: ['observe.v1'] }));
    engine.reply('engine::functions::info', () => ({ result: { functions: [row] } }));
    const { url } = stopLater(await startGateway({ remote: engine.url }));
    const worker = await workerOf(url);
    watch(worker, 'a', { scope: 's' });
    const asked = await engine.received(({ type }) => type === 'observe' || type === 'registertrigger');
    expect(asked.type).toBe(expected);
  });
});
