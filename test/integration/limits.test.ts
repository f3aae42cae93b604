import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { FakeEngine } from '../support/fake-engine.js';
import { startGateway } from '../support/gateway.js';
import { RawWorker } from '../support/raw-worker.js';
import { stopsAfterEach } from '../support/running.js';

const stopLater = stopsAfterEach();
const MIB = 1024 * 1024;

async function workerOf(url: string): Promise<RawWorker> {
  return stopLater(await RawWorker.connect(url));
}

/** The HTTP status that an upgrade is refused with. */
async function refusal(url: string, headers: Record<string, string> = {}): Promise<number> {
  const socket = new WebSocket(url, { headers });
  const [error] = (await once(socket, 'error')) as [Error];
  return Number(/\d{3}$/.exec(error.message)?.[0]);
}

describe('the listener refuses', () => {
  it.each(['/other', '/ws/channels/none?key=x&dir=read', '/ws/channels/none', '/otel/more'])(
    '%s with 404',
    async (path) => {
      const { url } = stopLater(await startGateway());
      expect(await refusal(url + path)).toBe(404);
    },
  );

  it('whatever is no upgrade with 404', async () => {
    const { url } = stopLater(await startGateway());
    for (const path of ['/', '/otel', '/metrics']) {
      expect((await fetch(url.replace('ws:', 'http:') + path)).status).toBe(404);
    }
  });

  it('web pages, unless their origin is allowed', async () => {
    const { url } = stopLater(await startGateway({ gateway: { allowed_origins: ['https://app.example'] } }));
    for (const origin of ['https://evil.example', 'null', 'https://app.example.evil.example', '']) {
      for (const path of ['/', '/otel']) expect(await refusal(url + path, { origin })).toBe(403);
    }
    stopLater(await RawWorker.connect(url, { origin: 'https://app.example' }));
  });

  it('every web page, unless the configuration names one', async () => {
    const { url } = stopLater(await startGateway());
    expect(await refusal(url, { origin: 'http://localhost' })).toBe(403);
  });

  it('more workers than limits.workers, until one leaves', async () => {
    const { url } = stopLater(await startGateway({ gateway: { limits: { workers: 1 } } }));
    const first = await workerOf(url);
    expect(await refusal(url)).toBe(503);
    await first.stop();
    await expect
      .poll(() => RawWorker.connect(url).then(stopLater, () => undefined))
      .toBeInstanceOf(RawWorker);
  });

  it('to wait for an upgrade for longer than limits.handshake_ms', async () => {
    const { port } = stopLater(await startGateway({ gateway: { limits: { handshake_ms: 100 } } }));
    const socket = connect(port, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n'); // and never the end of it
    socket.resume();
    const silent = connect(port, '127.0.0.1').resume();
    await Promise.all([once(socket, 'close'), once(silent, 'close')]);
  });

  it('calls beyond limits.rate_per_worker, of that worker alone', async () => {
    const { url } = stopLater(await startGateway({ gateway: { limits: { rate_per_worker: 5 } } }));
    const [hasty, calm] = [await workerOf(url), await workerOf(url)];
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => hasty.call('state::get', { scope: 's', key: 'k' })),
    );
    const refused = answers.filter(
      ({ error }) => (error as { code?: string })?.code === 'GATEWAY_RATE_LIMITED',
    );
    expect(refused.length).toBeGreaterThanOrEqual(10);
    expect(refused.length).toBeLessThanOrEqual(15);
    expect(await calm.call('state::get', { scope: 's', key: 'k' })).not.toHaveProperty('error');
  });
});

describe('the telemetry socket', () => {
  it('is no worker: it is greeted with nothing, takes anything and is not counted', async () => {
    const { url } = stopLater(await startGateway({ gateway: { limits: { workers: 1 } } }));
    const telemetry = new WebSocket(`${url}/otel`);
    const heard: string[] = [];
    telemetry.on('message', (bytes: Buffer) => heard.push(bytes.toString()));
    await once(telemetry, 'open');
    const worker = await workerOf(url);
    telemetry.send(Buffer.from('OTLP{}'));
    telemetry.send('{"type":"ping"}');
    telemetry.ping();
    await once(telemetry, 'pong');
    expect(await worker.call('state::get', { scope: 's', key: 'k' })).not.toHaveProperty('error');
    expect(heard).toEqual([]);
    telemetry.close();
    await once(telemetry, 'close');
  });
});

