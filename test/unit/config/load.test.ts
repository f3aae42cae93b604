import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ConfigRequest, loadConfig } from '../../../src/config/load.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gateway-config-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const load = (request: Partial<ConfigRequest> = {}) =>
  loadConfig({ env: {}, cwd: folder, interfaces: [], ...request });
const loadText = (text: string, request: Partial<ConfigRequest> = {}) => {
  writeFileSync(join(folder, 'c.yaml'), text);
  return load({ file: 'c.yaml', ...request });
};
const bridge = (url: string) =>
  `workers: [{ name: iii-state, config: { adapter: { name: bridge, config: { bridge_url: "${url}" } } } }]`;

describe('without a file', () => {
  it('is an embedded engine below ./data', () => {
    const { config, notes } = load();
    expect(notes).toEqual([]);
    expect(config.listener).toEqual({ host: '127.0.0.1', port: 49134 });
    expect(config.dataDir).toBe(join(folder, 'data'));
    expect(config.state).toEqual({
      adapter: 'kv',
      storeMethod: 'file_based',
      filePath: join(folder, 'data/state'),
      saveIntervalMs: 5000,
      triggersEnabled: true,
      maxValueBytes: 0,
    });
  });

  it('is a gateway when a remote is named', () => {
    const flagged = load({ flags: { remote: 'ws://hub:49134' } }).config.state;
    expect(flagged).toMatchObject({ adapter: 'bridge', remoteUrl: 'ws://hub:49134' });
    const inherited = load({ env: { REMOTE_III_URL: 'wss://hub' } }).config.state;
    expect(inherited).toMatchObject({ adapter: 'bridge', remoteUrl: 'wss://hub' });
  });

  it('does not read a file that nobody named', () => {
    writeFileSync(join(folder, 'config.yaml'), 'nonsense');
    expect(load().config.state.adapter).toBe('kv');
  });
});

describe('precedence', () => {
  const env = { REMOTE_III_URL: 'ws://from-env:1' };
  const remoteOf = ({ config }: ReturnType<typeof load>) =>
    config.state.adapter === 'bridge' ? config.state.remoteUrl : config.state.adapter;

  it('is flag, then environment, then file', () => {
    const file = bridge('ws://from-file:1');
    expect(remoteOf(loadText(file))).toBe('ws://from-file:1');
    expect(remoteOf(loadText(file, { env }))).toBe('ws://from-env:1');
    expect(remoteOf(loadText(file, { env, flags: { remote: 'ws://from-flag:1' } }))).toBe('ws://from-flag:1');
  });

  it('takes an empty REMOTE_III_URL as not set', () => {
    expect(remoteOf(loadText(bridge('ws://from-file:1'), { env: { REMOTE_III_URL: '' } }))).toBe(
      'ws://from-file:1',
    );
  });

  it('makes a bridge of another adapter, and of no State at all', () => {
    const kv = 'workers: [{ name: iii-state, config: { triggers_enabled: false } }]';
    expect(loadText(kv, { env }).config.state).toEqual({
      adapter: 'bridge',
      remoteUrl: 'ws://from-env:1',
      triggersEnabled: false,
      maxValueBytes: 0,
    });
    expect(remoteOf(loadText('', { env }))).toBe('ws://from-env:1');
    expect(remoteOf(loadText(''))).toBe('none');
  });

  it('lets flags win over the listener, the admin port and the data folder of the file', () => {
    const file = `workers:
      - { name: iii-worker-manager, config: { host: 10.0.0.1, port: 1 } }
      - { name: iii-state }
      - { name: iii-state-gateway, config: { data_dir: here, admin: { host: 10.0.0.2, port: 2 } } }`;
    const flags = { host: '::1', port: '0', adminPort: '3', dataDir: '../elsewhere' };
    const { config } = loadText(file, { flags });
    expect(config.listener).toEqual({ host: '::1', port: 0 });
    expect(config.admin).toEqual({ host: '10.0.0.2', port: 3 });
    expect(config.dataDir).toBe(join(folder, '../elsewhere'));
    expect(config.state).toMatchObject({ filePath: join(folder, '../elsewhere/state') });
  });

  it('turns an admin server on again by its port', () => {
    const { config, notes } = loadText('workers: [{ name: iii-state-gateway, config: { admin: off } }]', {
      flags: { adminPort: '7' },
    });
    expect(config.admin).toEqual({ host: '127.0.0.1', port: 7 });
    expect(notes).toEqual([]);
  });
});

