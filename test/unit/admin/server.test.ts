import { existsSync, readFileSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AdminServer } from '../../../src/admin/server.js';
import { stopsAfterEach } from '../../support/running.js';
import { startAdmin, statusFor } from './admin-site.js';
import { MemoryOperator } from './memory-operator.js';

const stopping = stopsAfterEach();
const start = async (operator?: MemoryOperator, more: Parameters<typeof startAdmin>[1] = {}) =>
  stopping(await startAdmin(operator, more));

describe('health and readiness', () => {
  it('is alive', async () => {
    const site = await start();
    expect((await site.ask('/healthz')).json()).toEqual({ status: 'alive' });
  });

  it('is ready while it accepts, online or not', async () => {
    const online = await start(new MemoryOperator());
    const ready = await online.ask('/readyz');
    expect(ready.status).toBe(200);
    expect(ready.json()).toEqual({ ready: true, degraded: false, reasons: [] });

    const offline = await start(Object.assign(new MemoryOperator(), { link: 'waiting' }));
    const degraded = await offline.ask('/readyz');
    expect(degraded.status).toBe(200);
    expect(degraded.json()).toEqual({
      ready: true,
      degraded: true,
      reasons: ['the remote engine is away'],
    });
  });

  it.each([
    ['a full log', { refusesWrites: 'the log is full' }, 'the log is full'],
    ['a remote it must not use', { link: 'refused' as const }, 'away'],
  ])('is not ready with %s', async (_, fault, reason) => {
    const site = await start(Object.assign(new MemoryOperator(), fault));
    const { status, json } = await site.ask('/readyz');
    expect(status).toBe(503);
    expect(json()).toMatchObject({ ready: false, reasons: [expect.stringContaining(reason)] });
  });

  it('is ready without replication', async () => {
    expect((await (await start()).ask('/readyz')).json()).toMatchObject({ ready: true, degraded: false });
  });
});

describe('status', () => {
  it('is what the gateway is, with its replication', async () => {
    const operator = new MemoryOperator();
    operator.quarantine('k');
    const site = await start(operator);
    const { status, json, headers } = await site.ask('/api/status');
    expect(status).toBe(200);
    expect(headers).toMatchObject({ 'content-type': /json/, 'cache-control': 'no-store' });
    expect(json()).toMatchObject({
      gateway: { id: 'gw', name: 'site-a', version: '1.2.3', pid: 42, data_dir: site.dataDir },
      listener: { host: '127.0.0.1', port: 49134, workers: 3 },
      state: 'on the remote engine ws://hub:49134',
      degraded: true,
      reasons: [expect.stringContaining('1 in quarantine')],
      ...operator.status(),
    });
  });

  it('says that keys are held', () => {
    const operator = Object.assign(new MemoryOperator(), { held: { keys: 2, writes: 5 } });
    expect(statusFor(operator)).toMatchObject({
      degraded: true,
      reasons: [expect.stringContaining('2 held')],
      held: { keys: 2, writes: 5 },
    });
  });

  it('says that the breaker keeps a connected remote waiting', () => {
    const operator = new MemoryOperator();
    operator.breaker = 'half-open';
    expect(statusFor(operator)).toMatchObject({
      degraded: true,
      reasons: [expect.stringContaining('does not answer')],
    });
  });

  it('has no replication where there is none', async () => {
    const status = (await (await start()).ask('/api/status')).json();
    expect(Object.keys(status).sort()).toEqual(['degraded', 'gateway', 'listener', 'reasons', 'state']);
  });
});

describe('conflicts', () => {
  it('are listed by pages, without values', async () => {
    const operator = new MemoryOperator();
    for (const key of ['a', 'b', 'c']) operator.conflict(key, 'secret');
    const site = await start(operator);
    const first = await site.ask('/api/conflicts?limit=2');
    expect(first.json()).toMatchObject({ conflicts: [{ number: 1, key: 'a' }, { number: 2 }], next: 2 });
    expect(first.text).not.toContain('secret');
    expect((await site.ask('/api/conflicts?limit=2&after=2')).json()).toEqual({
      conflicts: [expect.objectContaining({ number: 3, outcome: 'won', policy: 'local-wins' })],
    });
    expect((await (await start()).ask('/api/conflicts')).json()).toEqual({ conflicts: [] });
  });

  it('are shown with values to whoever has the token', async () => {
    const operator = new MemoryOperator();
    const number = operator.conflict('a', 'secret');
    const site = await start(operator);
    const refused = await site.ask(`/api/conflicts/${number}`);
    expect(refused.status).toBe(401);
    expect(refused.text).not.toContain('secret');
    expect((await site.command(`/api/conflicts/${number}`, 'GET')).json()).toEqual({
      ...operator.showConflict(number),
    });
    expect((await site.command('/api/conflicts/9', 'GET')).status).toBe(404);
  });
});

