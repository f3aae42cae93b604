import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { run } from '../../../src/cli/run.js';
import type { Gateway } from '../../../src/gateway.js';
import { fakeTerminal } from './fake-terminal.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gateway-cli-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const runHere = async (args: string[], gateway: Partial<Gateway> = {}) => {
  const fake = fakeTerminal(folder, gateway);
  const code = await run(args, fake.terminal);
  return { code, ...fake.seen };
};
const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));

describe('usage', () => {
  it('shows its version', async () => {
    expect(await runHere(['--version'])).toMatchObject({ code: 0, out: `${version}\n`, err: '' });
  });

  it('shows help with examples', async () => {
    const { code, out } = await runHere(['--help']);
    expect(code).toBe(0);
    for (const part of ['start', 'validate', 'print-config', 'Examples:', 'REMOTE_III_URL', 'Exit codes:'])
      expect(out).toContain(part);
    expect((await runHere(['start', '--help'])).out).toContain('--admin-port <port>');
  });

  it.each([
    ['no command', []],
    ['an unknown command', ['strat']],
    ['an unknown option', ['start', '--prot', '1']],
    ['a flag without its value', ['start', '--port']],
    ['a missing argument', ['validate']],
    ['an argument too many', ['start', 'now']],
  ])('is refused with 2 for %s', async (_, args) => {
    const { code, out, err, configs } = await runHere(args);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).not.toBe('');
    expect(configs).toEqual([]);
  });

  it('suggests what was meant', async () => {
    expect((await runHere(['strat'])).err).toContain('Did you mean start?');
    expect((await runHere(['start', '--prot', '1'])).err).toContain('Did you mean --port?');
  });
});

describe('validate', () => {
  it('accepts a good file', async () => {
    writeFileSync(join(folder, 'good.yaml'), 'workers: [{ name: iii-http }]');
    expect(await runHere(['validate', 'good.yaml'])).toMatchObject({
      code: 0,
      out: 'good.yaml is valid\n',
      err: 'note: good.yaml:1:19: iii-http: a block of another worker, not read here\n',
    });
  });

  it('refuses a mistaken one with 3, one line per mistake', async () => {
    writeFileSync(join(folder, 'bad.yaml'), 'wrokers: []\nmoduls: []\n');
    expect(await runHere(['validate', 'bad.yaml'])).toMatchObject({
      code: 3,
      out: '',
      err: 'bad.yaml:1:1: wrokers: unknown key; did you mean `workers`?\nbad.yaml:2:1: moduls: unknown key; did you mean `modules`?\n',
    });
  });

  it('refuses a file that is not there with 3', async () => {
    expect(await runHere(['validate', 'no.yaml'])).toMatchObject({
      code: 3,
      err: 'no.yaml: there is no such file\n',
    });
  });
});

describe('print-config', () => {
  it('prints what start with the same flags would run with', async () => {
    const { code, out } = await runHere([
      'print-config',
      '--remote',
      'ws://hub:1',
      '--port',
      '7',
      '--data-dir',
      'd',
    ]);
    expect(code).toBe(0);
    expect(out).toContain('port: 7\n');
    expect(out).toContain('bridge_url: ws://hub:1\n');
    expect(out).toContain(`data_dir: ${join(folder, 'd')}\n`);
  });
});

describe('start, before a gateway runs', () => {
  it('refuses wrong flags with 3', async () => {
    const { code, err, configs } = await runHere(['start', '--port', 'x', '--remote', 'hub']);
    expect(code).toBe(3);
    expect(err.trimEnd().split('\n')).toHaveLength(2);
    expect(configs).toEqual([]);
  });

  it('gives all flags to the configuration', async () => {
    const flags = [
      '--host',
      '::1',
      '--port',
      '1',
      '--admin-port',
      '2',
      '--data-dir',
      'd',
      '--remote',
      'ws://hub',
    ];
    const failing = { start: () => Promise.reject(new Error('enough')) };
    const { configs, contexts } = await runHere(['start', ...flags], failing);
    expect(configs[0]).toMatchObject({
      listener: { host: '::1', port: 1 },
      admin: { port: 2 },
      dataDir: join(folder, 'd'),
      state: { adapter: 'bridge', remoteUrl: 'ws://hub' },
    });
    expect(contexts[0]?.version).toBe(version);
  });
});
