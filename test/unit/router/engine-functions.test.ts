import { beforeEach, describe, expect, it } from 'vitest';
import { isObject, type Json, type JsonObject } from '../../../src/protocol/json.js';
import { Payload } from '../../../src/protocol/payload.js';
import { Channels } from '../../../src/router/channels.js';
import { offerEngineEvents } from '../../../src/router/engine-events.js';
import { offerEngineFunctions } from '../../../src/router/engine-functions.js';
import { offerPubSub } from '../../../src/router/pubsub.js';
import type { Router } from '../../../src/router/router.js';
import { FakeWorker, makeRouter } from '../../support/fake-worker.js';

let router: Router;
let worker: FakeWorker;

beforeEach(async () => {
  router = setUp(makeRouter());
  router.offer('state::set', { description: 'Sets a value', call: async () => Payload.of(null) });
  worker = FakeWorker.connect(router, 'w1');
  await worker.asks('engine::workers::register', { name: 'svc', runtime: 'node', version: '0.22.1', pid: 5 });
  worker.registers('svc::one', {
    description: 'Does one thing',
    request_format: { type: 'object' },
    response_format: { type: 'string' },
    metadata: { tier: 'free' },
  });
  worker.registers('svc::hidden', { metadata: { internal: true } });
});

function setUp(router: Router): Router {
  const context = { now: () => 5000, randomUuid: makeIds() };
  offerEngineFunctions(router, { ...context, channels: new Channels(context), version: '1.2.3' });
  offerEngineEvents(router, { defer: () => undefined });
  offerPubSub(router);
  return router;
}

function makeIds(): () => string {
  let made = 0;
  return () => {
    made += 1;
    return `uuid-${made}`;
  };
}

async function ask(functionId: string, data: Json = {}): Promise<JsonObject> {
  const { result, error } = await worker.asks(functionId, data);
  if (error) return { error: `${error.code}: ${error.message}` };
  if (!isObject(result?.value)) throw new Error(`${functionId} answered ${result?.text}`);
  return result.value;
}

function idsOf(answer: JsonObject, list: string, id: string): Json[] {
  const rows = answer[list];
  if (!Array.isArray(rows)) throw new Error(JSON.stringify(answer));
  return rows.map((row) => (isObject(row) ? (row[id] ?? null) : null));
}

describe('engine::functions::list', () => {
  it('shows functions by id, with the members that any SDK reads', async () => {
    expect(await ask('engine::functions::list', { prefix: 'svc' })).toEqual({
      functions: [
        {
          function_id: 'svc::one',
          namespace: 'default',
          worker_name: 'svc',
          description: 'Does one thing',
          metadata: { tier: 'free' },
          request_format: { type: 'object' },
          response_format: { type: 'string' },
        },
      ],
    });
  });

  it.each<[JsonObject, string[]]>([
    [{}, ['publish', 'state::set', 'svc::one']],
    [{ search: 'STATE' }, ['state::set']],
    [{ search: 'one thing' }, ['svc::one']],
    [{ search: 'no such words' }, []],
    [{ worker: 'iii-state' }, ['state::set']],
    [{ worker: 'iii-state', workers: ['svc'] }, ['state::set', 'svc::one']],
    [{ workers: [] }, ['publish', 'state::set', 'svc::one']],
    [{ prefix: 'svc', include_internal: true }, ['svc::hidden', 'svc::one']],
    [{ prefix: 'engine::functions' }, []],
    [
      { prefix: 'engine::functions', include_internal: true },
      ['engine::functions::info', 'engine::functions::list'],
    ],
  ])('picks by %j', async (filter, ids) => {
    expect(idsOf(await ask('engine::functions::list', filter), 'functions', 'function_id')).toEqual(ids);
  });

  it.each<[Json, string]>([
    [5, 'expected an object'],
    [{ search: 5 }, '`search` is not a string'],
    [{ include_internal: 'yes' }, '`include_internal` is not a boolean'],
    [{ workers: [5] }, '`workers` is not an array of strings'],
  ])('refuses %j', async (data, detail) => {
    expect(await ask('engine::functions::list', data)).toEqual({
      error: `deserialization_error: Failed to deserialize input for engine::functions::list: ${detail}`,
    });
  });
});

