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
function fire(engine: FakeEngine, subscription: Frame, data: unknown): string {
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

  it('once, for a hundred triggers of ten workers', async () => {
    const engine = stopLater(await FakeEngine.start());
    const { url } = stopLater(await startGateway({ remote: engine.url }));
    const workers = await Promise.all(Array.from({ length: 10 }, () => workerOf(url)));
    for (const [n, worker] of workers.entries()) {
      worker.send({ type: 'registerfunction', id: `watch-${n}` });
      for (let m = 0; m < 10; m += 1) {
        const trigger = { id: `t-${n}-${m}`, trigger_type: 'state', function_id: `watch-${n}` };
        worker.send({ type: 'registertrigger', ...trigger, config: { scope: 's', key: `k${m}` } });
      }
      await worker.call('engine::workers::list', {});
    }
    expect(subscriptions(engine).map(({ config }) => config)).toEqual([{ scope: 's' }]);
    await Promise.all(workers.map((worker) => worker.stop()));
    await engine.received(({ type }) => type === 'unregistertrigger');
    expect(engine.frames.filter(({ type }) => type === 'unregistertrigger')).toHaveLength(1);
  });

  it('for single scopes again, when nobody wants every scope any more', async () => {
    const engine = stopLater(await FakeEngine.start());
    const { url } = stopLater(await startGateway({ remote: engine.url }));
    const worker = await workerOf(url);
    watch(worker, 'everything', {});
    const everything = await engine.received(({ type }) => type === 'registertrigger');
    watch(worker, 'a', { scope: 'a' });
    watch(worker, 'b', { scope: 'b', key: null, condition_function_id: null });
    await worker.call('engine::workers::list', {});
    expect(subscriptions(engine)).toHaveLength(1);
    worker.send({ type: 'unregistertrigger', id: 'everything', trigger_type: 'state' });
    await engine.received(({ config }) => (config as { scope?: string })?.scope === 'b');
    expect(subscriptions(engine).map(({ config }) => config)).toEqual([{}, { scope: 'a' }, { scope: 'b' }]);
    expect(engine.frames).toContainEqual({
      type: 'unregistertrigger',
      id: everything['id'],
      trigger_type: 'state',
    });
  });

  it('for nothing, where triggers are switched off', async () => {
    const engine = stopLater(await FakeEngine.start());
    const { url } = stopLater(await startGateway({ remote: engine.url, state: { triggers_enabled: false } }));
    engine.reply('state::get', () => ({ result: 1 }));
    await engine.received(({ function_id }) => function_id === 'engine::workers::register');
    const worker = await workerOf(url);
    watch(worker, 'a', { scope: 's' });
    await worker.call('state::get', { scope: 's', key: 'k' });
    expect(subscriptions(engine)).toEqual([]);
  });

  it('again when the engine comes back, in the way that it then knows', async () => {
    const engine = await FakeEngine.start();
    const { port, url } = engine;
    const gateway = stopLater(await startGateway({ remote: url }));
    const worker = await workerOf(gateway.url);
    watch(worker, 'a', { scope: 's' });
    await engine.received(({ type }) => type === 'registertrigger');
    await engine.stop();
    const newer = stopLater(await FakeEngine.start({ port, features: ['observe.v1', 'observe.v2'] }));
    await newer.received(({ type }) => type === 'observe');
    expect(subscriptions(newer)).toEqual([]);
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

  it('are taken from the engine before any handler is called', async () => {
    const engine = stopLater(await FakeEngine.start());
    const { url } = stopLater(await startGateway({ remote: engine.url }));
    const worker = await workerOf(url);
    watch(worker, 'a', { scope: 's' });
    const subscription = await engine.received(({ type }) => type === 'registertrigger');
    for (let round = 0; round < 20; round += 1) {
      const order: string[] = [];
      const id = fire(engine, subscription, change('s', 'k', round));
      const answered = engine.next(({ invocation_id }) => invocation_id === id);
      await Promise.all([
        answered.then((answer) => {
          expect(answer).not.toHaveProperty('error');
          order.push('answer');
        }),
        worker.next(isEvent).then(() => order.push('event')), // which this worker never answers
      ]);
      expect(order).toEqual(['answer', 'event']);
    }
  });

  it('wait for nobody: neither a handler that never answers nor a worker that is gone', async () => {
    const engine = stopLater(await FakeEngine.start());
    const { url } = stopLater(await startGateway({ remote: engine.url }));
    const [mute, gone, lively] = [await workerOf(url), await RawWorker.connect(url), await workerOf(url)];
    for (const [n, worker] of [mute, gone, lively].entries()) {
      worker.send({ type: 'registerfunction', id: `watch-${n}` });
      const trigger = {
        id: `t${n}`,
        trigger_type: 'state',
        function_id: `watch-${n}`,
        config: { scope: 's' },
      };
      worker.send({ type: 'registertrigger', ...trigger });
      await worker.call('engine::workers::list', {});
    }
    await gone.stop();
    const [subscription] = subscriptions(engine);
    for (let n = 0; n < 50; n += 1) fire(engine, subscription as Frame, change('s', 'k', n));
    await lively.received(({ data }) => (data as Frame | undefined)?.['new_value'] === 49);
    expect(lively.callsOf('watch-2').map(({ data }) => (data as Frame)['new_value'])).toEqual([
      ...Array(50).keys(),
    ]);
  });

  it('are told to the digit', async () => {
    const engine = stopLater(await FakeEngine.start());
    const { url } = stopLater(await startGateway({ remote: engine.url }));
    const worker = await workerOf(url);
    watch(worker, 'a', { scope: 's' });
    const { function_id } = await engine.received(({ type }) => type === 'registertrigger');
    const members =
      '"type":"state","event_type":"state:updated","scope":"s","key":"k","old_value":1.0,"new_value":{"n":18446744073709551615}';
    for (const data of [`{${members}}`, `{"_caller_worker_id":"w",${members}}`]) {
      const told = worker.next(isEvent);
      engine.send(
        `{"type":"invokefunction","invocation_id":"${crypto.randomUUID()}","function_id":"${function_id}","data":${data}}`,
      );
      await told;
      expect(worker.texts.at(-1)).toContain(`"data":{${members}}`);
    }
  });

  it.each([
    ['no object', 'text'],
    ['nothing', undefined],
    ['another document', { type: 'cron', at: 0 }],
    ['a document without a scope', { ...change('s', 'k', 1), scope: null }],
  ])('that are none are answered and told to nobody: %s', async (_, data) => {
    const engine = stopLater(await FakeEngine.start());
    const { url } = stopLater(await startGateway({ remote: engine.url }));
    const worker = await workerOf(url);
    watch(worker, 'a', {});
    const subscription = await engine.received(({ type }) => type === 'registertrigger');
    const id = fire(engine, subscription, data);
    await engine.received(({ invocation_id }) => invocation_id === id);
    fire(engine, subscription, change('s', 'real', 1));
    await worker.received(isEvent);
    expect(worker.callsOf('watch').map(({ data: event }) => (event as Frame)['key'])).toEqual(['real']);
  });

  it('come through two gateways', async () => {
    const hub = stopLater(await startHub());
    const middle = stopLater(await startGateway({ remote: hub.url }));
    const { url } = stopLater(await startGateway({ remote: middle.url }));
    const worker = await workerOf(url);
    watch(worker, 'a', { scope: 's' });
    const direct = stopLater(await RawWorker.connect(hub.url));
    await expect
      .poll(async () => {
        await direct.call('state::set', { scope: 's', key: 'k', value: 1 });
        return worker.callsOf('watch').length;
      })
      .toBeGreaterThan(0);
    expect(worker.callsOf('watch')[0]?.['data']).toMatchObject({ scope: 's', key: 'k', new_value: 1 });
    expect(Object.keys(worker.callsOf('watch')[0]?.['data'] as Frame)).toHaveLength(6);
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

  it('also for every scope at once, and what it adds is left out', async () => {
    const engine = stopLater(await FakeEngine.start({ features: ['observe.v2'] }));
    const { url } = stopLater(await startGateway({ remote: engine.url }));
    const worker = await workerOf(url);
    watch(worker, 'a', { scope: 's' });
    const single = await engine.received(({ type }) => type === 'observe');
    watch(worker, 'b', {});
    const everything = await engine.next(({ type }) => type === 'observe');
    expect(everything['source']).toMatchObject({ filters: {} });
    await engine.received(({ type, id }) => type === 'unobserve' && id === single['id']);
    const { function_id } = everything['target'] as Frame;
    const marked = { ...change('elsewhere', 'k', 1), _caller_worker_id: 'w', event_id: 'e' };
    fire(engine, { type: 'observe', function_id }, envelope(marked));
    expect((await worker.received(isEvent))['data']).toEqual(change('elsewhere', 'k', 1));
  });

  it('but one that will not say what it has is subscribed to', async () => {
    const engine = stopLater(await FakeEngine.start({ features: ['observe.v1'] }));
    const error = { code: 'FORBIDDEN', message: 'no' };
    engine.reply('engine::functions::info', () => ({ error }));
    const { url, log } = stopLater(await startGateway({ remote: engine.url }));
    const worker = await workerOf(url);
    watch(worker, 'a', { scope: 's' });
    await engine.received(({ type }) => type === 'registertrigger');
    expect(log()).toContain('did not tell what it offers');
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
