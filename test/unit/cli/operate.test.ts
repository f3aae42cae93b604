import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { run } from '../../../src/cli/run.js';
import type { Terminal } from '../../../src/cli/terminal.js';
import { stopsAfterEach } from '../../support/running.js';
import { tempDir } from '../../support/temp-dir.js';
import { type AdminSite, startAdmin } from '../admin/admin-site.js';
import { MemoryOperator } from '../admin/memory-operator.js';
import { fakeTerminal } from './fake-terminal.js';

const stopping = stopsAfterEach();

async function siteOf(operator?: MemoryOperator): Promise<AdminSite> {
  return stopping(await startAdmin(operator));
}

async function emptyFolder(): Promise<string> {
  const folder = await tempDir();
  stopping({ stop: () => folder.remove() });
  return folder.path;
}

async function command(args: string[], cwd = '/', more: Partial<Terminal> = {}) {
  const { terminal, seen } = fakeTerminal(cwd);
  const code = await run(args, { ...terminal, isTerminal: false, ...more });
  return { code, out: seen.out, err: seen.err };
}

const on = (site: AdminSite, ...args: string[]) => command([...args, '--data-dir', site.dataDir]);

describe('a gateway is found', () => {
  it('by its word in the data folder, by flags, and by its configuration', async () => {
    const site = await siteOf(new MemoryOperator());
    const { port } = site.server.address;
    const file = join(site.dataDir, 'gateway.yaml');
    const block = { data_dir: '.', admin: { host: '127.0.0.1', port } };
    writeFileSync(file, JSON.stringify({ workers: [{ name: 'iii-state-gateway', config: block }] }));
    const found = { code: 0, out: expect.stringContaining('site-a'), err: '' };
    expect(await on(site, 'status')).toEqual(found);
    expect(await command(['status'], site.dataDir).then(({ code }) => code)).toBe(5); // ./data is not it
    expect(await command(['status', '--admin-port', String(port)])).toEqual(found);
    expect(await command(['status', '--admin-port', String(port), '--admin-host', 'localhost'])).toEqual(
      found,
    );
    rmSync(join(site.dataDir, 'admin-address'));
    expect(await command(['status', '--config', file])).toEqual(found);
    expect((await command(['status', '-c', 'gateway.yaml', '--json'], site.dataDir)).code).toBe(0);
  });

  it('or not, with 5 and one sentence', async () => {
    const folder = await emptyFolder();
    const lone = await command(['status', '--data-dir', folder, '--admin-port', '1']);
    expect(lone).toEqual({
      code: 5,
      out: '',
      err: 'No gateway answers at http://127.0.0.1:1 (ECONNREFUSED): is it running?\n',
    });
    const off = join(folder, 'off.yaml');
    writeFileSync(off, 'workers: [{ name: iii-state-gateway, config: { admin: off } }]');
    expect(await command(['status', '--config', off])).toMatchObject({
      code: 5,
      err: expect.stringContaining('turns the admin server off'),
    });
    for (const args of [['drain'], ['quarantine', 'list']])
      expect((await command([...args, '--data-dir', folder, '--admin-port', '1'])).code).toBe(5);
  });

  it.each([
    ['no JSON', 'hello', 200],
    ['other JSON', '{"error":"x"}', 404],
    ['a number', '5', 200],
  ])('never in something else that answers with %s', async (_, body, status) => {
    const other = createServer((_request, response) => response.writeHead(status).end(body));
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    stopping({ stop: async () => void other.close() });
    const { port } = other.address() as AddressInfo;
    expect(await command(['status', '--admin-port', String(port)])).toMatchObject({
      code: 5,
      err: `What answers at http://127.0.0.1:${port} is no gateway\n`,
    });
  });

  it('not with a configuration that is wrong: 3', async () => {
    expect((await command(['status', '--config', 'no.yaml'])).code).toBe(3);
  });
});

