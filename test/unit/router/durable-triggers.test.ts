import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Json } from '../../../src/protocol/json.js';
import { Channels } from '../../../src/router/channels.js';
import { offerEngineFunctions } from '../../../src/router/engine-functions.js';
import { offerPubSub } from '../../../src/router/pubsub.js';
import type { Router } from '../../../src/router/router.js';
import { FakeWorker, makeRouter } from '../../support/fake-worker.js';

let router: Router;
let worker: FakeWorker;

beforeEach(() => {
  vi.useFakeTimers();
  router = makeRouter();
  const context = { now: Date.now, randomUuid: () => 'the-id' };
  offerEngineFunctions(router, { ...context, channels: new Channels(context), version: '1.2.3' });
  offerPubSub(router);
  worker = FakeWorker.connect(router, 'worker');
});

afterEach(() => {
  vi.useRealTimers();
});

const register = (data: Json) => worker.asks('engine::register_trigger', data);
const mine = { trigger_type: 'my::type', function_id: 'svc::one' };

function answerFrom(provider: FakeWorker, error?: { code: string; message: string }): void {
  for (const { id, trigger_type, function_id } of provider.received('registertrigger')) {
    provider.says({
      type: 'triggerregistrationresult',
      id,
      trigger_type,
      function_id,
      ...(error && { error }),
    });
  }
}

describe('engine::register_trigger', () => {
  it('makes a trigger that fires after its maker has left', async () => {
    const subscriber = FakeWorker.connect(router, 'subscriber');
    subscriber.registers('svc::one');
    const { result } = await register({
      trigger_type: 'subscribe',
      function_id: 'svc::one',
      config: { topic: 'x' },
      metadata: { m: 1 },
    });
    router.disconnect(worker);
    await subscriber.asks('publish', { topic: 'x', data: 1 });

    expect(result?.value).toEqual({ id: 'the-id' });
    const [call] = subscriber.received('invokefunction');
    expect([call?.data.value, call?.metadata?.value]).toEqual([1, { m: 1 }]);
  });

  it('answers at once when the trigger has to wait for its type', async () => {
    expect((await register(mine)).result?.value).toEqual({ id: 'the-id' });
  });

  it('waits for the word of the worker that provides the type', async () => {
    const provider = FakeWorker.connect(router, 'provider');
    provider.provides('my::type');
    const answer = register(mine);
    await vi.advanceTimersByTimeAsync(5000);
    expect(worker.received('invocationresult')).toEqual([]);

    answerFrom(provider);

    expect((await answer).result?.value).toEqual({ id: 'the-id' });
    expect(vi.getTimerCount()).toBe(0);
  });

  it('takes 10 s of silence for consent', async () => {
    FakeWorker.connect(router, 'provider').provides('my::type');
    const answer = register(mine);
    await vi.advanceTimersByTimeAsync(10_000);

    expect((await answer).result?.value).toEqual({ id: 'the-id' });
  });

  it('tells of a refusal, and forgets the trigger', async () => {
    const provider = FakeWorker.connect(router, 'provider');
    provider.provides('my::type');
    const answer = register(mine);
    answerFrom(provider, { code: 'trigger_registration_failed', message: 'bad config' });

    expect((await answer).error).toEqual({
      code: 'trigger_registration_failed',
      message: 'trigger_registration_failed: bad config',
    });
    expect(router.triggers.find('the-id')).toBeUndefined();
  });

  it.each<[Json, string]>([
    [{ function_id: 'svc::one' }, 'deserialization_error'],
    [{ trigger_type: 'state' }, 'deserialization_error'],
    [{ ...mine, trigger_namespace: 5 }, 'deserialization_error'],
    [{ trigger_type: 'subscribe', function_id: 'svc::one' }, 'trigger_registration_failed'],
  ])('refuses %j', async (data, code) => {
    expect((await register(data)).error?.code).toBe(code);
    expect([...router.triggers.all()]).toEqual([]);
  });
});

describe('engine::unregister_trigger', () => {
  const unregister = async (data: Json) =>
    (await worker.asks('engine::unregister_trigger', data)).result?.value;

  it('removes a trigger by its id', async () => {
    await register(mine);

    expect(await unregister({ id: 'unknown' })).toEqual({ removed: false });
    expect(await unregister({ id: 'the-id', trigger_type: 'another::type' })).toEqual({ removed: false });
    expect(await unregister({ id: 'the-id', trigger_type: 'my::type' })).toEqual({ removed: true });
    expect(await unregister({ id: 'the-id' })).toEqual({ removed: false });
  });

  it('needs an id', async () => {
    expect((await worker.asks('engine::unregister_trigger')).error?.code).toBe('deserialization_error');
  });
});
