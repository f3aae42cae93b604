import { expect, it } from 'vitest';
import { startGateway } from '../support/gateway.js';
import { RawWorker } from '../support/raw-worker.js';
import { stopsAfterEach } from '../support/running.js';
import { describeEngine, startEngine } from './engine.js';

const stopLater = stopsAfterEach();
/** As short as the latest execution that was measured allows. */
const gatewayOptions = { patience_ms: 500, settle_delay_ms: 500 };

interface Status {
  link: { state: string; adapter: string; delivery: string };
  log: { entries: number };
  writes: Record<string, number>;
}

async function statusOf(worker: RawWorker): Promise<Status> {
  return (await worker.call('gateway::status', {}))['result'] as Status;
}

describeEngine('a real engine that goes away and comes back', () => {
  it('is known for what it is', async () => {
    const engine = stopLater(await startEngine());
    const gateway = stopLater(await startGateway({ remote: engine.url, gateway: gatewayOptions }));
    const worker = stopLater(await RawWorker.connect(gateway.url));
    await expect
      .poll(async () => (await statusOf(worker)).link)
      .toMatchObject({ state: 'open', adapter: 'kv', delivery: 'exactly-once' });
  });

  it('gets every write that was accepted meanwhile, once and in order', async () => {
    const engine = await startEngine();
    const gateway = stopLater(await startGateway({ remote: engine.url, gateway: gatewayOptions }));
    const worker = stopLater(await RawWorker.connect(gateway.url));
    await expect.poll(async () => (await statusOf(worker)).link.adapter).toBe('kv');
    await worker.call('state::set', { scope: 's', key: 'n', value: 0 });
    await engine.stop();
    await expect.poll(async () => (await statusOf(worker)).link.state).not.toBe('open');

    const accepted = [];
    for (let n = 0; n < 50; n += 1) {
      accepted.push(worker.call('state::set', { scope: 's', key: `k${n % 5}`, value: n }));
      const ops = [{ type: 'increment', path: '', by: 1 }];
      accepted.push(worker.call('state::update', { scope: 's', key: 'n', ops }));
    }
    for (const { result } of await Promise.all(accepted)) expect(result).toMatchObject({ pending: true });
    expect((await worker.call('state::get', { scope: 's', key: 'n' }))['result']).toBe(50);

    const back = stopLater(await startEngine({ port: engine.port }));
    expect((await worker.call('gateway::barrier', { timeout_ms: 30_000 }))['result']).toEqual({
      settled: true,
      quarantined: 0,
      held: 0,
    });
    const witness = stopLater(await RawWorker.connect(back.url));
    for (let k = 0; k < 5; k += 1) {
      expect((await witness.call('state::get', { scope: 's', key: `k${k}` }))['result']).toBe(45 + k);
    }
    // Its store forgot the 0 that it had acknowledged; what was accepted is there.
    expect((await witness.call('state::get', { scope: 's', key: 'n' }))['result']).toBe(50);
    const { writes } = await statusOf(worker);
    expect(writes).toMatchObject({ accepted: 100, committed: 100, pending: 0, sent: 0 });
  });

  it('without a goodbye under writes: what was accepted is there, and all are answered', async () => {
    const engine = await startEngine();
    const gateway = stopLater(await startGateway({ remote: engine.url, gateway: gatewayOptions }));
    const worker = stopLater(await RawWorker.connect(gateway.url));
    await expect.poll(async () => (await statusOf(worker)).link.adapter).toBe('kv');
    const calls = Array.from({ length: 400 }, (_, n) =>
      worker.call('state::set', { scope: 's', key: `k${n}`, value: n }),
    );
    await Promise.race(calls);
    await engine.stop(); // kills it
    const answers = await Promise.all(calls);
    const pending = answers.filter(({ result }) => (result as { pending?: boolean })?.pending);
    expect(answers.every(({ error }) => error === undefined)).toBe(true);

    const back = stopLater(await startEngine({ port: engine.port }));
    await worker.call('gateway::barrier', { timeout_ms: 30_000 });
    const witness = stopLater(await RawWorker.connect(back.url));
    for (const { result } of pending) {
      const { new_value: n } = result as { new_value: number };
      expect((await witness.call('state::get', { scope: 's', key: `k${n}` }))['result']).toBe(n);
    }
    const { writes } = await statusOf(worker);
    expect(writes).toMatchObject({ accepted: pending.length, committed: pending.length });
  });
});