describe('the quarantine', () => {
  it('is listed by pages, without values', async () => {
    const operator = new MemoryOperator();
    for (const key of ['a', 'b', 'c']) operator.quarantine(key, 'secret');
    const site = await start(operator);
    const first = (await site.ask('/api/quarantine?limit=2')).json();
    expect(first).toMatchObject({ quarantined: [{ seq: 1, key: 'a' }, { seq: 2 }], next: 2 });
    const second = await site.ask('/api/quarantine?limit=2&after=2');
    expect(second.json()).toMatchObject({ quarantined: [{ seq: 3 }] });
    expect(second.json()).not.toHaveProperty('next');
    expect(JSON.stringify(first)).not.toContain('secret');
  });

  it('shows a value to whoever has the token, and to nobody else', async () => {
    const operator = new MemoryOperator();
    const seq = operator.quarantine('a', 'secret');
    const site = await start(operator);
    const path = `/api/quarantine/${seq}`;
    expect((await site.command(path, 'GET')).json()).toMatchObject({
      seq,
      input: expect.stringContaining('secret'),
    });
    for (const headers of [{}, { authorization: 'Bearer wrong' }, { authorization: `Basic ${site.token}` }]) {
      const refused = await site.ask(path, { headers });
      expect(refused.status).toBe(401);
      expect(refused.headers['www-authenticate']).toBe('Bearer');
      expect(refused.json()).toMatchObject({ code: 'GATEWAY_FORBIDDEN' });
      expect(refused.text).not.toContain('secret');
    }
  });

  it('is exported with values by pages, to whoever has the token', async () => {
    const operator = new MemoryOperator();
    for (const key of ['a', 'b', 'c']) operator.quarantine(key, 'secret');
    const site = await start(operator);
    expect((await site.ask('/api/export/quarantine')).status).toBe(401);
    const first = (await site.command('/api/export/quarantine?limit=2', 'GET')).json();
    expect(first).toMatchObject({
      quarantined: [{ seq: 1, input: expect.any(String) }, { seq: 2 }],
      next: 2,
    });
    const second = (await site.command('/api/export/quarantine?limit=2&after=2', 'GET')).json();
    expect(second).toMatchObject({ quarantined: [{ seq: 3, input: operator.inputOf(3) }] });
    expect(second).not.toHaveProperty('next');
  });

  it('is exported in pages that fit into memory, however large the values are', async () => {
    const operator = new MemoryOperator();
    for (const key of ['a', 'b', 'c']) operator.quarantine(key, 'x'.repeat(3 * 1024 * 1024));
    const site = await start(operator);
    const page = (await site.command('/api/export/quarantine', 'GET')).json();
    expect(page).toMatchObject({ quarantined: [{ seq: 1 }, { seq: 2 }], next: 2 });
  });

  it('takes a new input by the token alone, also a large one', async () => {
    const operator = new MemoryOperator();
    const seq = operator.quarantine('a', 'bad');
    const site = await start(operator);
    const path = `/api/quarantine/${seq}`;
    const body = JSON.stringify({ scope: 'orders', key: 'a', value: 'ü'.repeat(100_000) });
    const put = (headers: Record<string, string>, text: string) =>
      site.ask(path, { method: 'PUT', headers, body: text });
    expect((await put({}, body)).status).toBe(401);
    const token = { authorization: `Bearer ${site.token}` };
    const other = await put(token, body.replace('"a"', '"b"'));
    expect(other.status).toBe(400);
    expect(other.json()).toMatchObject({ code: 'INVALID_ARGUMENTS' });
    expect(operator.status().writes).toMatchObject({ accepted: 1, quarantined: 1 });

    expect((await put(token, body)).json()).toEqual({ receipt: 'gw-2' });
    expect(operator.inputOf(2)).toBe(body);
    expect((await put(token, body)).status).toBe(404);
  });

  it('retries and drops by the token alone', async () => {
    const operator = new MemoryOperator();
    const [first, second] = [operator.quarantine('a'), operator.quarantine('b', 'secret')];
    const site = await start(operator);
    for (const action of ['retry', 'drop'])
      expect((await site.ask(`/api/quarantine/${first}/${action}`, { method: 'POST' })).status).toBe(401);
    expect(operator.status().writes.quarantined).toBe(2);

    expect((await site.command(`/api/quarantine/${first}/retry`)).json()).toEqual({ receipt: 'gw-3' });
    const dropped = await site.command(`/api/quarantine/${second}/drop`);
    expect(dropped.json()).toMatchObject({ dropped: { seq: second, key: 'b' } });
    expect(dropped.text).not.toContain('secret');
    expect(operator.status().writes).toMatchObject({ quarantined: 0, superseded: 1, dropped: 1, pending: 1 });
    const again = await site.command(`/api/quarantine/${second}/drop`);
    expect(again.status).toBe(404);
    expect(again.json()).toMatchObject({ code: 'GATEWAY_NOT_FOUND' });
  });

  it('is empty without replication', async () => {
    const site = await start();
    expect((await site.ask('/api/quarantine')).json()).toEqual({ quarantined: [] });
    const commands = ['/api/quarantine/1/retry', '/api/quarantine/1/drop', '/api/drain'];
    for (const path of commands) expect((await site.command(path)).status).toBe(404);
    expect((await site.ask('/api/receipts/gw-1')).json()).toMatchObject({ code: 'GATEWAY_NOT_FOUND' });
  });
});

