import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
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
    for (const args of [['drain'], ['quarantine', 'list'], ['conflicts', 'list']])
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
  [['quarantine', 'edit']],
  [['quarantine', 'export', '1']],
  [['conflicts']],
  [['conflicts', 'show', 'x']],
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

  it('says what waits for a decision', async () => {
    const operator = new MemoryOperator();
    operator.settle(operator.quarantine('a'), 'quarantined', { holds: true, waiting: 2 } as object);
    const site = await siteOf(operator);
    expect((await on(site, 'quarantine', 'list')).out).toContain('1    refused, holds 2 writes  ');
    expect((await on(site, 'quarantine', 'show', '1')).out).toContain(
      '\nwhy       refused, holds 2 writes\n',
    );
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

describe('quarantine edit', () => {
  const inputOf = (value: unknown) => JSON.stringify({ scope: 'orders', key: 'a', value });

  async function siteWithOne() {
    const operator = new MemoryOperator();
    operator.quarantine('a', 'bad');
    const site = await siteOf(operator);
    const file = join(site.dataDir, 'input.json');
    /** An editor as a person would use it: a program that changes the file it is given. */
    const editor = async (script: string) => {
      const program = join(site.dataDir, 'an editor.sh');
      await writeFile(program, `#!/bin/sh\n${script}\n`, { mode: 0o700 });
      const env = { EDITOR: `'${program}' --wait`, PATH: process.env['PATH'] };
      return command(['quarantine', 'edit', '1', '--data-dir', site.dataDir], '/', { env });
    };
    return { operator, site, file, editor };
  }

  it('sends one again as a file says', async () => {
    const { operator, site, file } = await siteWithOne();
    writeFileSync(file, `${inputOf('good')}\n`);
    expect(await on(site, 'quarantine', 'edit', '1', '--file', file)).toEqual({
      code: 0,
      out: '1 is accepted again with its new input, as gw-2\n',
      err: '',
    });
    expect(operator.inputOf(2)).toBe(inputOf('good'));
  });

  it('sends one again as an editor leaves it', async () => {
    const { operator, editor } = await siteWithOne();
    // $1 is --wait; what is shown is laid out for people.
    const { code, out } = await editor(`grep -q '^  "value": "bad"$' "$2" && sed -i 's/bad/good/' "$2"`);
    expect({ code, out }).toEqual({ code: 0, out: '1 is accepted again with its new input, as gw-2\n' });
    expect(JSON.parse(operator.inputOf(2))).toMatchObject({ value: 'good' });
  });

  it('sends nothing when nothing was changed, or the editor fails', async () => {
    const { operator, editor } = await siteWithOne();
    expect(await editor('true')).toEqual({
      code: 0,
      out: '1 was not changed, and nothing was sent\n',
      err: '',
    });
    expect(await editor('exit 3')).toEqual({
      code: 1,
      out: '',
      err: 'The editor ended with 3: nothing was sent\n',
    });
    expect(operator.status().writes).toMatchObject({ accepted: 1, quarantined: 1 });
  });

  it('keeps what was written when it is refused', async () => {
    const { operator, editor } = await siteWithOne();
    const { code, out, err } = await editor(`sed -i 's/"a"/"b"/' "$2"`);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    const [, path = ''] = /^What you wrote is kept in (.+)\nit must stay one for key "a"\n$/.exec(err) ?? [];
    expect(readFileSync(path, 'utf8')).toContain('"key": "b"');
    rmSync(dirname(path), { recursive: true });
    expect(operator.status().writes).toMatchObject({ accepted: 1, quarantined: 1 });
  });

  it('wants an editor or a file', async () => {
    const { site } = await siteWithOne();
    expect(await on(site, 'quarantine', 'edit', '1')).toMatchObject({
      code: 1,
      err: expect.stringContaining('set EDITOR, or give the new input with --file'),
    });
    expect((await on(site, 'quarantine', 'edit', '1', '-f', 'no.json')).code).toBe(1);
  });

  it('leaves numbers as they are that no layout can keep', async () => {
    const operator = new MemoryOperator();
    operator.quarantine('a');
    const shown = operator.showQuarantined(1);
    const input = '{"scope":"orders","key":"a","value":[1.0,12345678901234567890]}';
    operator.showQuarantined = () => ({ ...shown, input });
    const site = await siteOf(operator);
    const env = { EDITOR: `grep -qxF '${input}'`, PATH: process.env['PATH'] };
    const { code } = await command(['quarantine', 'edit', '1', '--data-dir', site.dataDir], '/', { env });
    expect(code).toBe(0);
  });
});

describe('quarantine export', () => {
  const linesOf = (text: string) =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { seq: number; input: string });

  it('prints all with their inputs, page by page', async () => {
    const operator = new MemoryOperator();
    for (let n = 0; n < 1001; n += 1) operator.quarantine(`k${n}`, { n });
    const site = await siteOf(operator);
    const { code, out, err } = await on(site, 'quarantine', 'export');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const lines = linesOf(out);
    expect(lines).toHaveLength(1001);
    expect(lines[1000]).toMatchObject({ seq: 1001, input: operator.inputOf(1001) });
    expect(await on(await siteOf(new MemoryOperator()), 'quarantine', 'export')).toMatchObject({ out: '' });
  });

  it('writes them to a file that only its owner reads', async () => {
    const operator = new MemoryOperator();
    operator.quarantine('a', 'secret');
    const site = await siteOf(operator);
    const args = ['quarantine', 'export', '--data-dir', site.dataDir, '--output', 'out.jsonl'];
    expect(await command(args, site.dataDir)).toEqual({
      code: 0,
      out: '1 write of the quarantine in out.jsonl\n',
      err: '',
    });
    const file = join(site.dataDir, 'out.jsonl');
    expect(linesOf(readFileSync(file, 'utf8'))).toMatchObject([{ seq: 1, input: operator.inputOf(1) }]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('needs the token, and leaves no half a file', async () => {
    const operator = new MemoryOperator();
    operator.quarantine('a', 'secret');
    const site = await siteOf(operator);
    const elsewhere = await emptyFolder();
    const port = String(site.server.address.port);
    writeFileSync(join(elsewhere, 'admin-token'), 'wrong');
    const args = ['quarantine', 'export', '--admin-port', port, '--data-dir', '.', '-o', 'out.jsonl'];
    expect(await command(args, elsewhere)).toMatchObject({ code: 1, out: '' });
    expect(readdirSync(elsewhere)).toEqual(['admin-token']);
  });
});

describe('conflicts', () => {
  it('lists, page by page, without values', async () => {
    const operator = new MemoryOperator();
    const site = await siteOf(operator);
    expect((await on(site, 'conflicts', 'list')).out).toBe('no conflicts are recorded\n');
    for (let n = 0; n < 1001; n += 1) operator.conflict(`k${n}`, 'secret');
    const { out } = await on(site, 'conflicts', 'list');
    const lines = out.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^NUMBER +OURS +BY +AT +CALL$/);
    expect(lines[1001]).toMatch(/^1001 +won +local-wins +\S+Z +state::set "orders" "k1000"$/);
    expect(lines[1002]).toBe('1 001 conflicts, the newest last');
    expect(out).not.toContain('secret');
    expect(JSON.parse((await on(site, 'conflicts', 'list', '--json')).out)).toHaveLength(1001);
  });

  it('shows one with all its values', async () => {
    const operator = new MemoryOperator();
    operator.conflict('a', 'theirs');
    const site = await siteOf(operator);
    const { out } = await on(site, 'conflicts', 'show', '1');
    for (const line of [
      'ours      won, by local-wins',
      'base      not known',
      'local     1',
      'remote    "theirs"',
    ])
      expect(out).toContain(`${line}\n`);
    const json = await on(site, 'conflicts', 'show', '1', '--json');
    expect(JSON.parse(json.out)).toEqual(operator.showConflict(1));
    expect(await on(site, 'conflicts', 'show', '2')).toMatchObject({ code: 1, out: '' });
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
