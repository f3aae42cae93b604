import { describe, expect, it } from 'vitest';
import type { QuarantinedWrite } from '../../src/replication/operator.js';
import {
  codeOf,
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

  async function quarantineOf(site: Outpost): Promise<QuarantinedWrite[]> {
    const { status, body } = await site.admin('GET', '/api/quarantine');
    expect(status).toBe(200);
    return (body as { quarantined: QuarantinedWrite[] }).quarantined;
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