it.each([
  [['quarantine']],
  [['quarantine', 'show']],
  [['quarantine', 'show', 'x']],
  [['quarantine', 'drop', '0']],
  [['drain', '--timeout', '-1']],
  [['drain', '--timeout', 'soon']],
  [['status', '--admin-port', '0']],
  [['status', 'now']],
])('%j is wrong usage: 2', async (args) => {
  const { code, out, err } = await command(args);
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).not.toBe('');
});

describe('status', () => {
  it('prints JSON for programs', async () => {
    const operator = new MemoryOperator();
    const site = await siteOf(operator);
    const { out } = await on(site, 'status', '--json');
    expect(JSON.parse(out)).toMatchObject({ gateway: { id: 'gw' }, ...operator.status() });
  });

  it('has colours only where they are wanted', async () => {
    const site = await siteOf();
    const args = ['status', '--data-dir', site.dataDir];
    expect((await command(args, '/', { isColourful: true })).out).toContain('\u001b[');
    expect((await command(args)).out).not.toContain('\u001b[');
  });
});

describe('quarantine', () => {
  it('lists, page by page', async () => {
    const operator = new MemoryOperator();
    const site = await siteOf(operator);
    expect(await on(site, 'quarantine', 'list')).toEqual({
      code: 0,
      out: 'the quarantine is empty\n',
      err: '',
    });
    for (let n = 0; n < 1500; n += 1) operator.quarantine(`k${n}`, 'secret');
    operator.quarantine('last', 'secret', '\u001b[2Jgone', 'unknown');
    const json = JSON.parse((await on(site, 'quarantine', 'list', '--json')).out);
    expect(json).toHaveLength(1501);
    expect(json[1500]).toMatchObject({ seq: 1501, key: 'last' });
    const { out } = await on(site, 'quarantine', 'list');
    const lines = out.trimEnd().split('\n');
    expect(lines).toHaveLength(1503);
    expect(lines[0]).toMatch(/^SEQ +WHY +ACCEPTED +CALL +ERROR$/);
    expect(lines[1]).toMatch(/^1 +refused +\S+Z +state::set "orders" "k0" +FORBIDDEN: not yours$/);
    expect(lines[1501]).toContain('unknown');
    expect(lines[1501]).toContain('\\u001b[2Jgone');
    expect(lines[1502]).toBe('1 501 writes in quarantine');
    expect(out).not.toContain('secret');
  });

  it('shows one with its value', async () => {
    const operator = new MemoryOperator();
    operator.quarantine('a', { secret: 1 });
    const site = await siteOf(operator);
    const { code, out } = await on(site, 'quarantine', 'show', '1');
    expect(code).toBe(0);
    expect(out).toContain('state::set "orders" "a"');
    expect(out).toMatch(/\{"scope":"orders","key":"a","value":\{"secret":1\}\}\n$/);
  });

  it('retries one and drops one, and says so', async () => {
    const operator = new MemoryOperator();
    operator.quarantine('a');
    operator.quarantine('b');
    const site = await siteOf(operator);
    expect(await on(site, 'quarantine', 'retry', '1')).toEqual({
      code: 0,
      out: '1 is accepted again, as gw-3\n',
      err: '',
    });
    const dropped = await on(site, 'quarantine', 'drop', '2');
    expect(dropped.out).toMatch(/^dropped 2: state::set "orders" "b", \d+ bytes, accepted \S+Z\n$/);
    expect(operator.status().writes).toMatchObject({ quarantined: 0, superseded: 1, dropped: 1 });
    expect(await on(site, 'quarantine', 'drop', '2')).toEqual({
      code: 1,
      out: '',
      err: 'there is no write 2\n',
    });
  });

  it('needs the token, and says where from', async () => {
    const operator = new MemoryOperator();
    operator.quarantine('a');
    const site = await siteOf(operator);
    const port = ['--admin-port', String(site.server.address.port)];
    const elsewhere = await emptyFolder();
    const none = await command(['quarantine', 'drop', '1', '--data-dir', elsewhere, ...port]);
    expect(none).toMatchObject({ code: 1, err: expect.stringContaining('There is no admin token') });
    writeFileSync(join(elsewhere, 'admin-token'), 'wrong');
    const wrong = await command(['quarantine', 'drop', '1', '--data-dir', elsewhere, ...port]);
    expect(wrong).toMatchObject({ code: 1, err: expect.stringContaining('not the token') });
    expect(operator.status().writes.quarantined).toBe(1);
    expect(wrong.err + none.err).not.toContain(
      readFileSync(join(site.dataDir, 'admin-token'), 'utf8').trim(),
    );
  });
});

