import { describe, expect, it } from 'vitest';
import { FakeEngine } from '../support/fake-engine.js';
import type { Frame } from '../support/frame-log.js';
import { startGateway } from '../support/gateway.js';
import { RawWorker } from '../support/raw-worker.js';
import { stopsAfterEach } from '../support/running.js';
import { tempDir } from '../support/temp-dir.js';

const stopLater = stopsAfterEach();

const isIntroduction = ({ function_id }: Frame) => function_id === 'engine::workers::register';
const isTrigger = ({ type }: Frame) => type === 'registertrigger';
/** What we say of ourselves, in order; what the engine is asked besides may come anywhere after the introduction. */
const order = (frames: Frame[]) =>
  frames.flatMap((frame) => {
    if (isIntroduction(frame)) return ['introduction'];
    return frame['type'] === 'invokefunction' ? [] : [frame['type']];
  });

async function watchScope(url: string, scope: string): Promise<RawWorker> {
  const worker = stopLater(await RawWorker.connect(url));
  worker.send({ type: 'registerfunction', id: 'watch' });
  worker.send({
    type: 'registertrigger',
    id: 't',
    trigger_type: 'state',
    function_id: 'watch',
    config: { scope },
  });
  return worker;
}

describe('a connection to the remote', () => {
  it('begins with who we are, then what we register', async () => {
    const engine = stopLater(await FakeEngine.start());
    const gateway = stopLater(await startGateway({ remote: engine.url }));
    await watchScope(gateway.url, 's');
    await engine.received(isTrigger);
    expect(order(engine.frames)).toEqual(['introduction', 'registerfunction', 'registertrigger']);
    expect(engine.frames[0]).toMatchObject({
      action: { type: 'void' },
      data: {
        runtime: 'node',
        pid: process.pid,
        name: expect.stringMatching(/^iii-state-gateway-[0-9a-f]{8}$/),
      },
    });
  });

  it('that comes back asks for its place first, and registers everything under the new epoch', async () => {
    const engine = stopLater(await FakeEngine.start());
    const gateway = stopLater(await startGateway({ remote: engine.url }));
    await watchScope(gateway.url, 's');
    const first = await engine.received(isTrigger);
    engine.frames.length = 0;
    engine.drop();
    const second = await engine.received(isTrigger);
    expect(order(engine.frames)).toEqual(['reattach', 'introduction', 'registerfunction', 'registertrigger']);
    expect(engine.frames[0]).toMatchObject({ previous_worker_id: 'worker-1', reattach_token: 'token-1' });
    expect(second['config']).toEqual({ scope: 's' });
    expect(second['function_id']).not.toBe(first['function_id']);
    expect(engine.frames.find(({ type }) => type === 'registerfunction')).toMatchObject({
      id: second['function_id'],
      metadata: { internal: true },
    });
  });

  it('asks for the place of the connection just before, every time', async () => {
    const engine = stopLater(await FakeEngine.start());
    stopLater(await startGateway({ remote: engine.url }));
    await engine.received(isIntroduction);
    for (let round = 1; round <= 3; round += 1) {
      const again = engine.next(isIntroduction);
      engine.frames.length = 0;
      engine.drop();
      await again;
      expect(engine.frames[0]).toEqual({
        type: 'reattach',
        previous_worker_id: `worker-${round}`,
        reattach_token: `token-${round}`,
      });
    }
  });

  it('answers calls again, and no event of the earlier epoch is told', async () => {
    const engine = stopLater(await FakeEngine.start());
    engine.reply('state::get', () => ({ result: 1 }));
    const gateway = stopLater(await startGateway({ remote: engine.url }));
    const worker = await watchScope(gateway.url, 's');
    const earlier = await engine.received(isTrigger);
    const again = engine.next(isTrigger);
    engine.drop();
    const { function_id } = await again;
    const fire = (feed: unknown, key: string) => {
      const invocation_id = crypto.randomUUID();
      const data = {
        type: 'state',
        event_type: 'state:created',
        scope: 's',
        key,
        old_value: null,
        new_value: 1,
      };
      engine.send({ type: 'invokefunction', invocation_id, function_id: feed, data });
      return engine.received(
        ({ type, invocation_id: id }) => type === 'invocationresult' && id === invocation_id,
      );
    };
    expect((await fire(earlier['function_id'], 'old'))['error']).toMatchObject({
      code: 'function_not_found',
    });
    expect(await fire(function_id, 'new')).not.toHaveProperty('error');
    await worker.received(({ type, function_id: id }) => type === 'invokefunction' && id === 'watch');
    expect(worker.callsOf('watch').map(({ data }) => (data as Frame)['key'])).toEqual(['new']);
    expect((await worker.call('state::get', { scope: 's', key: 'k' }))['result']).toBe(1);
  });

  it('after a restart of the gateway has the same name and asks for its old place', async () => {
    const folder = await tempDir();
    stopLater({ stop: () => folder.remove() });
    const engine = stopLater(await FakeEngine.start());
    const before = await startGateway({ remote: engine.url, dataDir: folder.path });
    await watchScope(before.url, 's');
    const { function_id: feedBefore } = await engine.received(isTrigger);
    const introduction = await engine.received(isIntroduction);
    await before.stop();
    engine.frames.length = 0;
    const after = stopLater(await startGateway({ remote: engine.url, dataDir: folder.path }));
    await watchScope(after.url, 's');
    expect((await engine.received(isTrigger))['function_id']).not.toBe(feedBefore);
    expect(order(engine.frames)).toEqual(['reattach', 'introduction', 'registerfunction', 'registertrigger']);
    const again = await engine.received(isIntroduction);
    expect(engine.frames[0]).toMatchObject({
      type: 'reattach',
      previous_worker_id: 'worker-1',
      reattach_token: 'token-1',
    });
    expect((again['data'] as Frame)['name']).toBe((introduction['data'] as Frame)['name']);
  });

  it('is tried again for as long as it takes, after every loss, at least as often as reconnect_ms says', async () => {
    const engine = await FakeEngine.start();
    const { port, url } = engine;
    const reconnect = { remote: { reconnect_ms: [10, 40] } };
    const gateway = stopLater(await startGateway({ remote: url, gateway: reconnect }));
    await engine.received(isIntroduction);
    await engine.stop();
    const lost = () => gateway.log().match(/trying again/g)?.length ?? 0;
    await expect.poll(lost).toBeGreaterThan(5);
    const [before, startedAt] = [lost(), performance.now()];
    await expect.poll(lost, { interval: 5 }).toBeGreaterThanOrEqual(before + 5);
    expect(performance.now() - startedAt).toBeLessThan(2000);
    for (let round = 0; round < 2; round += 1) {
      const back = await FakeEngine.start({ port });
      await back.received(isIntroduction);
      await back.stop();
    }
  });

  it('of two gateways bear two names', async () => {
    const engine = stopLater(await FakeEngine.start());
    for (let count = 1; count <= 2; count += 1) {
      const introduced = engine.next(isIntroduction);
      stopLater(await startGateway({ remote: engine.url }));
      await introduced;
    }
    const names = engine.frames.filter(isIntroduction).map(({ data }) => (data as Frame)['name']);
    expect(new Set(names).size).toBe(2);
  });

  it('bears the name that the configuration gives', async () => {
    const engine = stopLater(await FakeEngine.start());
    stopLater(await startGateway({ remote: engine.url, gateway: { name: 'site-a' } }));
    expect((await engine.received(isIntroduction))['data']).toMatchObject({ name: 'site-a' });
  });

  it('is tried again though the remote never greets, and stands when it does', {
    timeout: 30_000,
  }, async () => {
    const mute = stopLater(await FakeEngine.start({ greets: false }));
    const { port, url } = mute;
    const gateway = stopLater(await startGateway({ remote: url, gateway: { patience_ms: 100 } }));
    const worker = stopLater(await RawWorker.connect(gateway.url));
    const refused = await worker.call('state::set', { scope: 's', key: 'k', value: 1 });
    expect(refused['result']).toMatchObject({ pending: true });
    expect(mute.frames).toEqual([]); // nothing is said to an engine that has not greeted
    await mute.stop();
    const engine = stopLater(await FakeEngine.start({ port }));
    await engine.received(isIntroduction);
    expect(engine.frames[0]?.type).toBe('invokefunction'); // and no place is asked for that we never had
  });

  it('whose trigger is refused says so', async () => {
    const engine = stopLater(await FakeEngine.start());
    const gateway = stopLater(await startGateway({ remote: engine.url }));
    await watchScope(gateway.url, 's');
    const { id, trigger_type, function_id } = await engine.received(isTrigger);
    const error = { code: 'trigger_registration_failed', message: 'no' };
    engine.send({ type: 'triggerregistrationresult', id, trigger_type, function_id, error });
    await expect.poll(() => gateway.log()).toContain('warn: the remote engine refused a trigger of ours');
  });

  it('that is refused for its name is told loudly', async () => {
    const engine = stopLater(await FakeEngine.start());
    const gateway = stopLater(await startGateway({ remote: engine.url }));
    await engine.received(isIntroduction);
    engine.send({
      type: 'registrationrejected',
      code: 'WORKER_NAMESPACE_CONFLICT',
      namespace: 'default',
      worker_name: 'taken',
      owner_worker_id: 'x',
    });
    await expect
      .poll(() => gateway.log())
      .toContain('error: the remote engine refused our registration: another worker is called taken');
  });
});