describe('receipts', () => {
  it('tell where a write is, and wait if asked to', async () => {
    const operator = new MemoryOperator();
    const seq = operator.accept('k');
    const site = await start(operator);
    expect((await site.ask('/api/receipts/gw-1')).json()).toMatchObject({
      receipt: 'gw-1',
      status: 'pending',
    });
    const waiting = site.ask('/api/receipts/gw-1?wait_ms=60000');
    await expect.poll(() => operator.waiters).toBe(1);
    operator.settle(seq, 'committed');
    expect((await waiting).json()).toMatchObject({ status: 'committed' });
    expect((await site.ask('/api/receipts/gw-9')).status).toBe(404);
  });

  it('do no harm when whoever waited has gone', async () => {
    const operator = new MemoryOperator();
    const seq = operator.accept('k');
    const site = await start(operator);
    const socket = connect(site.server.address.port, '127.0.0.1');
    socket.write('GET /api/receipts/gw-1?wait_ms=60000 HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await expect.poll(() => operator.waiters).toBe(1);
    const closed = new Promise((resolve) => socket.on('close', resolve));
    socket.destroy();
    await closed;
    expect((await site.ask('/healthz')).status).toBe(200); // by now the server has seen it
    operator.settle(seq, 'committed');
    expect((await site.ask('/api/receipts/gw-1')).json()).toMatchObject({ status: 'committed' });
    expect(site.logger.lines).toEqual([]);
  });

  it('are not waited for when the server stops', async () => {
    const operator = new MemoryOperator();
    operator.accept('k');
    const site = await start(operator);
    const waiting = site.ask('/api/receipts/gw-1?wait_ms=60000');
    await expect.poll(() => operator.waiters).toBe(1);
    await site.server.stop();
    const { status, json } = await waiting;
    expect(status).toBe(503);
    expect(json()).toMatchObject({ code: 'GATEWAY_STOPPING' });
  });
});

it('drains by the token alone', async () => {
  const operator = new MemoryOperator();
  const site = await start(operator);
  expect((await site.ask('/api/drain', { method: 'POST' })).status).toBe(401);
  expect(operator.drains).toBe(0);
  expect((await site.command('/api/drain')).status).toBe(200);
  expect(operator.drains).toBe(1);
});

describe('requests that are wrong', () => {
  it('are told all paths', async () => {
    const site = await start();
    for (const path of ['/', '/api', '/api/quarantine/', '/healthz/x', '//healthz']) {
      const { status, json } = await site.ask(path);
      expect(status, path).toBe(404);
      expect(json()['message']).toContain('GET /api/status');
    }
  });

  it.each([
    ['POST', '/healthz', 'GET'],
    ['GET', '/api/drain', 'POST'],
    ['DELETE', '/api/quarantine/1', 'GET, PUT'],
    ['PUT', '/api/quarantine', 'GET'],
    ['PUT', '/api/conflicts/1', 'GET'],
  ])('are told the method: %s %s', async (method, path, allowed) => {
    const site = await start(new MemoryOperator());
    const { status, headers } = await site.ask(path, { method });
    expect(status).toBe(405);
    expect(headers['allow']).toBe(allowed);
  });

  it.each([
    '/api/quarantine?limit=0',
    '/api/quarantine?limit=1001',
    '/api/quarantine?after=-1',
    '/api/export/quarantine?limit=0',
    '/api/conflicts?limit=1001',
    '/api/conflicts/0',
    '/api/quarantine?after=1e3',
    '/api/receipts/gw-1?wait_ms=3600001',
    '/api/receipts/gw-1?wait_ms=',
    '/api/receipts/%zz',
    '/api/quarantine/0',
    '/api/quarantine/x',
  ])('are told what is wrong: %s', async (path) => {
    const site = await start(new MemoryOperator());
    const { status, json } = await site.command(path, 'GET');
    expect(status).toBe(400);
    expect(json()).toMatchObject({ code: 'deserialization_error', message: expect.any(String) });
  });

  it('to edit are refused without UTF-8 in them', async () => {
    const operator = new MemoryOperator();
    const seq = operator.quarantine('a');
    const site = await start(operator);
    const headers = { authorization: `Bearer ${site.token}` };
    const body = Buffer.from([0x22, 0xff, 0x22]);
    const refused = await site.ask(`/api/quarantine/${seq}`, { method: 'PUT', headers, body });
    expect(refused.status).toBe(400);
    expect(refused.json()).toMatchObject({ code: 'deserialization_error', message: 'The body is not UTF-8' });
    expect(operator.status().writes).toMatchObject({ accepted: 1, quarantined: 1 });
  });

  it('with a body beyond all measure are refused', async () => {
    const operator = new MemoryOperator();
    const site = await start(operator);
    const headers = { authorization: `Bearer ${site.token}` };
    const refused = await site.ask('/api/drain', { method: 'POST', headers, body: 'x'.repeat(100_000) });
    expect(refused.status).toBe(413);
    expect(operator.drains).toBe(0);
    expect((await site.ask('/api/drain', { method: 'POST', headers, body: '{}' })).status).toBe(200);
  });

  it('are answered without our insides when something breaks', async () => {
    const operator = new MemoryOperator();
    operator.listQuarantine = () => Promise.reject(new TypeError('inside information'));
    const site = await start(operator);
    const { status, text } = await site.ask('/api/quarantine');
    expect(status).toBe(500);
    expect(text).not.toContain('inside');
    expect(site.logger.lines).toMatchObject([{ level: 'error', facts: { reason: 'inside information' } }]);
  });
});

describe('web pages', () => {
  it('are kept out by their origin, unless allowed', async () => {
    const site = await start(undefined, { allowedOrigins: ['https://app.example'] });
    const from = (origin: string) => site.ask('/healthz', { headers: { origin } });
    expect((await from('https://evil.example')).status).toBe(403);
    expect((await from('null')).status).toBe(403);
    expect((await from('https://app.example')).status).toBe(200);
  });

  it('are kept out when a name of theirs leads here', async () => {
    const site = await start();
    const as = async (host: string) => (await site.ask('/api/status', { headers: { host } })).status;
    expect(await as('evil.example:9464')).toBe(403);
    expect(await as('127.0.0.1.evil.example')).toBe(403);
    for (const host of ['localhost', 'LOCALHOST:80', '127.0.0.1:9464', '[::1]:9464'])
      expect(await as(host)).toBe(200);
  });

  it('may use any name where the server is open to the network', async () => {
    const site = await start(undefined, { host: '0.0.0.0' });
    expect((await site.ask('/healthz', { headers: { host: 'gateway.example' } })).status).toBe(200);
  });
});

describe('the server', () => {
  it('leaves its address in the data folder while it runs', async () => {
    const site = await start();
    const file = join(site.dataDir, 'admin-address');
    expect(readFileSync(file, 'utf8')).toBe(`${site.url}\n`);
    expect(statSync(join(site.dataDir, 'admin-token')).mode & 0o777).toBe(0o600);
    await site.server.stop();
    expect(existsSync(file)).toBe(false);
  });

  it('ends connections that are kept alive, and may start again', async () => {
    const site = await start();
    const { port } = site.server.address;
    const socket = connect(port, '127.0.0.1');
    const closed = new Promise((resolve) => socket.on('close', resolve));
    const answered = new Promise((resolve) => socket.once('data', resolve));
    socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await answered;
    const begin = performance.now();
    await site.server.stop();
    await closed;
    expect(performance.now() - begin).toBeLessThan(1000);
    await site.server.stop();

    await site.server.start();
    await site.server.start();
    const file = join(site.dataDir, 'admin-address');
    expect(readFileSync(file, 'utf8')).toBe(`http://127.0.0.1:${site.server.address.port}\n`);
  });

  it('ends a connection that sends half a request', async () => {
    const site = await start();
    const socket = connect(site.server.address.port, '127.0.0.1');
    const closed = new Promise((resolve) => socket.on('close', resolve));
    socket.on('error', () => undefined);
    await new Promise<void>((resolve) =>
      socket.write('POST /api/drain HTTP/1.1\r\nHost: x', () => resolve()),
    );
    await site.server.stop();
    await closed;
  });

  it('says whose port it is that it cannot have, and leaves nothing behind', async () => {
    const site = await start();
    const { port } = site.server.address;
    const options = { host: '127.0.0.1', port, dataDir: site.dataDir, allowedOrigins: [] };
    const second = new AdminServer(
      options,
      { status: () => statusFor(undefined), operator: undefined },
      site.logger,
    );
    await expect(second.start()).rejects.toMatchObject({ code: 'EADDRINUSE', part: 'admin', port });
    await second.stop();
    expect(existsSync(join(site.dataDir, 'admin-address'))).toBe(true);
  });
});