describe('refusals', () => {
  it('treats flags and environment as the file is treated', () => {
    const flags = { host: '', port: '65536', adminPort: 'x', dataDir: '' };
    const wrong = () => load({ flags, env: { REMOTE_III_URL: 'hub:49134' } });
    const lines = [
      'REMOTE_III_URL: must begin with ws:// or wss://; write for example ws://hub:49134',
      '--host: must be a host name or address, not ""',
      '--port: must be a whole number from 0 to 65535, not 65536',
      '--admin-port: must be a whole number from 0 to 65535, not "x"',
      '--data-dir: must be the path of a folder, not ""',
    ];
    expect(wrong).toThrow(expect.objectContaining({ code: 'GATEWAY_CONFIG', message: lines.join('\n') }));
  });

  it('refuses a remote that is the own listener, wherever it is named', () => {
    const sentence =
      "the remote is this gateway's own listener ws://127.0.0.1:49134; name another engine, or give the listener another port";
    const own = 'ws://localhost:49134';
    expect(() => load({ flags: { remote: own } })).toThrow(`--remote: ${sentence}`);
    expect(() => load({ env: { REMOTE_III_URL: own } })).toThrow(`REMOTE_III_URL: ${sentence}`);
    expect(load({ flags: { remote: own, port: '49135' } }).config.state.adapter).toBe('bridge');
  });

  it('says that a file is not there, or not a file', () => {
    expect(() => load({ file: 'nowhere.yaml' })).toThrow('nowhere.yaml: there is no such file');
    expect(() => load({ file: '.' })).toThrow(/^\.: cannot be read: EISDIR/);
  });

  it('does not repeat a password of an address', () => {
    const wrong = () => loadText(bridge('http://me:s3cret@hub'));
    expect(wrong).toThrow('not http://');
    expect(wrong).not.toThrow('s3cret');
  });

  it('is not brought down by an explosion of aliases', () => {
    const lines = ['a0: &a0 [x, x]'];
    for (let n = 1; n < 30; n++) lines.push(`a${n}: &a${n} [*a${n - 1}, *a${n - 1}]`);
    expect(() => loadText(lines.join('\n'))).toThrow(expect.objectContaining({ code: 'GATEWAY_CONFIG' }));
  });
});

describe('the result', () => {
  it('is frozen, except what belongs to a custom adapter', () => {
    const text =
      'workers: [{ name: iii-state, config: { adapter: { name: ./mine.js, config: { a: { b: 1 } } } } }]';
    const { config } = loadText(text);
    for (const part of [config, config.listener, config.state, config.limits, config.remote.reconnectMs])
      expect(Object.isFrozen(part)).toBe(true);
    expect(config.state).toMatchObject({ config: { a: { b: 1 } } });
    expect(config.state.adapter === 'custom' && Object.isFrozen(config.state.config)).toBe(false);
  });

  it('has paths relative to the folder of the file', () => {
    const text = 'workers: [{ name: iii-state }, { name: iii-state-gateway, config: { data_dir: ../d } }]';
    writeFileSync(join(folder, 'c.yaml'), text);
    const { config } = load({ file: join(folder, 'c.yaml'), cwd: '/' });
    expect(config.dataDir).toBe(join(folder, '../d'));
    expect(config.state).toMatchObject({ filePath: join(folder, '../d/state') });
  });
});
