import { describe, expect, it, vi } from 'vitest';
import { GatewayError } from '../../../src/errors.js';
import type { Json } from '../../../src/protocol/json.js';
import { Payload } from '../../../src/protocol/payload.js';
import type { Trigger } from '../../../src/router/triggers.js';
import { FakeWorker, makeRouter } from '../../support/fake-worker.js';

function setUp(options: Parameters<typeof makeRouter>[0] = {}) {
  const router = makeRouter(options);
  return {
    router,
    caller: FakeWorker.connect(router, 'caller'),
    provider: FakeWorker.connect(router, 'provider'),
  };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('a connection', () => {
  it('begins with the identity and the secret of the worker', () => {
    const { caller } = setUp();

    expect(caller.sent).toEqual([
      { type: 'workerregistered', worker_id: 'caller', reattach_token: 'token of caller' },
    ]);
  });

  it('answers a ping', () => {
    const { caller } = setUp();
    caller.says({ type: 'ping' });
    caller.says({ type: 'pong' });
    caller.says({ type: 'registerservice' });

    expect(caller.received('pong')).toHaveLength(1);
    expect(caller.sent).toHaveLength(2);
  });

  it('leaves nothing behind', async () => {
    const { router, caller, provider } = setUp();
    provider.registers('svc::one');
    provider.provides('my::type');
    caller.binds('trigger', 'my::type', 'svc::one');
    const call = caller.asks('svc::one');

    router.disconnect(provider);
    router.disconnect(provider);

    expect((await call).error).toEqual({ code: 'invocation_stopped', message: 'Invocation stopped' });
    expect((await caller.asks('svc::one')).error?.code).toBe('function_not_found');
    expect([...router.triggers.allTypes()]).toEqual([]);
    expect(router.workers.size).toBe(1);
  });

  it('is told of only when it has left nothing behind', () => {
    const { router, provider } = setUp();
    provider.registers('svc::one');
    const seen: string[] = [];
    router.workers.on('change', (event, { id }) =>
      seen.push(`${event} ${id} ${router.functions.namespacesOf('svc::one').length}`),
    );

    router.disconnect(provider);

    expect(seen).toEqual(['worker_disconnected provider 0']);
  });
});

describe('a call', () => {
  it('goes to the function of another worker and its answer comes back', async () => {
    const { caller, provider } = setUp();
    provider.registers('svc::one');
    const answer = caller.asks(
      'svc::one',
      { a: 1 },
      { metadata: Payload.of({ tenant: 't' }), traceparent: '00-1-2-01', baggage: 'k=v' },
    );
    const [call] = provider.received('invokefunction');
    provider.says({
      type: 'invocationresult',
      invocation_id: call?.invocation_id ?? '',
      function_id: 'svc::one',
      result: Payload.of({ b: 2 }),
      traceparent: '00-1-3-01',
    });

    expect(call).toMatchObject({ function_id: 'svc::one', traceparent: '00-1-2-01', baggage: 'k=v' });
    expect(call?.metadata?.value).toEqual({ tenant: 't' });
    expect(call).not.toHaveProperty('action');
    const { result, ...rest } = await answer;
    expect(result?.value).toEqual({ b: 2 });
    expect(rest).toEqual({
      type: 'invocationresult',
      invocation_id: 'caller asks 0',
      function_id: 'svc::one',
      traceparent: '00-1-3-01',
      baggage: 'k=v', // the caller's own, since the worker sent none back
    });
  });

  it('tells apart null and no value', async () => {
    const { router, caller } = setUp();
    router.offer('ours::null', { description: '', call: async () => Payload.of(null) });
    router.offer('ours::nothing', { description: '', call: async () => undefined });

    expect((await caller.asks('ours::null')).result?.text).toBe('null');
    expect(await caller.asks('ours::nothing')).not.toHaveProperty('result');
  });

  it('gives the error of the function, which wins over a result', async () => {
    const { router, caller, provider } = setUp();
    provider.registers('svc::one');
    const answer = caller.asks('svc::one');
    const [call] = provider.received('invokefunction');
    const error = { code: 'invocation_failed', message: 'kaboom', stacktrace: 'at …' };
    provider.says({
      type: 'invocationresult',
      invocation_id: call?.invocation_id ?? '',
      function_id: 'svc::one',
      result: Payload.of(1),
      error,
    });
    router.offer('ours::fails', {
      description: '',
      call: async () => {
        throw new GatewayError('VALUE_TOO_LARGE', 'too large');
      },
    });

    expect(await answer).toMatchObject({ error });
    expect(await answer).not.toHaveProperty('result');
    expect((await caller.asks('ours::fails')).error).toEqual({
      code: 'VALUE_TOO_LARGE',
      message: 'too large',
    });
  });

  it('carries the id of the caller, whatever the caller wrote there', async () => {
    const { caller, provider } = setUp();
    provider.registers('svc::one');
    void caller.asks('svc::one', { a: 1 });
    void caller.asks('svc::one', { _caller_worker_id: 'somebody else' });

    expect(provider.received('invokefunction').map(({ data }) => data.value)).toEqual([
      { a: 1, _caller_worker_id: 'caller' },
      { _caller_worker_id: 'caller' },
    ]);
  });

  it.each<Json>([null, 5, 'text', [1, 2]])('leaves data that is no object as it is: %j', (data) => {
    const { caller, provider } = setUp();
    provider.registers('svc::one');
    void caller.asks('svc::one', data);

    expect(provider.received('invokefunction')[0]?.data.value).toEqual(data);
  });

  it('of an unknown function says where it was looked for, and where there is one', async () => {
    const { caller, provider } = setUp();
    provider.namespace = 'zoo';
    provider.registers('svc::one');

    expect((await caller.asks('nope::fn')).error).toEqual({
      code: 'function_not_found',
      message: 'Function nope::fn not found in namespace default.',
    });
    expect((await caller.asks('svc::one')).error).toEqual({
      code: 'function_not_found',
      message: 'Function svc::one not found in namespace default. It is registered in namespace(s): zoo.',
    });
    void caller.asks('svc::one', {}, { namespace: 'zoo' });
    expect(provider.received('invokefunction')).toHaveLength(1);
  });

  it('with a blank namespace is refused', async () => {
    const { caller } = setUp();
    const { error } = await caller.asks('svc::one', {}, { namespace: ' ' });

    expect(error?.code).toBe('INVALID_NAMESPACE');
    expect(error?.message).toMatch(/^`namespace` is empty: /);
  });

  it('that is void is never answered, even if it fails or has an id', async () => {
    const { caller, provider } = setUp();
    provider.registers('svc::one');
    const action = { type: 'void' as const };
    void caller.asks('svc::one', {}, { action });
    void caller.asks('nope::fn', {}, { action });
    caller.says({ type: 'invokefunction', function_id: 'nope::fn', data: Payload.of({}) });
    provider.answersAll(1);
    await settled();

    expect(provider.received('invokefunction')).toHaveLength(1);
    expect(caller.received('invocationresult')).toEqual([]);
  });

  it('of a function that is called over HTTP is refused instead of forwarded', async () => {
    const { caller, provider } = setUp();
    provider.registers('ext::lambda', { invocation: { url: 'http://192.0.2.1/' } });

    expect((await caller.asks('ext::lambda')).error?.code).toBe('function_not_invokable');
    expect(provider.received('invokefunction')).toEqual([]);
  });

  it('for a queue goes where the router is told, if the function is not registered here', async () => {
    const enqueue = vi.fn(async () => Payload.of({ messageReceiptId: 'r1' }));
    const { caller, provider } = setUp({ enqueue });
    provider.registers('svc::here');
    const action = { type: 'enqueue' as const, queue: 'q1' };

    expect((await caller.asks('svc::there', { a: 1 }, { action })).result?.value).toEqual({
      messageReceiptId: 'r1',
    });
    expect(enqueue).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({ function_id: 'svc::there', action }),
    );
    expect((await caller.asks('svc::here', {}, { action })).error?.code).toBe('enqueue_error');
    expect(provider.received('invokefunction')).toEqual([]);
  });

  it('of the gateway itself has no caller', async () => {
    const { router, provider } = setUp();
    provider.registers('svc::condition');
    const answer = router.ask('default', 'svc::condition', Payload.of({ a: 1 }));
    expect(provider.received('invokefunction')[0]?.data.value).toEqual({ a: 1 });
    provider.answersAll(false);

    expect((await answer)?.value).toBe(false);
    await expect(router.ask('default', 'nope::fn', Payload.of({}))).rejects.toMatchObject({
      code: 'function_not_found',
    });
  });
});