describe('engine::functions::info', () => {
  it('shows a function with its schemas and the triggers that are served', async () => {
    worker.binds('t1', 'subscribe', 'svc::one', { config: { topic: 'x' } });
    worker.binds('t2', 'nobody::provides', 'svc::one');

    expect(await ask('engine::functions::info', { function_id: 'svc::one' })).toEqual({
      function_id: 'svc::one',
      namespace: 'default',
      worker_name: 'svc',
      description: 'Does one thing',
      request_schema: { type: 'object' },
      response_schema: { type: 'string' },
      metadata: { tier: 'free' },
      registered_triggers: [{ id: 't1', trigger_type: 'subscribe', config: { topic: 'x' } }],
    });
  });

  it('says that State is ours, or which worker’s it is', async () => {
    expect(await ask('engine::functions::info', { function_id: 'state::set' })).toMatchObject({
      worker_name: 'iii-state',
    });

    router = setUp(makeRouter({ stateIsOurs: false }));
    worker = FakeWorker.connect(router, 'w1');
    worker.registers('state::set');
    expect(await ask('engine::functions::info', { function_id: 'state::set' })).toMatchObject({
      worker_name: 'state',
    });
    await worker.asks('engine::workers::register', { name: 'their-state', pid: 5 });
    expect(await ask('engine::functions::info', { function_id: 'state::set' })).toMatchObject({
      worker_name: 'their-state',
    });
    expect(idsOf(await ask('engine::workers::list'), 'workers', 'name')).not.toContain('iii-state');
  });

  it('shows several at once, and which of them are not there', async () => {
    const answer = await ask('engine::functions::info', { function_ids: ['svc::one', 'nope', 'nope'] });

    expect(answer).toMatchObject({
      functions: [{ function_id: 'svc::one' }, { function_id: 'nope', error: 'not_found' }],
    });
  });

  it('finds a function of another namespace by its id, if there is only one', async () => {
    const [zoo, farm] = [FakeWorker.connect(router, 'w2'), FakeWorker.connect(router, 'w3')];
    await zoo.asks('engine::workers::register', { name: 'zoo', namespace: 'zoo' });
    await farm.asks('engine::workers::register', { name: 'farm', namespace: 'farm' });
    zoo.registers('animal::feed');
    const feed = { function_id: 'animal::feed' };
    expect(await ask('engine::functions::info', feed)).toMatchObject({ namespace: 'zoo' });

    farm.registers('animal::feed');
    expect(await ask('engine::functions::info', feed)).toEqual({
      error:
        "NOT_FOUND: Function 'animal::feed' is ambiguous: it is registered in namespace(s): farm, zoo. Pass `namespace` to select one.",
    });
    expect(await ask('engine::functions::info', { ...feed, namespace: 'farm' })).toMatchObject({
      worker_name: 'farm',
    });
  });

  it.each<[Json, string]>([
    [{ function_id: 'nope' }, "NOT_FOUND: Function 'nope' is not registered."],
    [{}, 'INVALID_ARGUMENTS: missing field `function_id` (or `function_ids` for a batch)'],
    [
      { function_id: 'a', function_ids: ['b'] },
      'INVALID_ARGUMENTS: pass either `function_id` or `function_ids`, not both',
    ],
    [{ function_ids: [] }, 'INVALID_ARGUMENTS: `function_ids` must be a non-empty array of function ids'],
    [
      { function_ids: Array.from({ length: 33 }, (_, place) => `f${place}`) },
      'INVALID_ARGUMENTS: too many function_ids (max 32)',
    ],
    [
      { function_id: 5 },
      'deserialization_error: Failed to deserialize input for engine::functions::info: `function_id` is not a string',
    ],
  ])('refuses %j', async (data, error) => {
    expect(await ask('engine::functions::info', data)).toEqual({ error });
  });
});

