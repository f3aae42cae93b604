import { describe, expect, it } from 'vitest';
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