describe('a firing trigger', () => {
  const trigger: Trigger = {
    id: 'trigger',
    triggerType: 'state',
    functionId: 'svc::one',
    namespace: 'default',
    triggerNamespace: undefined,
    config: {},
    metadata: Payload.of({ m: 1 }),
    owner: undefined,
  };

  it('calls its function with the event, its metadata and no caller', () => {
    const { router, provider } = setUp();
    provider.registers('svc::one');

    router.fire(trigger, Payload.of({ e: 1 }));

    const [call] = provider.received('invokefunction');
    expect(call?.data.value).toEqual({ e: 1 });
    expect(call?.metadata?.value).toEqual({ m: 1 });
  });

  it('may call a function of our own, and nobody minds if there is none or it fails', async () => {
    const { router } = setUp();
    const call = vi.fn(async () => {
      throw new Error('nobody hears this');
    });
    router.offer('ours::fn', { description: '', call });

    router.fire(trigger, Payload.of({}));
    router.fire({ ...trigger, functionId: 'ours::fn' }, Payload.of({ e: 1 }));
    await settled();

    expect(call).toHaveBeenCalledOnce();
  });
});

describe('registering a function', () => {
  it('that is one of our own is rejected, and the connection lives on', async () => {
    const { router, caller, provider } = setUp();
    router.offer('state::get', { description: '', call: async () => Payload.of('ours') });
    provider.registers('state::get');
    provider.registers('engine::mine');
    provider.registers('svc::one');

    expect(provider.received('registrationrejected')).toEqual(
      ['state::get', 'engine::mine'].map((function_id) => ({
        type: 'registrationrejected',
        code: 'FUNCTION_NAMESPACE_CONFLICT',
        namespace: 'default',
        function_id,
        owner_worker_id: '',
      })),
    );
    expect(provider.isEvicted).toBe(false);
    expect((await caller.asks('state::get')).result?.value).toBe('ours');
  });

  it('that is another worker’s is rejected with the name of its owner', () => {
    const { caller, provider } = setUp();
    provider.registers('svc::one');
    caller.registers('svc::one');

    expect(caller.received('registrationrejected')).toMatchObject([
      { function_id: 'svc::one', owner_worker_id: 'provider' },
    ]);
    provider.says({ type: 'unregisterfunction', id: 'svc::one' });
    caller.registers('svc::one');
    expect(caller.received('registrationrejected')).toHaveLength(1);
  });
});

describe('reattaching', () => {
  it('evicts the old connection before anything else is read', () => {
    const { router, provider } = setUp();
    provider.registers('svc::one');
    const back = FakeWorker.connect(router, 'provider again');
    back.says({ type: 'reattach', previous_worker_id: 'provider', reattach_token: 'token of provider' });
    back.registers('svc::one');

    expect(provider.isEvicted).toBe(true);
    expect(back.received('registrationrejected')).toEqual([]);
    expect(router.functions.find('default', 'svc::one')).toMatchObject({ owner: back });
  });

  it.each([
    ['a wrong token', 'provider', 'guess'],
    ['no token', 'provider', undefined],
    ['an unknown id', 'nobody', 'token of provider'],
    ['its own id', 'provider again', 'token of provider again'],
  ])('is ignored with %s', (_, previous_worker_id, token) => {
    const { router, provider } = setUp();
    const back = FakeWorker.connect(router, 'provider again');
    back.says({
      type: 'reattach',
      previous_worker_id,
      ...(token !== undefined && { reattach_token: token }),
    });

    expect(provider.isEvicted).toBe(false);
    expect(back.isEvicted).toBe(false);
    expect(router.workers.size).toBe(3);
    expect(back.sent).toHaveLength(1);
  });
});
