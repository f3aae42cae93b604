import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startGateway } from '../support/gateway.js';
import {
  BY_ITSELF_MS,
  codeOf,
  expectExactAccounts,
  Outpost,
  resultOf,
  type Status,
} from '../support/outpost.js';
import { RawWorker } from '../support/raw-worker.js';
import { stopsAfterEach } from '../support/running.js';
import { tempDir } from '../support/temp-dir.js';

const stopping = stopsAfterEach();
const ADMIN = { admin: { host: '127.0.0.1', port: 0 } };

async function outpost(options: Parameters<typeof Outpost.start>[0] = {}): Promise<Outpost> {
  return stopping(await Outpost.start({ ...options, gateway: { ...ADMIN, ...options.gateway } }));
}

/** A gateway that keeps its state itself, with a folder to look into. */
async function embedded(gateway: object = ADMIN) {
  const folder = await tempDir();
  stopping({ stop: () => folder.remove() });
  const running = stopping(await startGateway({ dataDir: folder.path, gateway }));
  return { dataDir: folder.path, gateway: running, worker: stopping(await RawWorker.connect(running.url)) };
}

const addressIn = (dataDir: string) => readFileSync(join(dataDir, 'admin-address'), 'utf8').trim();
const tokenIn = (dataDir: string) => readFileSync(join(dataDir, 'admin-token'), 'utf8').trim();

async function textAt(dataDir: string, path: string): Promise<string> {
  return (await fetch(`${addressIn(dataDir)}${path}`)).text();
}

/** The figures of a scrape by name and labels. */
async function figuresOf(dataDir: string): Promise<Map<string, number>> {
  const lines = (await textAt(dataDir, '/metrics')).split('\n');
  return new Map(
    lines
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => {
        const end = line.lastIndexOf(' ');
        return [line.slice(0, end).replace('iii_state_gateway_', ''), Number(line.slice(end + 1))];
      }),
  );
}

describe('the admin server of a gateway before a remote', () => {
  it('and the function gateway::status tell the same', async () => {
    // One attempt, so that the link's state is the same whenever it is asked.
    const site = await outpost({ away: true, gateway: { remote: { reconnect_ms: [60_000, 60_000] } } });
    await site.setPending('k', 1);
    const timeless = ({ log: { oldest_age_ms: _, ...log }, link, ...status }: Status) => ({
      ...status,
      log,
      remote: link.remote,
    });
    const { status, body } = await site.admin('GET', '/api/status', { token: false });
    expect(status).toBe(200);
    expect(timeless(body as Status)).toEqual(timeless(await site.status()));
    expect(body).toMatchObject({
      gateway: { id: expect.any(String), version: 'test', pid: process.pid, data_dir: site.dataDir },
      listener: { host: '127.0.0.1', port: site.gateway.port, workers: 1 },
      state: expect.stringContaining(site.remote.url),
      degraded: true,
      writes: { accepted: 1, pending: 1 },
    });
    expectExactAccounts(body as Status);
  });

  it('calls a gateway ready that is offline and accepts, and says so', async () => {
    const site = await outpost({ away: true });
    expect(await site.admin('GET', '/readyz', { token: false })).toEqual({
      status: 200,
      body: { ready: true, degraded: true, reasons: [expect.any(String)] },
    });
    await site.goOnline();
    expect((await site.admin('GET', '/readyz')).body).toEqual({ ready: true, degraded: false, reasons: [] });
    expect((await site.admin('GET', '/healthz', { token: false })).status).toBe(200);
  });

  it('calls it not ready while its log is full', async () => {
    const site = await outpost({ away: true, gateway: { limits: { log_entries: 2 } } });
    await site.setPending('a', 1);
    await site.setPending('b', 1);
    expect(codeOf(await site.set('c', 1))).toBe('GATEWAY_BACKLOG_FULL');
    const { status, body } = await site.admin('GET', '/readyz');
    expect(status).toBe(503);
    expect(body).toMatchObject({ ready: false });
    expect(JSON.stringify(body)).toContain('log_entries');
    expect((await figuresOf(site.dataDir)).get('log_accepting')).toBe(0);
  });

  it('counts an outage so that the accounts balance before and after', async () => {
    const site = await outpost({ away: true });
    for (const key of ['a', 'b', 'c']) await site.setPending(key, 1);
    const offline = await figuresOf(site.dataDir);
    expect(offline.get('link_up')).toBe(0);
    expect(offline.get('log_entries')).toBe(3);
    expect(offline.get('writes{state="pending"}')).toBe(3);
    expect(offline.get('writes_balance')).toBe(0);

    site.remote.refuse('FORBIDDEN', { functionId: 'state::set', key: 'b' }, 1);
    await site.goOnline();
    await site.settled();
    const online = await figuresOf(site.dataDir);
    expect(online.get('link_up')).toBe(1);
    expect(online.get('log_entries')).toBe(0);
    expect(online.get('writes{state="committed"}')).toBe(2);
    expect(online.get('quarantine{reason="refused"}')).toBe(1);
    expect(online.get('writes_accepted_total')).toBe(3);
    expect(online.get('writes_balance')).toBe(0);
    expect([...online.values()].filter(Number.isNaN)).toEqual([]);
  });

  it('waits with whoever asks for a receipt', async () => {
    const site = await outpost({ away: true });
    const { receipt } = await site.setPending('k', 1);
    const ending = site.admin('GET', `/api/receipts/${receipt}?wait_ms=${BY_ITSELF_MS}`, { token: false });
    await site.goOnline();
    expect(await ending).toMatchObject({ status: 200, body: { receipt, status: 'committed' } });
    expect((await site.admin('GET', `/api/receipts/${receipt}9`)).status).toBe(404);
  });

  it('drains for whoever has the token', async () => {
    const site = await outpost();
    expect((await site.admin('POST', '/api/drain', { token: false })).status).toBe(401);
    expect((await site.admin('POST', '/api/drain')).status).toBe(200);
  });

  it('keeps its token over a restart, and takes its address away at the end', async () => {
    const site = await outpost({ away: true });
    const token = tokenIn(site.dataDir);
    await site.restart();
    expect(tokenIn(site.dataDir)).toBe(token);
    await site.close();
    expect(existsSync(join(site.dataDir, 'admin-address'))).toBe(false);
  });
});

