import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { run } from '../../../src/cli/run.js';
import { GatewayError } from '../../../src/errors.js';
import { fakeTerminal } from './fake-terminal.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gateway-start-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const failing = (error: unknown) => fakeTerminal(folder, { start: () => Promise.reject(error) });
const listening = (code: string, more: object) =>
  Object.assign(new Error(`listen ${code}: node's own words`), { code, syscall: 'listen', ...more });

describe('start', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)(
    'prints one line, and ends cleanly with 0 on %s',
    async (signal) => {
      const { terminal, seen, signals, exits } = fakeTerminal(folder);
      const ended = run(['start'], terminal);
      await vi.waitFor(() => expect(seen.out).not.toBe(''));
      expect(seen.out).toMatch(/^iii-state-gateway \S+ is ready: [^\n]+\n$/);
      for (const part of ['ws://127.0.0.1:1234', join(folder, 'data'), 'state: here'])
        expect(seen.out).toContain(part);
      expect(seen.stopped).toBe(0);
      signals.emit(signal, signal as never);
      expect(await ended).toBe(0);
      expect(seen.stopped).toBe(1);
      expect(exits).toEqual([]);
      expect(signals.listenerCount(signal)).toBe(0);
    },
  );

  it('tells where its admin server is', async () => {
    const admin = { host: '::1', port: 9464 };
    const addresses = { listener: { host: '127.0.0.1', port: 5 }, admin, state: 'here' };
    const { terminal, seen, signals } = fakeTerminal(folder, { start: async () => addresses });
    const ended = run(['start'], terminal);
    await vi.waitFor(() => expect(seen.out).not.toBe(''));
    signals.emit('SIGINT', 'SIGINT');
    await ended;
    expect(seen.out).toContain('; status and metrics: http://[::1]:9464; state: here');
  });

  it('lets a signal that comes during the start wait for its end', async () => {
    let finish = () => {};
    const addresses = { listener: { host: '::1', port: 5 }, state: 'here' };
    const started = new Promise<typeof addresses>((resolve) => {
      finish = () => resolve(addresses);
    });
    const { terminal, seen, signals } = fakeTerminal(folder, { start: () => started });
    const ended = run(['start'], terminal);
    signals.emit('SIGTERM', 'SIGTERM');
    finish();
    expect(await ended).toBe(0);
    expect(seen.out).toContain('ws://[::1]:5');
    expect(seen.stopped).toBe(1);
  });

  it('ends at once with 1 on a second signal, while it starts or stops', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    try {
      const never = () => new Promise<never>(() => {});
      for (const hanging of [{ start: never }, { stop: never }]) {
        const { terminal, seen, signals, exits } = fakeTerminal(folder, hanging);
        void run(['start'], terminal);
        if (!('start' in hanging)) await vi.waitFor(() => expect(seen.out).not.toBe(''));
        signals.emit('SIGINT', 'SIGINT');
        signals.emit('SIGINT', 'SIGINT'); // the echo that npm makes
        expect(exits).toEqual([]);
        vi.setSystemTime(Date.now() + 1000);
        signals.emit('SIGTERM', 'SIGTERM');
        expect(exits).toEqual([1]);
      }
    } finally {
      vi.useRealTimers();
    }
  });

  it('says why it could not end cleanly', async () => {
    const stop = () => Promise.reject(new GatewayError('GATEWAY_STORAGE', 'the last sync failed'));
    const { terminal, seen, signals } = fakeTerminal(folder, { stop });
    const ended = run(['start'], terminal);
    signals.emit('SIGINT', 'SIGINT');
    expect(await ended).toBe(4);
    expect(seen.err).toMatch(/the last sync failed\n$/);
    expect(signals.eventNames()).toEqual([]);
  });

  it('tells notes on standard error', async () => {
    writeFileSync(join(folder, 'c.yaml'), 'workers: [{ name: iii-http }]');
    const { terminal, seen, signals } = fakeTerminal(folder);
    const ended = run(['start', '--config', 'c.yaml'], terminal);
    await vi.waitFor(() => expect(seen.out).not.toBe(''));
    signals.emit('SIGINT', 'SIGINT');
    await ended;
    expect(seen.err).toContain('note: c.yaml:1:19: iii-http: a block of another worker');
    expect(seen.out.match(/ready/g)).toHaveLength(1);
  });
});

describe('a start that fails', () => {
  it.each([
    [
      listening('EADDRINUSE', { address: '127.0.0.1', port: 49134 }),
      'port 49134 on 127.0.0.1 is already in use: stop the program that has it, or choose another port (--port)',
    ],
    [
      new Error('no listener', { cause: listening('EACCES', { address: '0.0.0.0', port: 80 }) }),
      'port 80 on 0.0.0.0 needs more rights than this program has: choose a port above 1023 (--port)',
    ],
    [
      listening('EADDRNOTAVAIL', { address: '10.9.9.9', port: 49134 }),
      'port 49134 on 10.9.9.9 cannot be listened on: 10.9.9.9 is not an address of this machine (--host)',
    ],
    [
      Object.assign(new Error('getaddrinfo'), {
        code: 'ENOTFOUND',
        syscall: 'getaddrinfo',
        hostname: 'nowhere',
      }),
      'nowhere is not known as a host name here: choose another address to listen on (--host)',
    ],
    [
      listening('EADDRINUSE', { address: '127.0.0.1', port: 9464, part: 'admin' }),
      'port 9464 on 127.0.0.1 is already in use: stop the program that has it, or choose another port (--admin-port)',
    ],
    [new Error('something else'), 'something else'],
  ])('says why in one sentence, and ends with 1', async (error, sentence) => {
    const { terminal, seen } = failing(error);
    expect(await run(['start'], terminal)).toBe(1);
    expect(seen).toMatchObject({ out: '', err: `${sentence}\n` });
  });

  it('ends with 4 when storage is refused, and with 3 when an adapter refuses its configuration', async () => {
    const storage = failing(new GatewayError('GATEWAY_STORAGE', 'the folder is in use'));
    expect(await run(['start'], storage.terminal)).toBe(4);
    expect(storage.seen.err).toBe('the folder is in use\n');
    const config = failing(new GatewayError('GATEWAY_CONFIG', 'the module exports nothing'));
    expect(await run(['start'], config.terminal)).toBe(3);
  });

  it('ends the same way when the gateway cannot even be made', async () => {
    const { terminal, seen } = fakeTerminal(folder);
    const cannot = () => {
      throw new GatewayError('GATEWAY_STORAGE', 'the folder is in use');
    };
    expect(await run(['start'], { ...terminal, createGateway: cannot })).toBe(4);
    expect(seen.err).toBe('the folder is in use\n');
  });

  it('shows a stack only when debugging', async () => {
    writeFileSync(
      join(folder, 'c.yaml'),
      'workers: [{ name: iii-state-gateway, config: { log: { level: debug } } }]',
    );
    const { terminal, seen } = failing(new Error('something else'));
    expect(await run(['start', '--config', 'c.yaml'], terminal)).toBe(1);
    expect(seen.err).toContain('start.test.ts');
    expect(seen.err).toMatch(/something else\n$/);
  });
});
