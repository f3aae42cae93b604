import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { runCommand } from '../support/command.js';
import { FakeEngine } from '../support/fake-engine.js';
import { startGateway } from '../support/gateway.js';
import { startHub } from '../support/hub.js';
import { RawWorker } from '../support/raw-worker.js';
import { stopsAfterEach } from '../support/running.js';
import { tempDir } from '../support/temp-dir.js';

const stopLater = stopsAfterEach();

async function workerOf(url: string): Promise<RawWorker> {
  return stopLater(await RawWorker.connect(url));
}

describe('gateways', () => {
  it('in a chain pass calls on', async () => {
    const hub = stopLater(await startHub());
    const middle = stopLater(await startGateway({ remote: hub.url }));
    const edge = stopLater(await startGateway({ remote: middle.url }));
    const worker = await workerOf(edge.url);
    await worker.call('state::set', { scope: 's', key: 'k', value: 1 });
    const direct = await workerOf(hub.url);
    expect((await direct.call('state::get', { scope: 's', key: 'k' }))['result']).toBe(1);
  });

  it('say which of them a call has passed, in order, beside what the caller says', async () => {
    const engine = stopLater(await FakeEngine.start());
    engine.reply('state::get', () => ({ result: 1 }));
    const middle = stopLater(await startGateway({ remote: engine.url }));
    const edge = stopLater(await startGateway({ remote: middle.url }));
    await engine.received(({ function_id }) => function_id === 'engine::workers::register');
    const [atEdge, atMiddle] = [await workerOf(edge.url), await workerOf(middle.url)];
    const answered = async () =>
      !('error' in (await atEdge.call('state::get', { scope: 's', key: 'warm-up' })));
    await expect.poll(answered).toBe(true);
    const viaOf = async (worker: RawWorker, key: string, metadata?: object) => {
      await worker.call('state::get', { scope: 's', key }, { metadata });
      const call = await engine.received(({ data }) => (data as { key?: string } | undefined)?.key === key);
      return (call['metadata'] as { iii_state_gateway: { via: string[] } }).iii_state_gateway.via;
    };
    const [middleId] = await viaOf(atMiddle, 'from the middle');
    const passed = await viaOf(atEdge, 'from the edge', { tenant: 't' });
    expect(passed).toEqual([expect.stringMatching(/^[0-9a-f-]{36}$/), middleId]);
    expect(passed[0]).not.toBe(middleId);
    expect(engine.frames.at(-1)?.['metadata']).toMatchObject({ tenant: 't' });
  });

  it('refuse a call that has passed them, whoever brings it, and pass on one of a stranger', async () => {
    const engine = stopLater(await FakeEngine.start());
    engine.reply('state::get', () => ({ result: 1 }));
    const { url } = stopLater(await startGateway({ remote: engine.url }));
    await engine.received(({ function_id }) => function_id === 'engine::workers::register');
    const worker = await workerOf(url);
    await worker.call('state::get', { scope: 's', key: 'k' });
    const { metadata } = await engine.received(({ function_id }) => function_id === 'state::get');
    const action = { type: 'enqueue', queue: 'q' };
    for (const call of [
      worker.call('state::get', { scope: 's', key: 'k' }, { metadata }),
      worker.call('elsewhere', {}, { metadata, action }),
    ]) {
      expect((await call)['error']).toMatchObject({ code: 'GATEWAY_LOOP' });
    }
    const strange = { iii_state_gateway: { via: ['somebody', 7, null] }, more: 1 };
    expect(await worker.call('state::get', { scope: 's', key: 'k' }, { metadata: strange })).toMatchObject({
      result: 1,
    });
    expect(engine.frames.at(-1)?.['metadata']).toMatchObject({
      iii_state_gateway: { via: ['somebody', expect.any(String)] },
      more: 1,
    });
  });

  it('joined in a circle answer GATEWAY_LOOP', async () => {
    const first = await startGateway({ remote: 'ws://127.0.0.1:9' }); // only to have a free port
    await first.stop();
    const second = stopLater(await startGateway({ remote: `ws://127.0.0.1:${first.port}` }));
    const again = stopLater(await startGateway({ remote: second.url, port: first.port }));
    const worker = await workerOf(again.url);
    await expect
      .poll(async () => (await worker.call('state::get', { scope: 's', key: 'k' }))['error'], {
        timeout: 10_000,
      })
      .toMatchObject({ code: 'GATEWAY_LOOP' });
    await expect
      .poll(async () => {
        const action = { type: 'enqueue', queue: 'q' };
        return (await worker.call('nowhere', {}, { action }))['error'];
      })
      .toMatchObject({ code: 'GATEWAY_LOOP' });
  });

  it('refuse themselves as their remote, whatever name they are called by', async () => {
    const { port, stop } = await startGateway(); // only to have a free port
    await stop();
    await expect(startGateway({ remote: `ws://localhost:${port}`, port })).rejects.toMatchObject({
      code: 'GATEWAY_CONFIG',
    });
  });

  it('refuse themselves at start, as people type it', async () => {
    const folder = await tempDir();
    stopLater({ stop: () => folder.remove() });
    const flags = ['--admin-port', '0', '--port', '49871', '--remote', 'ws://localhost:49871'];
    const { code, out, err } = await runCommand(['start', ...flags], folder.path);
    expect({ code, out }).toEqual({ code: 3, out: '' });
    expect(err).toMatch(/^.*own listener.*\n$/);
  });

  it('notice at run time that their remote is themselves, and give it up', async () => {
    let behind = 0;
    const alias = createServer((socket) => {
      const onward = connect(behind, '127.0.0.1');
      socket.pipe(onward).pipe(socket);
      for (const end of [socket, onward]) end.on('error', () => undefined);
    });
    alias.listen(0, '127.0.0.1');
    await once(alias, 'listening');
    stopLater({ stop: async () => void alias.close() });
    const { port } = alias.address() as AddressInfo;
    const gateway = stopLater(await startGateway({ remote: `ws://127.0.0.1:${port}` }));
    behind = gateway.port;
    await expect.poll(() => gateway.log(), { timeout: 10_000 }).toContain('it is this gateway itself');
    const worker = await workerOf(gateway.url);
    expect((await worker.call('state::get', { scope: 's', key: 'k' }))['error']).toMatchObject({
      code: 'GATEWAY_OFFLINE_UNKNOWN',
      message: expect.stringContaining('itself'),
    });
  });
});
