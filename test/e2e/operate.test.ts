import { execFile } from 'node:child_process';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Ended, runCommand } from '../support/command.js';
import { writeConfig } from '../support/gateway.js';
import { type GatewayProcess, startCommand } from '../support/gateway-process.js';
import { pendingIn, type Status } from '../support/outpost.js';
import { RawWorker } from '../support/raw-worker.js';
import { type TempDir, tempDir } from '../support/temp-dir.js';
import { UnreliableRemote } from '../support/unreliable-remote.js';
import { eventually } from './site.js';

const COMMAND = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/** How an operator gets a site through an outage, with nothing but the command. */
describe('an operator', () => {
  let folder: TempDir;
  let remote: UnreliableRemote;
  let gateway: GatewayProcess;
  let worker: RawWorker;
  beforeEach(async () => {
    folder = await tempDir();
    remote = await UnreliableRemote.startAway();
    const config = await writeConfig(folder.path, {
      remote: remote.url,
      gateway: {
        name: 'site-a',
        admin: { host: '127.0.0.1', port: 0 },
        limits: { min_free_bytes: 0 },
        remote: { reconnect_ms: [20, 100] },
      },
    });
    gateway = await startCommand(['--config', config], { cwd: folder.path });
    worker = await RawWorker.connect(gateway.url);
  });
  afterEach(async () => {
    await worker.stop();
    await gateway.stop();
    await remote.stop();
    await folder.remove();
  });

  const command = (...args: string[]): Promise<Ended> =>
    runCommand([...args, '--data-dir', join(folder.path, 'data')], folder.path);
  const set = (key: string, value: unknown) => worker.call('state::set', { scope: 'orders', key, value });
  const status = async () => JSON.parse((await command('status', '--json')).out) as Status;

  it('is told where the gateway is', () => {
    expect(gateway.startLine).toMatch(/; status and metrics: http:\/\/127\.0\.0\.1:\d+; /);
  });

  it('sees an outage, waits it out, and decides about what was refused', async () => {
    for (const key of ['a', 'b', 'c']) pendingIn(await set(key, 'a secret'));
    const page = await command('status');
    expect(page).toMatchObject({ code: 0, err: '' });
    for (const part of ['site-a', 'degraded', '3 accepted: 3 pending', 'quarantine  empty'])
      expect(page.out).toContain(part);
    expect(page.out).not.toContain('\u001b');

    const impatient = await command('drain', '--timeout', '0');
    expect(impatient).toMatchObject({ code: 1, out: '' });
    expect(impatient.err).toContain('3 writes left');

    remote.refuse('FORBIDDEN', { functionId: 'state::set', key: 'b' }, 1);
    await remote.revive();
    const drained = await command('drain', '--timeout', '30');
    expect(drained.code).toBe(6);
    expect(drained.out).toMatch(/^drained \d+ writes? in \d+\.\d s; 1 in quarantine\n$/);
    expect((await status()).writes).toMatchObject({ accepted: 3, committed: 2, quarantined: 1, pending: 0 });

    const list = await command('quarantine', 'list');
    expect(list.out).toMatch(/refused .* state::set "orders" "b" +FORBIDDEN/);
    expect(list.out).not.toContain('a secret');
    const [{ seq }] = JSON.parse((await command('quarantine', 'list', '--json')).out);
    expect((await command('quarantine', 'show', String(seq))).out).toContain('a secret');
    const retried = await command('quarantine', 'retry', String(seq));
    expect(retried).toMatchObject({
      code: 0,
      out: expect.stringMatching(/is accepted again, as \S+-\d+\n$/),
    });
    expect((await command('drain', '--timeout', '30')).code).toBe(0);
    expect(remote.value('orders', 'b')).toBe('a secret');
    expect((await status()).writes).toMatchObject({
      accepted: 4,
      committed: 3,
      superseded: 1,
      quarantined: 0,
    });
  });

  it('gives a refused write up', async () => {
    const { receipt } = pendingIn(await set('a', 'a secret'));
    remote.refuse('FORBIDDEN', { functionId: 'state::set', key: 'a' }, 1);
    await remote.revive();
    await eventually(async () => expect((await status()).writes.quarantined).toBe(1));
    const seq = receipt.slice(receipt.lastIndexOf('-') + 1);
    const dropped = await command('quarantine', 'drop', seq);
    expect(dropped.code).toBe(0);
    expect(dropped.out).toMatch(/^dropped \d+: state::set "orders" "a", \d+ bytes, accepted /);
    expect(dropped.out).not.toContain('a secret');
    expect(await command('quarantine', 'drop', seq)).toMatchObject({ code: 1, out: '' });
    expect((await status()).writes).toMatchObject({ accepted: 1, dropped: 1 });
    expect(remote.journalOf('orders', 'a')).toEqual([]);
  });

  it('mends a refused write, and keeps a copy of what it was', async () => {
    const { receipt } = pendingIn(await set('a', 'a secret'));
    remote.refuse('FORBIDDEN', { functionId: 'state::set', key: 'a' }, 1);
    await remote.revive();
    await eventually(async () => expect((await status()).writes.quarantined).toBe(1));
    const seq = receipt.slice(receipt.lastIndexOf('-') + 1);

    const exported = await command('quarantine', 'export');
    const { input } = JSON.parse(exported.out) as { input: string };
    expect(JSON.parse(input)).toEqual({ scope: 'orders', key: 'a', value: 'a secret' });
    await command('quarantine', 'export', '--output', 'kept.jsonl');
    expect(statSync(join(folder.path, 'kept.jsonl')).mode & 0o777).toBe(0o600);

    writeFileSync(join(folder.path, 'wrong.json'), input.replace('"a"', '"b"'));
    const refused = await command('quarantine', 'edit', seq, '--file', 'wrong.json');
    expect(refused).toMatchObject({ code: 1, out: '' });
    expect(refused.err).toMatch(/^The input must stay one for key "a" of scope "orders"/);

    const piped = ['quarantine', 'edit', seq, '--file', '-', '--data-dir', join(folder.path, 'data')];
    const child = execFile(process.execPath, [COMMAND, ...piped]);
    const said = text(child.stdout as Readable);
    child.stdin?.end(input.replace('a secret', 'mended'));
    expect(await said).toMatch(/is accepted again with its new input, as \S+-\d+\n$/);
    expect((await command('drain', '--timeout', '30')).code).toBe(0);
    expect(remote.value('orders', 'a')).toBe('mended');
  });

  it('sees what a write of the site went over', async () => {
    await remote.revive();
    await eventually(async () => expect((await status()).link.state).toBe('open'));
    await set('a', 'before');
    await remote.die();
    await eventually(async () => expect((await status()).link.state).not.toBe('open'));
    pendingIn(await set('a', 'ours'));
    remote.writesElsewhere('orders', 'a', 'theirs');
    await remote.revive();
    expect((await command('drain', '--timeout', '30')).code).toBe(0);

    expect((await command('status')).out).toContain('conflicts   1 won; see');
    const list = await command('conflicts', 'list');
    expect(list.out).toMatch(/^1 +won +local-wins +\S+Z +state::set "orders" "a"$/m);
    expect(list.out).not.toContain('theirs');
    const shown = await command('conflicts', 'show', '1');
    for (const line of ['base      "before"', 'local     "ours"', 'remote    "theirs"'])
      expect(shown.out).toContain(`${line}\n`);
  });

  it('is told that no gateway runs there any more', async () => {
    expect(await gateway.signal('SIGTERM')).toBe(0);
    const { code, out, err } = await command('status', '--admin-port', '9');
    expect({ code, out }).toEqual({ code: 5, out: '' });
    expect(err).toMatch(/^No gateway answers at http:\/\/127\.0\.0\.1:9 \([^\n]*\n$/);
  });
});
