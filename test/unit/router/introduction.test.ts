import { beforeEach, describe, expect, it } from 'vitest';
import type { Json } from '../../../src/protocol/json.js';
import { Payload } from '../../../src/protocol/payload.js';
import { Channels } from '../../../src/router/channels.js';
import { offerEngineFunctions } from '../../../src/router/engine-functions.js';
import type { Router } from '../../../src/router/router.js';
import { FakeWorker, makeRouter } from '../../support/fake-worker.js';

let router: Router;
let worker: FakeWorker;

beforeEach(() => {
  router = makeRouter();
  const context = { now: () => 5000, randomUuid: () => 'uuid' };
  offerEngineFunctions(router, { ...context, channels: new Channels(context), version: '1.2.3' });
  worker = FakeWorker.connect(router, 'worker');
});

const introduce = (data: Json) => worker.asks('engine::workers::register', data);

describe('engine::workers::register', () => {
  it('makes a worker known', async () => {
    const events: string[] = [];
    router.workers.on('change', (event, { id }) => events.push(`${event} ${id}`));

    const { result } = await introduce({
      runtime: 'node',
      version: '0.22.1',
      name: 'probe-1',
      description: 'a probe',
      os: 'linux 6.1.0 (x64)',
      pid: 27107,
      isolation: null,
      telemetry: { framework: 'iii-node' },
      features: ['observe.v1'],
      unknown: true,
    });

    expect(result?.value).toEqual({ success: true });
    expect(worker.info).toEqual({
      runtime: 'node',
      version: '0.22.1',
      name: 'probe-1',
      description: 'a probe',
      os: 'linux 6.1.0 (x64)',
      pid: 27107,
      isolation: null,
      telemetry: { framework: 'iii-node' },
      features: ['observe.v1'],
    });
    expect(events).toEqual(['worker_metadata_updated worker']);
  });

  it('works in the same turn, as the call without an answer that it is in SDKs', () => {
    worker.says({
      type: 'invokefunction',
      function_id: 'engine::workers::register',
      data: Payload.of({ name: 'early', namespace: 'orders' }),
      action: { type: 'void' },
    });
    worker.registers('svc::one');

    expect(worker.info?.name).toBe('early');
    expect(router.functions.namespacesOf('svc::one')).toEqual(['orders']);
  });

  it('keeps what is not said again', async () => {
    await introduce({ name: 'first', os: 'linux' });
    await introduce({ name: 'second', os: null });

    expect(worker.info).toMatchObject({ name: 'second', os: 'linux', runtime: 'unknown' });
  });

  it('strips what cannot be seen, and cuts what is long between characters', async () => {
    await introduce({ name: 'a\u0007b\u202ec\n\u2066d', description: `x${'😀'.repeat(400)}` });

    expect(worker.info?.name).toBe('abcd');
    expect(worker.info?.description).toBe(`x${'😀'.repeat(279)}`);
  });

  it.each<[Json, string]>([
    ['text', 'expected an object'],
    [null, 'expected an object'],
    [{ name: 5 }, '`name` is not a string'],
    [{ pid: 'five' }, '`pid` is not a whole number from 0 on'],
    [{ features: 'all' }, '`features` is not an array of strings'],
    [{ telemetry: [] }, '`telemetry` is not an object'],
  ])('refuses %j', async (data, detail) => {
    const { error } = await introduce(data);

    expect(error).toEqual({
      code: 'deserialization_error',
      message: `Failed to deserialize input for engine::workers::register: ${detail}`,
    });
    expect(worker.info).toBeUndefined();
  });

  it('needs a caller', async () => {
    await expect(router.ask('default', 'engine::workers::register', Payload.of({}))).rejects.toMatchObject({
      code: 'deserialization_error',
    });
  });
});

describe('a namespace declared late', () => {
  it('takes along what the worker has registered', async () => {
    worker.registers('svc::one');
    worker.provides('my::type');
    await introduce({ name: 'late', namespace: 'orders' });

    expect(worker.namespace).toBe('orders');
    expect(router.functions.namespacesOf('svc::one')).toEqual(['orders']);
    expect([...router.triggers.allTypes()]).toMatchObject([{ id: 'my::type', namespace: 'orders' }]);
  });

  it('loses the functions that another worker has there, and tells so', async () => {
    const owner = FakeWorker.connect(router, 'owner');
    await owner.asks('engine::workers::register', { name: 'owner', namespace: 'orders' });
    owner.registers('svc::one');
    worker.registers('svc::one');
    await introduce({ name: 'late', namespace: 'orders' });

    expect(worker.received('registrationrejected')).toEqual([
      {
        type: 'registrationrejected',
        code: 'FUNCTION_NAMESPACE_CONFLICT',
        namespace: 'orders',
        function_id: 'svc::one',
        owner_worker_id: 'owner',
      },
    ]);
    expect(router.functions.find('orders', 'svc::one')).toMatchObject({ owner });
  });

  it('changes nothing once the worker has introduced itself', async () => {
    await introduce({ name: 'first' });
    await introduce({ name: 'first', namespace: 'orders' });

    expect(worker.namespace).toBe('default');
  });

  it('must not be blank', async () => {
    expect((await introduce({ namespace: ' ' })).error?.code).toBe('INVALID_NAMESPACE');
    expect(worker.info).toBeUndefined();
  });
});