describe('large messages', () => {
  it('of up to 64 MiB go from worker to worker, in fragments', { timeout: 60_000 }, async () => {
    const { url } = stopLater(await startGateway());
    const [giver, taker] = [await workerOf(url), await workerOf(url)];
    taker.send({ type: 'registerfunction', id: 'take' });
    await taker.call('engine::workers::list', {});
    const id = randomUUID();
    const text = 'é'.repeat(31 * MIB);
    const call = { type: 'invokefunction', invocation_id: id, function_id: 'take', data: { text } };
    giver.sendInFragments(call, MIB - 1); // which cuts characters in two
    const { invocation_id, data } = await taker.received(({ function_id }) => function_id === 'take');
    expect((data as { text: string }).text === text).toBe(true);
    taker.send({ type: 'invocationresult', invocation_id, function_id: 'take', result: text });
    expect((await giver.answerTo(id))['result'] === text).toBe(true);
  });

  it('that would be over 64 MiB with our own mark are refused', { timeout: 60_000 }, async () => {
    const engine = stopLater(await FakeEngine.start());
    const { url } = stopLater(await startGateway({ remote: engine.url }));
    const [giver, taker] = [await workerOf(url), await workerOf(url)];
    taker.send({ type: 'registerfunction', id: 'take' });
    await taker.call('engine::workers::list', {});
    await engine.received(({ function_id }) => function_id === 'engine::workers::register');
    for (const [functionId, action] of [
      ['take', undefined],
      ['elsewhere', { type: 'enqueue', queue: 'q' }],
    ] as const) {
      const data = { text: '' };
      const frame = {
        type: 'invokefunction',
        invocation_id: randomUUID(),
        function_id: functionId,
        data,
        action,
      };
      data.text = 'x'.repeat(64 * MIB - JSON.stringify(frame).length);
      giver.send(frame);
      expect((await giver.answerTo(frame.invocation_id))['error']).toMatchObject({
        code: 'GATEWAY_TOO_LARGE',
      });
    }
    expect(taker.callsOf('take')).toEqual([]);
    expect(engine.frames.filter(({ function_id }) => function_id === 'elsewhere')).toEqual([]);
    expect(engine.sockets.size).toBe(1);
  });

  it('that a worker asked for do not count as not reading', { timeout: 60_000 }, async () => {
    const { url } = stopLater(await startGateway());
    const worker = await workerOf(url);
    const value = 'x'.repeat(12 * MIB);
    await worker.call('state::set', { scope: 's', key: 'k', value });
    const answers = [1, 2, 3].map(() => worker.call('state::get', { scope: 's', key: 'k' }));
    for (const answer of await Promise.all(answers)) expect(answer['result']).toBe(value);
  });

  it('over 64 MiB end their own connection with 1009', { timeout: 60_000 }, async () => {
    const { url } = stopLater(await startGateway());
    const [greedy, piecemeal, other] = [await workerOf(url), await workerOf(url), await workerOf(url)];
    const message = { type: 'ping', padding: 'x'.repeat(65 * MIB) };
    greedy.send(message);
    expect(await greedy.closed).toBe(1009);
    piecemeal.sendInFragments(message, MIB);
    expect(await piecemeal.closed).toBe(1009);
    expect(await other.call('state::get', { scope: 's', key: 'k' })).not.toHaveProperty('error');
  });

  it('over 1 MiB are kept from Python SDKs that would lose their connection, and the caller is told', async () => {
    const { url } = stopLater(await startGateway());
    const [node, python] = [await workerOf(url), await workerOf(url)];
    python.send({ type: 'registerfunction', id: 'take' });
    await python.call('engine::workers::register', { runtime: 'python', version: '0.22.1', name: 'p' });
    const text = 'x'.repeat(2 * MIB);
    expect((await node.call('take', { text }))['error']).toMatchObject({ code: 'GATEWAY_TOO_LARGE' });
    await node.call('state::set', { scope: 's', key: 'big', value: text });
    expect((await python.call('state::get', { scope: 's', key: 'big' }))['error']).toMatchObject({
      code: 'GATEWAY_TOO_LARGE',
    });
    await python.call('engine::workers::register', {
      runtime: 'python',
      version: '0.25.0',
      name: 'p',
      features: ['large-messages.v1'],
    });
    expect((await python.call('state::get', { scope: 's', key: 'big' }))['result']).toBe(text);
  });
});

describe('a worker that does not read', () => {
  it('is ended at limits.worker_queue_bytes, and delays nobody', { timeout: 60_000 }, async () => {
    const { url } = stopLater(await startGateway({ gateway: { limits: { worker_queue_bytes: MIB } } }));
    const [deaf, writer] = [await workerOf(url), await workerOf(url)];
    deaf.send({ type: 'registerfunction', id: 'watch' });
    deaf.send({ type: 'registertrigger', id: 't', trigger_type: 'state', function_id: 'watch', config: {} });
    await deaf.call('engine::workers::list', {});
    deaf.socket.pause();
    const value = 'x'.repeat(MIB / 4);
    const isThere = async () => {
      await writer.call('state::set', { scope: 's', key: 'k', value });
      return JSON.stringify(await writer.call('engine::functions::list', {})).includes('"watch"');
    };
    expect(await isThere()).toBe(true);
    await expect.poll(isThere, { timeout: 30_000, interval: 0 }).toBe(false);
    deaf.socket.resume();
    expect(await deaf.closed).not.toBe(1000);
  });

  it('is ended all the same when it only sends what has to be refused', { timeout: 60_000 }, async () => {
    const { url } = stopLater(await startGateway({ gateway: { limits: { worker_queue_bytes: MIB } } }));
    const [deaf, other] = [await workerOf(url), await workerOf(url)];
    deaf.socket.pause();
    const ended = once(deaf.socket, 'close');
    const sendMore = async () => {
      for (let n = 0; n < 1000; n += 1) deaf.callAsText('x'.repeat(250), '1e400');
      expect(await other.call('state::get', { scope: 's', key: 'k' })).not.toHaveProperty('error');
      return deaf.socket.readyState;
    };
    await expect.poll(sendMore, { timeout: 30_000, interval: 0 }).not.toBe(WebSocket.OPEN);
    deaf.socket.resume();
    await ended;
  });
});
