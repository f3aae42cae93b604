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
const order = (frames: Frame[]) =>
  frames.map(({ type, function_id }) => (isIntroduction({ type, function_id }) ? 'introduction' : type));

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
  });

  it('after a restart of the gateway has the same name and asks for its old place', async () => {
    const folder = await tempDir();
    stopLater({ stop: () => folder.remove() });
    const engine = stopLater(await FakeEngine.start());
    const before = await startGateway({ remote: engine.url, dataDir: folder.path });
    const introduction = await engine.received(isIntroduction);
    await before.stop();
    engine.frames.length = 0;
    stopLater(await startGateway({ remote: engine.url, dataDir: folder.path }));
    const again = await engine.received(isIntroduction);
    expect(engine.frames[0]).toMatchObject({
      type: 'reattach',
      previous_worker_id: 'worker-1',
      reattach_token: 'token-1',
    });
    expect((again['data'] as Frame)['name']).toBe((introduction['data'] as Frame)['name']);
  });

  it('is tried again for as long as it takes', async () => {
    const engine = await FakeEngine.start();
    const { port, url } = engine;
    const gateway = stopLater(
      await startGateway({ remote: url, gateway: { remote: { reconnect_ms: [10, 20] } } }),
    );
    await engine.received(isIntroduction);
    await engine.stop();
    await expect
      .poll(() => gateway.log().match(/trying again/g)?.length ?? 0, { timeout: 10_000 })
      .toBeGreaterThan(5);
    const back = stopLater(await FakeEngine.start({ port }));
    await back.received(isIntroduction);
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
