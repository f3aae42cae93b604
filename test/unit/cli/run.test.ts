import { EventEmitter } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { run } from '../../../src/cli/run.js';
import { GatewayError } from '../../../src/errors.js';
import type { Gateway } from '../../../src/gateway.js';

const folder = mkdtempSync(join(tmpdir(), 'cli-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** A world for one command: what it says, and the signals it is sent. */
function world(gateway: Partial<Gateway> = {}) {
  const said = { out: '', err: '', stopped: 0 };
  const signals = new EventEmitter();
  const whole: Gateway = {
    start: async () => ({ listener: { host: '127.0.0.1', port: 1234 }, state: 'nowhere' }),
    stop: async () => {
      said.stopped += 1;
    },
    ...gateway,
  };
  const go = (...args: string[]) =>
    run(args, {
      env: {},
      cwd: folder,
      out: (text) => {
        said.out += text;
      },
      err: (text) => {
        said.err += text;
      },
      isTerminal: false,
      signals,
      exit: () => undefined,
      createGateway: () => whole,
    });
  return { said, signals, go };
}

const signalled = (signals: EventEmitter, signal: string) =>
  expect
    .poll(() => signals.listenerCount(signal))
    .toBeGreaterThan(0)
    .then(() => signals.emit(signal, signal));

describe('start', () => {
  it('says one line when it is ready, and stops at the first signal', async () => {
    const { said, signals, go } = world();
    const code = go('start');
    await expect.poll(() => said.out).not.toBe('');
    await signalled(signals, 'SIGTERM');
    expect(await code).toBe(0);
    expect(said.out.trimEnd().split('\n')).toHaveLength(1);
    expect(said.out).toContain('ws://127.0.0.1:1234');
    expect(said.out).toContain(join(folder, 'data'));
    expect(said.stopped).toBe(1);
    expect(signals.listenerCount('SIGTERM')).toBe(0);
  });

  it.each([
    ['4 when the storage is refused', new GatewayError('GATEWAY_STORAGE', 'in use: stop the other one'), 4],
    [
      '3 when the configuration turns out to be wrong',
      new GatewayError('GATEWAY_CONFIG', 'no such adapter'),
      3,
    ],
    [
      '1 when the port is taken',
      Object.assign(new Error('x'), { code: 'EADDRINUSE', port: 1234, address: 'a' }),
      1,
    ],
  ])('exits with %s, and one sentence', async (_, error, code) => {
    const { said, go } = world({ start: () => Promise.reject(error) });
    expect(await go('start')).toBe(code);
    expect(said.err.trimEnd().split('\n')).toHaveLength(1);
    expect(said.err).not.toContain('    at ');
    expect(said.out).toBe('');
  });

  it('tells what it found in the file and leaves alone', async () => {
    const { said, signals, go } = world();
    const code = go('start', '--config', file('other.yaml', 'workers: [{ name: iii-http }]\n'));
    await expect.poll(() => said.out).not.toBe('');
    await signalled(signals, 'SIGTERM');
    await code;
    expect(said.err).toContain('note: ');
    expect(said.err).toContain('iii-http');
  });
});

describe('wrong usage', () => {
  it.each([[['teleport']], [['start', '--speed', '9']], [['validate']], [[]]])(
    '%j exits with 2 and says how',
    async (args) => {
      const { said, go } = world();
      expect(await go(...args)).toBe(2);
      expect(said.err).not.toBe('');
    },
  );

  it('a bad file exits with 3 and a line for each mistake', async () => {
    const { said, go } = world();
    const path = file(
      'bad.yaml',
      'workers:\n  - { name: iii-state, config: { adaptor: {} } }\n  - { name: iii-state-gateway, config: { patience_ms: 1 } }\n',
    );
    expect(await go('validate', path)).toBe(3);
    expect(said.err.trimEnd().split('\n')).toHaveLength(2);
    expect(said.err).toContain('bad.yaml:2:');
    expect(said.err).toContain('adapter'); // the suggestion
  });
});

describe('help', () => {
  it('--version is that of the package', async () => {
    const { said, go } = world();
    expect(await go('--version')).toBe(0);
    expect(said.out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it('--help shows examples and exit codes', async () => {
    const { said, go } = world();
    expect(await go('--help')).toBe(0);
    expect(said.out).toContain('Examples:');
    expect(said.out).toContain('Exit codes:');
  });

  it('a good file is called good', async () => {
    const { go } = world();
    expect(await go('validate', file('good.yaml', 'workers: [{ name: iii-state }]\n'))).toBe(0);
  });

  it('print-config prints what would run', async () => {
    const { said, go } = world();
    expect(await go('print-config', '--port', '5005')).toBe(0);
    expect(said.out).toContain('port: 5005');
  });
});
