import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { type EngineMessage, openConnection } from '../../../src/remote/connection.js';
import { FakeEngine } from '../../support/fake-engine.js';
import { stopsAfterEach } from '../../support/running.js';

const stopLater = stopsAfterEach();
const never = new AbortController().signal;

interface Wishes {
  drop?: AbortSignal;
  connectTimeoutMs?: number;
  onMessage?: (message: EngineMessage) => void;
}

function open(url: string, { drop = never, connectTimeoutMs = 100, onMessage = () => {} }: Wishes = {}) {
  return openConnection({ url, headers: {}, tls: {}, connectTimeoutMs }, onMessage, drop);
}

async function urlOf(server: Server): Promise<string> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stopLater({
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  });
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('a connection to an engine', () => {
  it('is open when the engine has greeted, and tells what the engine can do', async () => {
    const engine = stopLater(await FakeEngine.start({ features: ['observe.v1'] }));
    const connection = await open(engine.url);
    expect(connection.greeting).toEqual({
      type: 'workerregistered',
      worker_id: 'worker-1',
      reattach_token: 'token-1',
      features: ['observe.v1'],
    });
    connection.close();
    expect((await connection.closed).message).toContain('1000');
  });

  it.each([
    ['nobody listens', () => 'ws://127.0.0.1:1', 'ECONNREFUSED'],
    ['something else answers', () => urlOf(createHttpServer((_, response) => response.end())), '200'],
    ['the upgrade is refused', () => urlOf(refusing(403)), '403'],
    ['the upgrade is never answered', () => urlOf(createTcpServer()), 'timed out'],
    [
      'nobody greets',
      async () => stopLater(await FakeEngine.start({ greets: false })).url,
      'it does not greet workers as an iii engine does',
    ],
  ])('cannot be had where %s', async (_, url, reason) => {
    await expect(open(await url())).rejects.toThrow(reason);
  });

  it('that was not greeted is not kept', async () => {
    const engine = stopLater(await FakeEngine.start({ greets: false }));
    await expect(open(engine.url)).rejects.toThrow('greet');
    await expect.poll(() => engine.sockets.size).toBe(0);
  });

  it('is dropped at once when asked to, in whatever state it is', async () => {
    const silent = stopLater(await FakeEngine.start({ greets: false }));
    const engine = stopLater(await FakeEngine.start());
    const deaf = await urlOf(createTcpServer());
    const drop = new AbortController();
    const wishes = { drop: drop.signal, connectTimeoutMs: 60_000 };
    const opening = Promise.allSettled([deaf, silent.url].map((url) => open(url, wishes)));
    const connected = await open(engine.url, wishes);
    await expect.poll(() => silent.sockets.size).toBe(1);
    drop.abort();
    expect((await opening).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect((await connected.closed).message).toContain('1006');
  });

  it('hears nothing in frames that no engine sends', async () => {
    const engine = stopLater(await FakeEngine.start());
    const heard: string[] = [];
    const connection = await open(engine.url, { onMessage: ({ type }) => heard.push(type) });
    for (const socket of engine.sockets) {
      for (const text of ['', 'rubbish', '[]', '{"type":"somethingnew"}', '['.repeat(100_000)])
        socket.send(text);
      socket.send('{"type":"ping"}');
      socket.send(Buffer.from([0xff, 0xfe]), { binary: false });
    }
    expect((await connection.closed).message).toMatch(/UTF-8/);
    expect(heard).toEqual(['workerregistered', 'ping']);
  });
});

function refusing(status: number): Server {
  return createHttpServer().on('upgrade', (_request, socket) => {
    socket.end(`HTTP/1.1 ${status} No\r\nConnection: close\r\n\r\n`);
  });
}