describe('engine::workers::list', () => {
  it('shows a connected worker with the members that any SDK reads', async () => {
    expect(await ask('engine::workers::list', { status: 'connected' })).toEqual({
      workers: [
        {
          id: 'w1',
          name: 'svc',
          namespace: 'default',
          status: 'connected',
          runtime: 'node',
          pid: 5,
          function_count: 2,
          functions: ['svc::hidden', 'svc::one'],
          description: null,
          version: '0.22.1',
          os: null,
          isolation: null,
          ip_address: '192.0.2.1',
          connected_at_ms: 1000,
          active_invocations: 0,
        },
      ],
    });
  });

  it('shows the gateway’s own parts as in-process workers', async () => {
    const answer = await ask('engine::workers::list', { runtime: 'engine' });

    expect(idsOf(answer, 'workers', 'name')).toEqual([
      'iii-engine-functions',
      'iii-pubsub',
      'iii-state',
      'iii-state-gateway',
    ]);
    expect(await ask('engine::workers::list', { search: 'STATE-g' })).toMatchObject({
      workers: [{ isolation: 'in-process', status: 'available', version: '1.2.3', connected_at_ms: 5000 }],
    });
  });

  it('leaves out workers without a pid', async () => {
    FakeWorker.connect(router, 'silent');
    await FakeWorker.connect(router, 'browser').asks('engine::workers::register', { name: 'browser' });

    expect(idsOf(await ask('engine::workers::list', { status: 'connected' }), 'workers', 'name')).toEqual([
      'svc',
    ]);
  });

  it('counts the calls that a worker is executing', async () => {
    void worker.asks('svc::one');

    expect(await ask('engine::workers::list', { search: 'svc' })).toMatchObject({
      workers: [{ active_invocations: 1 }],
    });
  });
});

describe('engine::workers::info', () => {
  it('shows a worker with all that belongs to it', async () => {
    const other = FakeWorker.connect(router, 'w2');
    other.binds('t1', 'subscribe', 'svc::one', { config: { topic: 'x' } });
    worker.provides('my::type');
    const answer = await ask('engine::workers::info', { name: 'svc' });

    expect(answer).toMatchObject({ worker: { id: 'w1', pid: 5, internal: false } });
    expect(idsOf(answer, 'functions', 'function_id')).toEqual(['svc::hidden', 'svc::one']);
    expect(idsOf(answer, 'trigger_types', 'id')).toEqual(['my::type']);
    expect(idsOf(answer, 'registered_triggers', 'id')).toEqual(['t1']);
  });

  it('shows one of our own parts', async () => {
    const answer = await ask('engine::workers::info', { name: 'iii-pubsub' });

    expect(idsOf(answer, 'functions', 'function_id')).toEqual(['publish']);
    expect(idsOf(answer, 'trigger_types', 'id')).toEqual(['subscribe']);
  });

  it.each<[Json, string]>([
    [{ name: 'nope' }, "NOT_FOUND: Worker 'nope' is not connected."],
    [
      { name: 'svc', namespace: 'zoo' },
      "NOT_FOUND: Worker 'svc' is not connected in the requested namespace; it is connected in namespace(s): default.",
    ],
    [
      {},
      'deserialization_error: Failed to deserialize input for engine::workers::info: missing field `name`',
    ],
  ])('refuses %j', async (data, error) => {
    expect(await ask('engine::workers::info', data)).toEqual({ error });
  });
});

