import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { FakeEngine } from '../support/fake-engine.js';
import { startGateway } from '../support/gateway.js';
import { startGatewayProcess } from '../support/gateway-process.js';
import { RawWorker } from '../support/raw-worker.js';
import { stopsAfterEach } from '../support/running.js';

const stopLater = stopsAfterEach();

describe('a gateway that stops', () => {
  it('tells workers to come back: 1012, never 1000, 1001 or nothing', async () => {
    const gateway = await startGateway();
    const worker = stopLater(await RawWorker.connect(gateway.url));
    await gateway.stop();
    expect(await worker.closed).toBe(1012);
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('by %s ends with exit code 0', async (signal) => {
    const gateway = await startGatewayProcess();
    const worker = stopLater(await RawWorker.connect(gateway.url));
    expect(gateway.startLine).toMatch(
      /^iii-state-gateway \S+ is ready: workers connect to ws:.*data folder: .*state: /,
    );
    expect(await gateway.signal(signal)).toBe(0);
    expect(await worker.closed).toBe(1012);
    await gateway.stop();
  });

  it('does not wait for a worker that does not say goodbye', async () => {
    const gateway = await startGateway();
    const worker = stopLater(await RawWorker.connect(gateway.url));
    worker.socket.pause();
    await gateway.stop();
    worker.socket.resume();
  });
});

describe('a remote that does not answer', () => {
  /** Sooner than the 30 s that a WebSocket waits for the other side's goodbye. */
  const SOON_MS = 5000;

  it('does not hold up the end when it is frozen', async () => {
    const engine = stopLater(await FakeEngine.start());
    const gateway = await startGateway({ remote: engine.url });
    await engine.received(({ function_id }) => function_id === 'engine::workers::register');
    for (const socket of engine.sockets) socket.pause();
    const startedAt = performance.now();
    await gateway.stop();
    expect(performance.now() - startedAt).toBeLessThan(SOON_MS);
  });

  it('does not hold up the end while it lets us wait for an upgrade or a greeting', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    stopLater({ stop: async () => void silent.close() });
    const mute = stopLater(await FakeEngine.start({ greets: false }));
    for (const url of [`ws://127.0.0.1:${(silent.address() as AddressInfo).port}`, mute.url]) {
      const gateway = await startGateway({ remote: url });
      const startedAt = performance.now();
      await gateway.stop();
      expect(performance.now() - startedAt).toBeLessThan(SOON_MS);
    }
  });
});

describe('a worker that comes back', () => {
  async function hello(url: string) {
    const worker = stopLater(await RawWorker.connect(url));
    const { worker_id, reattach_token } = await worker.received(({ type }) => type === 'workerregistered');
    return { worker, identity: { previous_worker_id: worker_id, reattach_token } };
  }

  it('takes the place of its old connection, whose calls end', async () => {
    const { url } = stopLater(await startGateway());
    const old = await hello(url);
    old.worker.send({ type: 'registerfunction', id: 'serve' });
    const caller = stopLater(await RawWorker.connect(url));
    const pending = caller.call('serve', {});
    await old.worker.received(({ function_id }) => function_id === 'serve');
    const again = await hello(url);
    again.worker.send({ type: 'reattach', ...old.identity });
    again.worker.send({ type: 'registerfunction', id: 'serve' });
    expect((await pending)['error']).toMatchObject({ code: 'invocation_stopped' });
    await old.worker.closed;
    const answer = caller.call('serve', {});
    const { invocation_id } = await again.worker.received(({ function_id }) => function_id === 'serve');
    again.worker.send({ type: 'invocationresult', invocation_id, function_id: 'serve', result: 'here' });
    expect((await answer)['result']).toBe('here');
  });

  it('is not believed without its token', async () => {
    const { url } = stopLater(await startGateway());
    const victim = await hello(url);
    const thief = await hello(url);
    thief.worker.send({ type: 'reattach', ...victim.identity, reattach_token: 'a guess' });
    await thief.worker.call('state::get', { scope: 's', key: 'k' });
    expect(await victim.worker.call('state::get', { scope: 's', key: 'k' })).not.toHaveProperty('error');
  });
});
