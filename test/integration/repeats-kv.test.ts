import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import type { Frame } from '../support/frame-log.js';
import { startGateway } from '../support/gateway.js';
import { startGatewayProcess } from '../support/gateway-process.js';
import { codeOf, numbers, resultOf } from '../support/outpost.js';
import { RawWorker } from '../support/raw-worker.js';
import { stopsAfterEach } from '../support/running.js';
import { tempDir } from '../support/temp-dir.js';

const stopLater = stopsAfterEach();
const workerOf = async (url: string) => stopLater(await RawWorker.connect(url));

async function folderOfTest(): Promise<string> {
  const folder = await tempDir();
  stopLater({ stop: folder.remove });
  return folder.path;
}

/** State in files of that folder. */
function inFiles(folder: string, more: object = {}) {
  const config = { store_method: 'file_based', file_path: join(folder, 'kv'), ...more };
  return { dataDir: join(folder, 'data'), state: { adapter: { name: 'kv', config } } };
}

/** The input of an increment, under a name if there is one. */
function one(idempotency_key?: string, by = 1) {
  return { scope: 's', key: 'k', ops: [{ type: 'increment', path: 'n', by }], idempotency_key };
}

function valueAt(worker: RawWorker): Promise<unknown> {
  return worker.call('state::get', { scope: 's', key: 'k' }).then(resultOf);
}

/** An answer as text, to the digit. */
const textOf = (answer: Frame) => JSON.stringify(resultOf(answer));

describe('never-twice, where State lives in the gateway', () => {
  it('a named call is made once, whoever makes it again, and its subscribers are told once', async () => {
    const { url } = stopLater(await startGateway());
    const [worker, other] = [await workerOf(url), await workerOf(url)];
    await worker.serve('watch', () => null);
    const config = { scope: 's' };
    worker.send({ type: 'registertrigger', id: 't', trigger_type: 'state', function_id: 'watch', config });
    const first = textOf(await worker.call('state::update', one('a')));
    expect(textOf(await worker.call('state::update', one('a')))).toBe(first);
    expect(textOf(await other.call('state::update', one('a')))).toBe(first);
    const together = await Promise.all(
      [worker, other, worker].map((caller) => caller.call('state::update', one('b'))),
    );
    expect(new Set(together.map(textOf))).toHaveLength(1);
    resultOf(await worker.call('state::set', { scope: 's', key: 'last', value: 1 }));
    await worker.received(({ data }) => (data as Frame)?.['key'] === 'last');
    expect(worker.callsOf('watch').map(({ data }) => (data as Frame)['key'])).toEqual(['k', 'k', 'last']);
    expect(await valueAt(worker)).toEqual({ n: 2 });
  });

  it('the name may be in the metadata, and so may the receipt of a gateway before it', async () => {
    const { url } = stopLater(await startGateway());
    const worker = await workerOf(url);
    const receipt = { iii_state_gateway: { via: ['edge'], receipt: 'edge-1' } };
    for (const metadata of [{ idempotency_key: 'edge-1' }, receipt]) {
      for (const _ of numbers(2)) resultOf(await worker.call('state::update', one(), { metadata }));
    }
    expect(await valueAt(worker)).toEqual({ n: 2 });
  });

  it('a name that another call has is refused, and what was refused before leaves its name free', async () => {
    const { url } = stopLater(await startGateway({ state: { max_value_bytes: 100 } }));
    const worker = await workerOf(url);
    const set = (value: unknown, idempotency_key: unknown = 'b') =>
      worker.call('state::set', { scope: 's', key: 'k', value, idempotency_key });
    resultOf(await set({ n: 5 }, 'a'));
    expect(codeOf(await worker.call('state::update', one('a', 2)))).toBe('GATEWAY_KEY_REUSED');
    expect(codeOf(await set('x'.repeat(100)))).toBe('VALUE_TOO_LARGE');
    expect(codeOf(await set(1, ''))).toBe('deserialization_error');
    expect(await valueAt(worker)).toEqual({ n: 5 });
    expect(resultOf(await set('short'))).toEqual({ old_value: { n: 5 }, new_value: 'short' });
  });

  it('a compare-and-set is answered again as it was first', async () => {
    const { url } = stopLater(await startGateway());
    const worker = await workerOf(url);
    const swap = () =>
      worker.call('state::compare-and-set', {
        scope: 's',
        key: 'k',
        expected: null,
        value: 1,
        idempotency_key: 'a',
      });
    expect(resultOf(await swap())).toEqual({ swapped: true });
    expect(resultOf(await swap())).toEqual({ swapped: true });
  });

  it.each([0, 60_000])(
    'kill -9 in the middle of named calls, which are all made again: each is done once (save_interval_ms %i)',
    async (save_interval_ms) => {
      const options = inFiles(await folderOfTest(), { save_interval_ms });
      const calls = numbers(400).map((n) => one(`call ${n}`));
      const answered = new Map<string, string>();
      const victim = stopLater(await startGatewayProcess(options));
      const worker = await workerOf(victim.url);
      const halfway = new Promise<void>((resolve) => {
        for (const call of calls) {
          worker.call('state::update', call).then((answer) => {
            answered.set(String(call.idempotency_key), textOf(answer));
            if (answered.size === 150) resolve();
          });
        }
      });
      await halfway;
      await victim.signal('SIGKILL');
      await worker.closed;
      const gateway = stopLater(await startGatewayProcess(options));
      const again = await workerOf(gateway.url);
      for (const call of calls) {
        const answer = textOf(await again.call('state::update', call));
        expect(answer).toBe(answered.get(String(call.idempotency_key)) ?? answer);
      }
      expect(await valueAt(again)).toEqual({ n: calls.length });
    },
  );

  it('a gateway before it whose answers are lost with their connections doubles none', async () => {
    const hub = stopLater(await startGateway(inFiles(await folderOfTest())));
    const line = stopLater(await Line.to(hub.url));
    const gateway = { patience_ms: 100, settle_delay_ms: 50, limits: { min_free_bytes: 0 } };
    const edge = stopLater(await startGateway({ remote: line.url, gateway }));
    const [worker, reader] = [await workerOf(edge.url), await workerOf(hub.url)];
    let made = 0;
    const increment = async () => {
      made += 1;
      resultOf(await worker.call('state::update', one()));
    };
    while (!line.hasSeenReceipt) await increment();
    for (const lost of [1, 2, 3]) {
      line.loseNextAnswer();
      while (line.lost < lost) await increment();
      await increment();
    }
    const barrier = await worker.call('gateway::barrier', { timeout_ms: 10_000 });
    expect(resultOf(barrier)).toMatchObject({ settled: true, quarantined: 0 });
    expect(await valueAt(reader)).toEqual({ n: made });
  });
});