describe('the admin server of a gateway that keeps its state itself', () => {
  it('has nothing to tell of a remote', async () => {
    const { dataDir, worker } = await embedded();
    const status = JSON.parse(await textAt(dataDir, '/api/status'));
    expect(status).toMatchObject({ degraded: false, state: "in this process's memory" });
    expect(status).not.toHaveProperty('link');
    expect(resultOf(await worker.call('gateway::status', {}))).toEqual(status);
    expect(await textAt(dataDir, '/api/quarantine')).toBe('{"quarantined":[]}\n');
    expect((await figuresOf(dataDir)).get('workers')).toBe(1);
    expect(resultOf(await worker.call('gateway::barrier', {}))).toMatchObject({ settled: true });
    expect(codeOf(await worker.call('gateway::receipt', { receipt: 'x-1' }))).toBe('GATEWAY_NOT_FOUND');
  });

  it('is not there when it is turned off; the functions are', async () => {
    const { dataDir, worker } = await embedded({ admin: 'off' });
    expect(existsSync(join(dataDir, 'admin-address'))).toBe(false);
    expect(existsSync(join(dataDir, 'admin-token'))).toBe(false);
    expect(resultOf(await worker.call('gateway::status', {}))).toMatchObject({ degraded: false });
  });

  it('does not start where its port is taken, and leaves the folder to the next', async () => {
    const first = await embedded();
    const port = Number(new URL(addressIn(first.dataDir)).port);
    const folder = await tempDir();
    stopping({ stop: () => folder.remove() });
    const taken = { admin: { host: '127.0.0.1', port } };
    await expect(startGateway({ dataDir: folder.path, gateway: taken })).rejects.toMatchObject({
      code: 'EADDRINUSE',
      part: 'admin',
    });
    stopping(await startGateway({ dataDir: folder.path, gateway: ADMIN }));
    expect((await fetch(`${addressIn(folder.path)}/healthz`)).status).toBe(200);
  });

  it('does not start with a token that is empty', async () => {
    const { dataDir, gateway, worker } = await embedded();
    await worker.stop();
    await gateway.stop();
    writeFileSync(join(dataDir, 'admin-token'), '');
    await expect(startGateway({ dataDir, gateway: ADMIN })).rejects.toMatchObject({
      code: 'GATEWAY_STORAGE',
    });
  });
});
