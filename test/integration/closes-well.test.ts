import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { runCommand } from '../support/command.js';
import { FakeEngine } from '../support/fake-engine.js';
import { startGateway } from '../support/gateway.js';
import { startGatewayProcess } from '../support/gateway-process.js';
import { RawWorker } from '../support/raw-worker.js';
import { stopsAfterEach } from '../support/running.js';
import { tempDir } from '../support/temp-dir.js';

const stopLater = stopsAfterEach();
/** A test meets no other gateway, whatever runs on this machine. */
const START = ['start', '--admin-port', '0'];

/** A folder that is gone when the test is over. */
async function temporary(): Promise<string> {
  const folder = await tempDir();
  stopLater({ stop: () => folder.remove() });
  return folder.path;
}

describe('a gateway that stops', () => {
  it('tells workers to come back: 1012, never 1000, 1001 or nothing', async () => {
    const gateway = await startGateway();
    const worker = stopLater(await RawWorker.connect(gateway.url));
    await gateway.stop();
    expect(await worker.closed).toBe(1012);
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('by %s ends with exit code 0', async (signal) => {
    const gateway = await startGatewayProcess();
    const workers = await Promise.all(Array.from({ length: 20 }, () => RawWorker.connect(gateway.url)));
    const [first] = workers;
    first?.send({ type: 'registerfunction', id: 'slow' });
    void workers[1]?.call('slow', {});
    await first?.received(({ function_id }) => function_id === 'slow'); // and never answers
    expect(await gateway.signal(signal)).toBe(0);
    expect(new Set(await Promise.all(workers.map(({ closed }) => closed)))).toEqual(new Set([1012]));
    await gateway.stop();
  });

  it.each([
    [
      'an engine of its own',
      [],
      /^iii-state-gateway \S+ is ready: workers connect to ws:\/\/127\.0\.0\.1:\d+; data folder: .*; status and metrics: http:\/\/127\.0\.0\.1:\d+; state: on this machine, in \S+\n$/,
    ],
    [
      'before a remote that is away',
      ['--remote', 'ws://127.0.0.1:1'],
      /; state: on the remote engine ws:\/\/127\.0\.0\.1:1\n$/,
    ],
  ])(
    'has said one line as %s, also when the terminal and npm both pass Ctrl-C on',
    async (_, flags, line) => {
      const folder = await temporary();
      const { code, out } = await runCommand([...START, '--port', '0', ...flags], folder, (child) => {
        child.kill('SIGINT');
        child.kill('SIGINT');
      });
      expect(code).toBe(0);
      expect(out).toMatch(line);
      expect(out.split('\n')).toHaveLength(2);
    },
  );

  it('lets its port go, for the next one to have', async () => {
    const first = await startGateway();
    const worker = stopLater(await RawWorker.connect(first.url));
    await first.stop();
    const second = stopLater(await startGateway({ port: first.port }));
    expect(second.port).toBe(first.port);
    await worker.closed;
  });

  it('does not let new workers in meanwhile', async () => {
    const gateway = await startGateway();
    const deaf = stopLater(await RawWorker.connect(gateway.url));
    deaf.socket.pause(); // so that stopping takes a while
    const stopped = gateway.stop();
    await expect(RawWorker.connect(gateway.url)).rejects.toThrow();
    await stopped;
    deaf.socket.resume();
  });

  it('does not wait for a worker that does not say goodbye', async () => {
    const gateway = await startGateway();
    const worker = stopLater(await RawWorker.connect(gateway.url));
    worker.socket.pause();
    await gateway.stop();
    worker.socket.resume();
  });
});

describe('a gateway that cannot start', () => {
  it('because its port is taken says so in one sentence, and leaves the other one alone', async () => {
    const running = stopLater(await startGateway());
    const worker = stopLater(await RawWorker.connect(running.url));
    const args = [...START, '--port', String(running.port)];
    const { code, out, err } = await runCommand(args, await temporary());
    expect(code).toBe(1);
    expect(out).toBe('');
    expect(err).toMatch(/^port \d+ on 127\.0\.0\.1 is already in use: .*\(--port\)\n$/);
    expect(await worker.call('state::get', { scope: 's', key: 'k' })).not.toHaveProperty('error');
  });

  it('lets go of what it had, so that the next start can be one', async () => {
    const running = await startGateway();
    const folder = await temporary();
    const args = [...START, '--port', String(running.port)];
    expect((await runCommand(args, folder)).code).toBe(1);
    await running.stop();
    expect((await runCommand(args, folder, (child) => child.kill('SIGTERM'))).code).toBe(0);
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

  it('leaves nothing of its old connection behind', async () => {
    const { url } = stopLater(await startGateway());
    const old = await hello(url);
    old.worker.send({ type: 'registerfunction', id: 'watch' });
    const trigger = { id: 't', trigger_type: 'state', function_id: 'watch', config: { scope: 's' } };
    old.worker.send({ type: 'registertrigger', ...trigger });
    await old.worker.call('engine::workers::list', {});
    const again = await hello(url);
    again.worker.send({ type: 'reattach', ...old.identity });
    again.worker.send({ type: 'registerfunction', id: 'watch' });
    again.worker.send({ type: 'registertrigger', ...trigger });
    await again.worker.call('state::set', { scope: 's', key: 'k', value: 1 });
    await again.worker.received(({ function_id }) => function_id === 'watch');
    expect(await old.worker.closed).not.toBe(1000);
    expect(
      again.worker.frames.filter(({ type }) => type.endsWith('rejected') || type.endsWith('result')),
    ).toEqual([expect.objectContaining({ type: 'invocationresult', function_id: 'state::set' })]);
  });

  it('may come back again and again', async () => {
    const { url } = stopLater(await startGateway());
    let last = await hello(url);
    const past: unknown[] = [];
    for (let round = 0; round < 5; round += 1) {
      const next = await hello(url);
      next.worker.send({ type: 'reattach', ...last.identity });
      const introduction = { name: 'w', runtime: 'node', version: '1.0.0', pid: 1 };
      await next.worker.call('engine::workers::register', introduction);
      await last.worker.closed;
      past.push(last.identity.previous_worker_id);
      last = next;
    }
    const { result } = await last.worker.call('engine::workers::list', {});
    const ids = (result as { workers: { id: string }[] }).workers.map(({ id }) => id);
    expect(ids).toContain(last.identity.previous_worker_id);
    expect(ids.filter((id) => past.includes(id))).toEqual([]);
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
