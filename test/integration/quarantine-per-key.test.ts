import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { QuarantinedWrite } from '../../src/replication/operator.js';
import {
  codeOf,
  expectExactAccounts,
  Outpost,
  type OutpostOptions,
  pendingIn,
  resultOf,
  SCOPE,
  valuesIn,
} from '../support/outpost.js';
import { stopsAfterEach } from '../support/running.js';

const stopLater = stopsAfterEach();
const outpost = async (options: OutpostOptions = {}) => stopLater(await Outpost.start(options));

const ADMIN = { admin: { host: '127.0.0.1', port: 0 } };

describe('a logged write that the remote refuses', () => {
  it.each(['VALUE_TOO_LARGE', 'FORBIDDEN', 'RESERVED_SCOPE', 'INVALID_NAMESPACE', 'deserialization_error'])(
    'with %s goes to quarantine; the rest of its key and other keys go on',
    async (code) => {
      const site = await outpost({ away: true });
      const refused = await site.setPending('k', 'bad');
      const next = await site.setPending('k', 'good');
      const other = await site.setPending('other', 1);
      site.remote.refuse(code, { functionId: 'state::set', key: 'k' }, 1);
      await site.goOnline();

      expect(await site.ending(refused.receipt)).toMatchObject({
        status: 'quarantined',
        reason: 'refused',
        error: { code },
        scope: SCOPE,
        key: 'k',
        function_id: 'state::set',
      });
      for (const { receipt } of [next, other]) {
        expect(await site.ending(receipt)).toMatchObject({ status: 'committed' });
      }
      expect(valuesIn(site.remote.journalOf(SCOPE, 'k'))).toEqual(['good']);
      expect(site.remote.callsOf('state::set', SCOPE, 'k')).toHaveLength(2);
      const { quarantine, writes } = await site.status();
      expect(quarantine).toEqual({ refused: 1, unknown: 0, parked: 0, overflow: 0 });
      expect(writes).toMatchObject({ accepted: 3, committed: 2, quarantined: 1 });
    },
  );

  it('is no longer shown by reads', async () => {
    const site = await outpost();
    await site.set('k', 'before');
    await site.goOffline();
    const { receipt } = await site.setPending('k', 'bad');
    expect(resultOf(await site.get('k'))).toBe('bad');
    site.remote.refuse('FORBIDDEN', { functionId: 'state::set', key: 'k' }, 1);
    await site.goOnline();
    await site.ending(receipt);
    expect(resultOf(await site.get('k'))).toBe('before');
    await site.goOffline();
    expect(resultOf(await site.get('k'))).toBe('before');
  });

  it('whose code is in the message of an `invocation_failed` is refused all the same', async () => {
    const site = await outpost({ away: true });
    const { receipt } = await site.setPending('k', 1);
    const message = 'handler error: FORBIDDEN: not in this scope'; // as the standalone state worker has it
    site.remote.refuse('invocation_failed', { key: 'k', functionId: 'state::set' }, 1, message);
    await site.goOnline();
    expect(await site.ending(receipt)).toMatchObject({
      status: 'quarantined',
      reason: 'refused',
      error: { code: 'invocation_failed', message },
    });
  });
});

describe('a remote that has no State for the moment', () => {
  it('refuses nothing: function_not_found is tried again', async () => {
    const site = await outpost({ away: true });
    const { receipt } = await site.setPending('k', 1);
    const absent = site.remote.refuse('function_not_found', { functionId: 'state::set' }, 2);
    await site.goOnline();
    await absent.met();
    expect(resultOf(await site.receipt(receipt))).not.toMatchObject({ status: 'quarantined' });
    expect(await site.ending(receipt)).toMatchObject({ status: 'committed' });
    expect(valuesIn(site.remote.journalOf(SCOPE, 'k'))).toEqual([1]);
    expect((await site.status()).quarantine.refused).toBe(0);
  });
});

async function quarantineOf(site: Outpost): Promise<QuarantinedWrite[]> {
  const { status, body } = await site.admin('GET', '/api/quarantine');
  expect(status).toBe(200);
  return (body as { quarantined: QuarantinedWrite[] }).quarantined;
}

