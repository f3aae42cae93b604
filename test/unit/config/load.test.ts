import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type ConfigRequest, loadConfig } from '../../../src/config/load.js';
import { printConfig } from '../../../src/config/print.js';

const folder = mkdtempSync(join(tmpdir(), 'config-'));
afterAll(() => rmSync(folder, { recursive: true }));

const bridge = join(folder, 'bridge.yaml');
writeFileSync(
  bridge,
  `workers:
  - { name: iii-worker-manager, config: { host: 127.0.0.1, port: 5001 } }
  - { name: iii-state, config: { adapter: { name: bridge, config: { bridge_url: "ws://file:1" } } } }
  - { name: iii-state-gateway, config: { data_dir: ./here, remote: { headers: { Authorization: "Bearer geheim" } } } }
`,
);

const load = (request: Partial<ConfigRequest> = {}) =>
  loadConfig({ env: {}, cwd: '/cwd', interfaces: ['127.0.0.1'], ...request }).config;
const remoteOf = (request: Partial<ConfigRequest>) => {
  const { state } = load(request);
  return state.adapter === 'bridge' ? state.remoteUrl : state.adapter;
};

describe('without a file', () => {
  it('an engine of its own runs, with its state on disk below the data folder', () => {
    const { listener, state, dataDir } = load();
    expect(listener).toEqual({ host: '127.0.0.1', port: 49134 });
    expect(dataDir).toBe('/cwd/data');
    expect(state).toMatchObject({ adapter: 'kv', storeMethod: 'file_based', filePath: '/cwd/data/state' });
  });

  it('--data-dir moves the state too', () => {
    expect(load({ flags: { dataDir: 'elsewhere' } }).state).toMatchObject({
      filePath: '/cwd/elsewhere/state',
    });
  });

  it.each([[{ flags: { remote: 'ws://flag:1' } }], [{ env: { REMOTE_III_URL: 'ws://flag:1' } }]])(
    'a remote makes it a gateway',
    (request) => {
      expect(remoteOf(request)).toBe('ws://flag:1');
    },
  );
});

describe('flags win over the environment, which wins over the file', () => {
  it.each([
    ['the file', { file: bridge }, 'ws://file:1'],
    ['the environment', { file: bridge, env: { REMOTE_III_URL: 'ws://env:1' } }, 'ws://env:1'],
    [
      'a flag',
      { file: bridge, env: { REMOTE_III_URL: 'ws://env:1' }, flags: { remote: 'ws://flag:1' } },
      'ws://flag:1',
    ],
  ])('%s', (_, request, expected) => {
    expect(remoteOf(request)).toBe(expected);
  });

  it('for the listener as well', () => {
    expect(load({ file: bridge }).listener.port).toBe(5001);
    expect(load({ file: bridge, flags: { port: '5002', host: '::1' } }).listener).toEqual({
      host: '::1',
      port: 5002,
    });
  });
});

describe('a relative path', () => {
  it('of the file is relative to the file', () =>
    expect(load({ file: bridge }).dataDir).toBe(join(folder, 'here')));
  it('of a flag is relative to where one is', () =>
    expect(load({ file: bridge, flags: { dataDir: 'x' } }).dataDir).toBe('/cwd/x'));
});

describe('a mistake in a flag or variable', () => {
  it.each([
    [{ flags: { port: 'many' } }, 'port'],
    [{ flags: { remote: 'http://hub' } }, 'remote'],
    [{ env: { REMOTE_III_URL: 'hub:49134' } }, 'REMOTE_III_URL'],
    [{ flags: { remote: 'ws://localhost:49134' } }, 'remote'],
  ])('%j is told', (request, place) => {
    expect(() => load(request)).toThrow(
      expect.objectContaining({ code: 'GATEWAY_CONFIG', message: expect.stringContaining(place) }),
    );
  });

  it('a file that is not there', () => {
    expect(() => load({ file: join(folder, 'none.yaml') })).toThrow(/none\.yaml/);
  });
});

describe('the configuration', () => {
  it('is frozen', () => {
    const config = load();
    expect(() => Object.assign(config.limits, { workers: 1 })).toThrow(TypeError);
  });

  it('is printed so that it loads again, without its secrets', () => {
    const printed = printConfig(load({ file: bridge }));
    expect(printed).not.toContain('geheim');
    const again = join(folder, 'again.yaml');
    writeFileSync(again, printed.replace('********', 'Bearer geheim'));
    expect(load({ file: again })).toEqual(load({ file: bridge }));
  });
});

describe('the files that come with the gateway', () => {
  const config = (name: string) => join(import.meta.dirname, '../../../config', name);

  it('default.yaml says what holds without it', () => {
    const { dataDir, state, ...defaults } = load({ file: config('default.yaml') });
    const empty = join(folder, 'empty.yaml');
    writeFileSync(empty, 'workers: [{ name: iii-state }]\n');
    const { dataDir: _, state: stateWithout, ...without } = load({ file: empty });
    expect(defaults).toEqual(without);
    expect({ ...state, filePath: '' }).toEqual({ ...stateWithout, filePath: '' });
  });

  it.each([
    ['kv.yaml', 'kv'],
    ['bridge.yaml', 'ws://localhost:49135'],
  ])('%s loads', (name, expected) => {
    expect(remoteOf({ file: config(name) })).toBe(expected);
  });
});
