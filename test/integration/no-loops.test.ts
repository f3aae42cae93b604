import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { startGateway } from '../support/gateway.js';
import { startHub } from '../support/hub.js';
import { RawWorker } from '../support/raw-worker.js';
import { stopsAfterEach } from '../support/running.js';

const stopLater = stopsAfterEach();

describe('gateways', () => {
  it('in a chain pass calls on, with the mark of each', async () => {
    const hub = stopLater(await startHub());
    const middle = stopLater(await startGateway({ remote: hub.url }));
    const edge = stopLater(await startGateway({ remote: middle.url }));
    const worker = stopLater(await RawWorker.connect(edge.url));
    await worker.call('state::set', { scope: 's', key: 'k', value: 1 });
    const direct = stopLater(await RawWorker.connect(hub.url));
    expect((await direct.call('state::get', { scope: 's', key: 'k' }))['result']).toBe(1);
  });

  it('joined in a circle answer GATEWAY_LOOP', async () => {
    const first = await startGateway({ remote: 'ws://127.0.0.1:9' }); // only to have a free port
    await first.stop();
    const second = stopLater(await startGateway({ remote: `ws://127.0.0.1:${first.port}` }));
    const again = stopLater(await startGateway({ remote: second.url, port: first.port }));
    const worker = stopLater(await RawWorker.connect(again.url));
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
    const worker = stopLater(await RawWorker.connect(gateway.url));
    expect((await worker.call('state::get', { scope: 's', key: 'k' }))['error']).toMatchObject({
      code: 'GATEWAY_OFFLINE',
    });
  });
});