describe('an operator', () => {
  /** A site with one refused write in quarantine, on its way back online. */
  async function siteWithRefused(): Promise<{ site: Outpost; refused: QuarantinedWrite }> {
    const site = await outpost({ away: true, gateway: ADMIN });
    const { receipt } = await site.setPending('k', { secret: 'bad' });
    site.remote.refuse('FORBIDDEN', { functionId: 'state::set', key: 'k' }, 1);
    await site.goOnline();
    expect(await site.ending(receipt)).toMatchObject({ status: 'quarantined' });
    const [refused] = await quarantineOf(site);
    if (!refused) throw new Error('the quarantine is empty');
    expect(refused).toMatchObject({ receipt, reason: 'refused', key: 'k', error: { code: 'FORBIDDEN' } });
    return { site, refused };
  }

  it('lists without values, and shows one with its value', async () => {
    const { site, refused } = await siteWithRefused();
    expect(JSON.stringify(await quarantineOf(site))).not.toContain('secret');
    const { status, body } = await site.admin('GET', `/api/quarantine/${refused.seq}`);
    expect(status).toBe(200);
    expect(JSON.stringify(body)).toContain('secret');
    expect((await site.admin('GET', `/api/quarantine/${refused.seq}`, { token: false })).status).toBe(401);
    expect((await site.admin('GET', '/api/quarantine/999')).status).toBe(404);
  });

  it('retries it as a new write at the end of its lane', async () => {
    const { site, refused } = await siteWithRefused();
    await site.set('k', 'newer');
    const { status, body } = await site.admin('POST', `/api/quarantine/${refused.seq}/retry`);
    expect(status).toBe(200);
    const { receipt } = body as { receipt: string };
    expect(receipt).not.toBe(refused.receipt);
    expect(await site.ending(receipt)).toMatchObject({ status: 'committed', key: 'k' });
    expect(await site.ending(refused.receipt)).toMatchObject({ status: 'superseded' });
    expect(valuesIn(site.remote.journalOf(SCOPE, 'k'))).toEqual(['newer', { secret: 'bad' }]);
    expect(await quarantineOf(site)).toEqual([]);
  });

  /** `PUT` of a new input. */
  async function edit(site: Outpost, seq: number, input: string) {
    const [address, token] = await Promise.all(
      ['admin-address', 'admin-token'].map((name) => readFile(join(site.dataDir, name), 'utf8')),
    );
    const response = await fetch(`${address?.trim()}/api/quarantine/${seq}`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${token?.trim()}` },
      body: input,
    });
    return { status: response.status, body: (await response.json()) as Record<string, string> };
  }

  it('edits it: a new write at the end of its lane, with the input given', async () => {
    const { site, refused } = await siteWithRefused();
    await site.set('k', 'newer');
    const input = `{ "scope": "${SCOPE}", "key": "k", "value": "mended" }`;
    const { status, body } = await edit(site, refused.seq, input);
    expect(status).toBe(200);
    expect(body['receipt']).not.toBe(refused.receipt);
    expect(await site.ending(body['receipt'] ?? '')).toMatchObject({ status: 'committed', key: 'k' });
    expect(await site.ending(refused.receipt)).toMatchObject({ status: 'superseded' });
    expect(valuesIn(site.remote.journalOf(SCOPE, 'k'))).toEqual(['newer', 'mended']);
    expect(await quarantineOf(site)).toEqual([]);
    expectExactAccounts(await site.status());
  });

  it('is refused an input that no call could have, or of another key, and nothing changes', async () => {
    const { site, refused } = await siteWithRefused();
    const before = await site.status();
    for (const [input, code] of [
      ['{"scope":"s","key":"k"}', 'deserialization_error'],
      ['{"scope":"s","key":"k","value":secret}', 'deserialization_error'],
      ['{"scope":"s","key":"other","value":1}', 'INVALID_ARGUMENTS'],
      ['{"scope":"elsewhere","key":"k","value":1}', 'INVALID_ARGUMENTS'],
    ] as const) {
      const { status, body } = await edit(site, refused.seq, input);
      expect({ status, code: body['code'] }).toEqual({ status: 400, code });
      expect(body['message']).not.toContain('secret');
    }
    expect((await site.status()).writes).toEqual(before.writes);
    expect(await quarantineOf(site)).toMatchObject([{ seq: refused.seq }]);
    expect(site.remote.callsOf('state::set', SCOPE, 'k')).toHaveLength(1);
  });

  it('is refused an input that is larger than a frame to the remote', async () => {
    const site = await outpost({ away: true, gateway: { ...ADMIN, limits: { frame_bytes: 2048 } } });
    const { receipt } = await site.setPending('k', 'bad');
    site.remote.refuse('FORBIDDEN', { functionId: 'state::set', key: 'k' }, 1);
    await site.goOnline();
    await site.ending(receipt);
    const [refused] = await quarantineOf(site);
    const input = JSON.stringify({ scope: SCOPE, key: 'k', value: 'x'.repeat(3000) });
    expect(await edit(site, refused?.seq ?? 0, input)).toMatchObject({
      status: 413,
      body: { code: 'GATEWAY_TOO_LARGE', message: expect.stringContaining('frame_bytes') },
    });
    expect(await quarantineOf(site)).toHaveLength(1);
  });

  it('decides once, however many decide at once', async () => {
    const { site, refused } = await siteWithRefused();
    const silent = site.remote.silent({ functionId: 'state::set', key: 'k' }, 1);
    const fresh = site.set('k', 'newer'); // the lane is taken, so the others wait behind it
    await silent.met();
    const path = `/api/quarantine/${refused.seq}`;
    const deciding = [
      site.admin('POST', `${path}/retry`),
      site.admin('POST', `${path}/retry`),
      site.admin('POST', `${path}/drop`),
      edit(site, refused.seq, '{"scope":"s","key":"k","value":1}'),
    ];
    const statuses = (await Promise.all(deciding)).map(({ status }) => status);
    expect(statuses.sort()).toEqual([200, 404, 404, 404]);
    await fresh;
    await site.settled();
    const status = await site.status();
    expectExactAccounts(status);
    expect(status.writes.quarantined).toBe(0);
    expect(status.writes.superseded + status.writes.dropped).toBe(1);
  });

  it('sees what a write holds, and lets it go with another input first', async () => {
    const scopes = [{ match: SCOPE, on_refusal: 'hold' }];
    const site = await outpost({ away: true, gateway: { ...ADMIN, scopes } });
    for (const value of ['bad', 'second', 'third']) await site.setPending('k', value);
    site.remote.refuse('FORBIDDEN', { functionId: 'state::set', key: 'k' }, 1);
    await site.goOnline();
    await site.settled();
    const [holding] = await quarantineOf(site);
    expect(holding).toMatchObject({ holds: true, waiting: 2 });
    expect(await site.status()).toMatchObject({ held: { keys: 1, writes: 2 }, degraded: true });

    const input = JSON.stringify({ scope: SCOPE, key: 'k', value: 'mended' });
    expect((await edit(site, holding?.seq ?? 0, input)).status).toBe(200);
    expect(await site.settled()).toMatchObject({ quarantined: 0, held: 0 });
    expect(valuesIn(site.remote.journalOf(SCOPE, 'k'))).toEqual(['mended', 'second', 'third']);
    expect(await site.status()).toMatchObject({ held: { keys: 0, writes: 0 }, degraded: false });
  });

  it('exports all with their inputs, by the token alone', async () => {
    const { site, refused } = await siteWithRefused();
    expect((await site.admin('GET', '/api/export/quarantine', { token: false })).status).toBe(401);
    const { body } = await site.admin('GET', '/api/export/quarantine');
    const [exported, ...others] = (body as { quarantined: { seq: number; input: string }[] }).quarantined;
    expect(others).toEqual([]);
    expect(exported).toMatchObject(refused);
    expect(JSON.parse(exported?.input ?? '')).toEqual({ scope: SCOPE, key: 'k', value: { secret: 'bad' } });
  });

  it('drops it, and only with the token', async () => {
    const { site, refused } = await siteWithRefused();
    const path = `/api/quarantine/${refused.seq}/drop`;
    expect((await site.admin('POST', path, { token: false })).status).toBe(401);
    expect(await quarantineOf(site)).toHaveLength(1);
    expect((await site.admin('POST', path)).status).toBeLessThan(300);
    expect(await quarantineOf(site)).toEqual([]);
    expect(await site.ending(refused.receipt)).toMatchObject({ status: 'dropped' });
    await site.settled();
    expect(site.remote.journalOf(SCOPE, 'k')).toEqual([]);
    expect((await site.admin('POST', path)).status).toBe(404);
  });

  it('finds it there after a restart', async () => {
    const { site, refused } = await siteWithRefused();
    await site.restart();
    expect(await quarantineOf(site)).toMatchObject([{ seq: refused.seq, receipt: refused.receipt }]);
    expect((await site.status()).quarantine.refused).toBe(1);
  });
});

describe('a write in quarantine', () => {
  it('holds up no barrier, and is counted by it', async () => {
    const site = await outpost({ away: true });
    await site.setPending('k', 1);
    await site.setPending('other', 1);
    site.remote.refuse('FORBIDDEN', { functionId: 'state::set', key: 'k' }, 1);
    await site.goOnline();
    expect(await site.settled()).toEqual({ settled: true, quarantined: 1, held: 0 });
    expect(
      resultOf(await site.worker.call('gateway::barrier', { scope: SCOPE, key: 'other', timeout_ms: 1000 })),
    ).toEqual({ settled: true, quarantined: 0, held: 0 });
  });

  it('of an update leaves later ones of its chain to apply to what the remote holds', async () => {
    const site = await outpost();
    await site.set('k', { n: 10 });
    await site.goOffline();
    const first = pendingIn(await site.increment('k', 5));
    const second = pendingIn(await site.increment('k', 1));
    site.remote.refuse('FORBIDDEN', { functionId: 'state::update', key: 'k' }, 1);
    await site.goOnline();
    expect(await site.ending(first.receipt)).toMatchObject({ status: 'quarantined', reason: 'refused' });
    expect(await site.ending(second.receipt)).toMatchObject({ status: 'committed' });
    expect(site.remote.value(SCOPE, 'k')).toEqual({ n: 11 });
    expect(resultOf(await site.get('k'))).toEqual({ n: 11 });
  });

  it('is not what an online refusal becomes', async () => {
    const site = await outpost();
    site.remote.refuse('VALUE_TOO_LARGE', { key: 'k' }, 1);
    expect(codeOf(await site.set('k', 1))).toBe('VALUE_TOO_LARGE');
    expect((await site.status()).quarantine.refused).toBe(0);
  });
});
