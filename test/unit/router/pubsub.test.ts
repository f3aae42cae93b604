import { beforeEach, describe, expect, it } from 'vitest';
import type { Json } from '../../../src/protocol/json.js';
import { offerPubSub } from '../../../src/router/pubsub.js';
import type { Router } from '../../../src/router/router.js';
import { FakeWorker, makeRouter } from '../../support/fake-worker.js';

let router: Router;
let subscriber: FakeWorker;
let publisher: FakeWorker;

beforeEach(() => {
  router = makeRouter();
  offerPubSub(router);
  subscriber = FakeWorker.connect(router, 'subscriber');
  subscriber.registers('on::news');
  publisher = FakeWorker.connect(router, 'publisher');
});

const news = () => subscriber.received('invokefunction').map(({ data }) => data.value);

describe('publish', () => {
  it('calls every subscriber of the topic with the data as it is', async () => {
    subscriber.binds('t1', 'subscribe', 'on::news', { config: { topic: 'x' } });
    subscriber.binds('t2', 'subscribe', 'on::news', { config: { topic: 'x', more: true } });
    subscriber.binds('t3', 'subscribe', 'on::news', { config: { topic: 'y' } });

    const answer = await publisher.asks('publish', { topic: 'x', data: { a: 1 } });
    await publisher.asks('publish', { topic: 'y', data: null });

    expect(answer).not.toHaveProperty('result');
    expect(answer).not.toHaveProperty('error');
    expect(news()).toEqual([{ a: 1 }, { a: 1 }, null]);
  });

  it('reaches nobody who has unsubscribed or left', async () => {
    subscriber.binds('t1', 'subscribe', 'on::news', { config: { topic: 'x' } });
    subscriber.binds('t2', 'subscribe', 'on::news', { config: { topic: 'x' } });
    subscriber.says({ type: 'unregistertrigger', id: 't1' });
    await publisher.asks('publish', { topic: 'x', data: 1 });
    router.disconnect(subscriber);
    await publisher.asks('publish', { topic: 'x', data: 2 });

    expect(news()).toEqual([1]);
  });

  it.each<[Json, string, string]>([
    [{ topic: '', data: 1 }, 'topic_not_set', 'Topic is not set'],
    [{ data: 1 }, 'deserialization_error', 'Failed to deserialize input for publish: missing field `topic`'],
    [
      { topic: 'x' },
      'deserialization_error',
      'Failed to deserialize input for publish: missing field `data`',
    ],
    [5, 'deserialization_error', 'Failed to deserialize input for publish: expected an object'],
  ])('refuses %j', async (data, code, message) => {
    expect((await publisher.asks('publish', data)).error).toEqual({ code, message });
  });
});

describe('subscribe', () => {
  it.each<Json>([null, 'x', ['x'], {}, { topic: 5 }, { topic: null }])('refuses %j', (config) => {
    subscriber.binds('t1', 'subscribe', 'on::news', { config });

    expect(subscriber.received('triggerregistrationresult')).toMatchObject([
      { id: 't1', error: { code: 'trigger_registration_failed' } },
    ]);
  });

  it('takes an empty topic, which never fires', async () => {
    subscriber.binds('t1', 'subscribe', 'on::news', { config: { topic: '' } });
    await publisher.asks('publish', { topic: '', data: 1 });

    expect(subscriber.received('triggerregistrationresult')).toEqual([]);
    expect(news()).toEqual([]);
  });

  it('takes a topic with any name', async () => {
    subscriber.binds('t1', 'subscribe', 'on::news', { config: { topic: '__proto__' } });
    await publisher.asks('publish', { topic: '__proto__', data: 1 });

    expect(news()).toEqual([1]);
  });
});