describe('engine::triggers::list and info', () => {
  it('show the types of triggers', async () => {
    worker.provides('my::type');

    expect(await ask('engine::triggers::list')).toEqual({
      triggers: [
        { id: 'my::type', namespace: 'default', worker_name: 'svc', description: 'type of w1' },
        {
          id: 'subscribe',
          namespace: 'default',
          worker_name: 'iii-pubsub',
          description: 'Fires when data is published to a topic',
        },
      ],
    });
    expect(
      idsOf(await ask('engine::triggers::list', { worker: 'svc', prefix: 'my' }), 'triggers', 'id'),
    ).toEqual(['my::type']);
    expect(
      idsOf(
        await ask('engine::triggers::list', { search: 'COME', include_internal: true }),
        'triggers',
        'id',
      ),
    ).toEqual(['engine::functions-available', 'engine::workers-available']);
  });

  it('show triggers to an SDK that is from before 0.11', async () => {
    worker.binds('t1', 'subscribe', 'svc::one', { config: { topic: 'x' } });
    await worker.asks('engine::workers::register', { version: '0.9.0' });

    expect(await ask('engine::triggers::list', { include_internal: false })).toMatchObject({
      triggers: [{ id: 't1', trigger_type: 'subscribe', function_id: 'svc::one', config: { topic: 'x' } }],
    });
  });

  it('show one type with its schemas and its number of triggers', async () => {
    worker.says({
      type: 'registertriggertype',
      id: 'my::type',
      description: 'mine',
      trigger_request_format: { a: 1 },
      call_request_format: { b: 1 },
    });
    worker.binds('t1', 'my::type', 'svc::one');

    expect(await ask('engine::triggers::info', { id: 'my::type' })).toEqual({
      id: 'my::type',
      namespace: 'default',
      worker_name: 'svc',
      description: 'mine',
      configuration_schema: { a: 1 },
      request_schema: { b: 1 },
      instance_count: 1,
    });
    expect(await ask('engine::triggers::info', { id: 'nope' })).toEqual({
      error: "NOT_FOUND: Trigger type 'nope' is not registered in namespace 'default'.",
    });
  });
});

describe('engine::registered-triggers::list and info', () => {
  beforeEach(() => {
    worker.binds('t1', 'subscribe', 'svc::one', { config: { topic: 'x'.repeat(100) }, metadata: { m: 1 } });
    worker.binds('t2', 'subscribe', 'other::fn', { config: { topic: 'y' } });
    worker.binds('parked', 'nobody::provides', 'svc::one');
  });

  it('show the triggers that are served, and to whom they belong by their functions', async () => {
    expect(await ask('engine::registered-triggers::list')).toEqual({
      registered_triggers: [
        {
          id: 't1',
          trigger_type: 'subscribe',
          function_id: 'svc::one',
          worker_name: 'svc',
          config: { topic: 'x'.repeat(100) },
          config_summary: `{"topic":"${'x'.repeat(70)}…`,
        },
        {
          id: 't2',
          trigger_type: 'subscribe',
          function_id: 'other::fn',
          worker_name: 'other',
          config: { topic: 'y' },
          config_summary: '{"topic":"y"}',
        },
      ],
    });
  });

  it.each<[JsonObject, string[]]>([
    [{ trigger_type: 'subscribe' }, ['t1', 't2']],
    [{ trigger_type: 'state' }, []],
    [{ function_id: 'svc::one' }, ['t1']],
    [{ worker: 'other' }, ['t2']],
    [{ search: 'T2' }, ['t2']],
  ])('pick by %j', async (filter, ids) => {
    const answer = await ask('engine::registered-triggers::list', filter);

    expect(idsOf(answer, 'registered_triggers', 'id')).toEqual(ids);
  });

  it('show one with its type and its function', async () => {
    expect(await ask('engine::registered-triggers::info', { id: 't1' })).toMatchObject({
      id: 't1',
      metadata: { m: 1 },
      trigger: { id: 'subscribe', instance_count: 2 },
      function: { function_id: 'svc::one', worker_name: 'svc' },
    });
    expect(await ask('engine::registered-triggers::info', { id: 't2' })).not.toHaveProperty('function');
    expect(await ask('engine::registered-triggers::info', { id: 'parked' })).toEqual({
      error: "NOT_FOUND: Registered trigger 'parked' was not found.",
    });
  });
});

describe('engine::channels::create and engine::health::check', () => {
  it('open a channel', async () => {
    expect(await ask('engine::channels::create', { buffer_size: 5 })).toEqual({
      writer: { channel_id: 'uuid-1', access_key: 'uuid-2', direction: 'write' },
      reader: { channel_id: 'uuid-1', access_key: 'uuid-2', direction: 'read' },
    });
    expect(await ask('engine::channels::create', { buffer_size: -1 })).toHaveProperty('error');
  });

  it('say that all is well', async () => {
    expect(await ask('engine::health::check')).toMatchObject({
      status: 'healthy',
      components: { router: { status: 'healthy', details: { workers: 1, triggers: 0 } } },
      timestamp: 5000,
      version: '1.2.3',
    });
  });
});