/** The network between two gateways: it hands messages on, and can lose the answer to an update with its connection. */
class Line {
  hasSeenReceipt = false;
  lost = 0;
  private losesNext = false;
  private readonly updates = new Set<unknown>();

  private constructor(
    private readonly server: WebSocketServer,
    private readonly hubUrl: string,
  ) {
    server.on('connection', (edge) => this.join(edge));
  }

  static async to(hubUrl: string): Promise<Line> {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    await once(server, 'listening');
    return new Line(server, hubUrl);
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  loseNextAnswer(): void {
    this.losesNext = true;
  }

  async stop(): Promise<void> {
    for (const edge of this.server.clients) edge.terminate();
    this.server.close();
    await once(this.server, 'close');
  }

  private join(edge: WebSocket): void {
    const hub = new WebSocket(this.hubUrl);
    const opened = once(hub, 'open');
    edge.on('message', async (bytes) => {
      const { type, function_id, invocation_id, metadata } = JSON.parse(String(bytes)) as Frame;
      if (type === 'invokefunction' && function_id === 'state::update') {
        this.updates.add(invocation_id);
        this.hasSeenReceipt ||= JSON.stringify(metadata).includes('"receipt"');
      }
      await opened;
      hub.send(String(bytes));
    });
    hub.on('message', (bytes) => {
      const { type, invocation_id } = JSON.parse(String(bytes)) as Frame;
      const isAnswer = type === 'invocationresult' && this.updates.has(invocation_id);
      if (!isAnswer || !this.losesNext) return edge.send(String(bytes));
      this.losesNext = false;
      this.lost += 1;
      edge.terminate();
    });
    edge.on('close', () => hub.terminate());
    hub.on('close', () => edge.terminate());
  }
}