describe('drain', () => {
  it('waits until all is settled: 0', async () => {
    const operator = new MemoryOperator();
    for (const key of ['a', 'b', 'c']) operator.accept(key);
    operator.onDrain = () => setTimeout(() => operator.settleAll(), 50);
    const site = await siteOf(operator);
    expect(await on(site, 'drain')).toEqual({
      code: 0,
      out: expect.stringMatching(/^drained 3 writes in \d+\.\d s; 0 in quarantine\n$/),
      err: '',
    });
    expect(operator.drains).toBe(1);
  });

  it('says what is in quarantine: 6', async () => {
    const operator = new MemoryOperator();
    const seq = operator.accept('a');
    operator.onDrain = () => operator.settle(seq, 'quarantined', { reason: 'refused' });
    const site = await siteOf(operator);
    const { code, out } = await on(site, 'drain');
    expect(code).toBe(6);
    expect(out).toMatch(/^drained 1 write in \d+\.\d s; 1 in quarantine\n$/);
    const json = await on(site, 'drain', '--json');
    expect(json.code).toBe(6);
    expect(JSON.parse(json.out)).toMatchObject({ is_done: true, drained: 0, left: 0, quarantined: 1 });
  });

  it('gives up when the time is over, with what is left: 1', async () => {
    const operator = Object.assign(new MemoryOperator(), { link: 'waiting' });
    operator.accept('a');
    const site = await siteOf(operator);
    const { code, out, err } = await on(site, 'drain', '--timeout', '0');
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(/then the time was over: 1 write left; the remote engine is away\n$/);
  });

  it('moves a bar at a terminal, and says a line now and then elsewhere', async () => {
    const operator = Object.assign(new MemoryOperator(), { link: 'waiting' });
    operator.accept('a');
    operator.accept('b');
    const site = await siteOf(operator);
    let clock = 0;
    const world = (isTerminal: boolean): Partial<Terminal> => ({
      isTerminal,
      now: () => clock,
      sleep: async (ms) => {
        clock += ms;
      },
    });
    const args = ['drain', '--timeout', '12', '--data-dir', site.dataDir];
    const elsewhere = await command(args, '/', world(false));
    expect(elsewhere.err.match(/^2 left, 0 done in [^\n]+; the remote engine is away$/gm)).toHaveLength(2);
    expect(elsewhere.err).not.toContain('\r');
    const terminal = await command(args, '/', world(true));
    expect(terminal.err).toContain('\r\u001b[K[------------------------------]   0 % 2 left');
    expect(terminal.err).toContain('\r\u001b[Kdrained 0 writes in 12.0 s, then the time was over');
  });

  it('ends with 5 when the gateway goes away meanwhile', async () => {
    const operator = new MemoryOperator();
    operator.accept('a');
    const site = await siteOf(operator);
    operator.onDrain = () => setTimeout(() => void site.server.stop(), 50);
    expect(await on(site, 'drain')).toMatchObject({
      code: 5,
      err: expect.stringContaining('No gateway answers'),
    });
  });

  it('has nothing to do without a remote: 1', async () => {
    expect(await on(await siteOf(), 'drain')).toMatchObject({
      code: 1,
      err: expect.stringContaining('nothing to drain'),
    });
  });
});
