import { describe, expect, it } from 'vitest';
import {
  codeOf,
  numbers,
  Outpost,
  type OutpostOptions,
  pendingIn,
  resultOf,
  SCOPE,
} from '../support/outpost.js';
import { stopsAfterEach } from '../support/running.js';
import { ready, Workers } from '../support/sdk.js';

const stopLater = stopsAfterEach();
const outpost = async (options: OutpostOptions = {}) => stopLater(await Outpost.start(options));

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

const barrier = (site: Outpost, request: object) => site.worker.call('gateway::barrier', request);

describe('gateway::receipt', () => {
  it('of a write that waits', async () => {
    const site = await outpost({ away: true });
    const { receipt } = await site.setPending('k', { secret: 1 });
    expect(resultOf(await site.receipt(receipt))).toEqual({
      receipt,
      status: 'pending',
      scope: SCOPE,
      key: 'k',
      function_id: 'state::set',
      accepted_at: expect.stringMatching(TIME),
    });
  });

  it('of one that was sent and not answered', async () => {
    const site = await outpost({ gateway: { remote: { call_timeout_ms: 20_000 } } });
    site.remote.drop({ key: 'k' }, 1);
    const { receipt } = await site.setPending('k', 1);
    expect(resultOf(await site.receipt(receipt))).toMatchObject({ status: 'sent' });
  });

  it('of one that the remote has, also after a restart', async () => {
    const site = await outpost({ away: true });
    const { receipt } = await site.setPending('k', 1);
    await site.goOnline();
    const committed = {
      receipt,
      status: 'committed',
      scope: SCOPE,
      key: 'k',
      function_id: 'state::set',
      accepted_at: expect.stringMatching(TIME),
      settled_at: expect.stringMatching(TIME),
    };
    expect(await site.ending(receipt)).toEqual(committed);
    await site.restart();
    expect(resultOf(await site.receipt(receipt))).toEqual(committed);
  });

  it('of one in quarantine', async () => {
    const site = await outpost({ away: true });
    const { receipt } = await site.setPending('k', 1);
    site.remote.refuse('FORBIDDEN', { functionId: 'state::set' }, 1);
    await site.goOnline();
    expect(await site.ending(receipt)).toMatchObject({
      receipt,
      status: 'quarantined',
      reason: 'refused',
      error: { code: 'FORBIDDEN', message: 'state::set failed: as the test told' },
      settled_at: expect.stringMatching(TIME),
    });
  });

  it('waits as long as it is asked to, and not longer than needed', async () => {
    const site = await outpost({ away: true });
    const { receipt } = await site.setPending('k', 1);
    const startedAt = performance.now();
    expect(resultOf(await site.receipt(receipt, 150))).toMatchObject({ status: 'pending' });
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(140);
    const waiting = site.receipt(receipt, 15_000);
    await site.remote.revive();
    expect(resultOf(await waiting)).toMatchObject({ status: 'committed' });
    expect(performance.now() - startedAt).toBeLessThan(10_000);
  });

  it('of nobody is GATEWAY_NOT_FOUND, and nonsense is refused', async () => {
    const site = await outpost({ away: true });
    const { receipt } = await site.setPending('k', 1);
    const prefix = receipt.slice(0, 37);
    for (const unknown of [`${prefix}999`, `${prefix}0`, `${prefix}x`, 'nonsense', '', crypto.randomUUID()]) {
      expect(codeOf(await site.receipt(unknown))).toBe('GATEWAY_NOT_FOUND');
    }
    for (const input of [{}, { receipt: 5 }, { receipt, wait_ms: 'long' }]) {
      expect(codeOf(await site.worker.call('gateway::receipt', input))).toBe('deserialization_error');
    }
  });

  it('through the SDK', async () => {
    const site = await outpost({ away: true });
    const { receipt } = await site.setPending('k', 1);
    await site.goOnline();
    const workers = new Workers();
    stopLater({ stop: () => workers.shutdown() });
    const iii = workers.connect(site.gateway.url, 'auditor');
    await ready(iii);
    expect(
      await iii.trigger({ function_id: 'gateway::receipt', payload: { receipt, wait_ms: 5000 } }),
    ).toMatchObject({ status: 'committed', key: 'k' });
    await expect(
      iii.trigger({ function_id: 'gateway::receipt', payload: { receipt: 'nonsense' } }),
    ).rejects.toMatchObject({ code: 'GATEWAY_NOT_FOUND' });
  });
});

describe('gateway::barrier', () => {
  it('resolves at once where nothing is pending', async () => {
    const site = await outpost();
    await site.set('k', 1);
    expect(resultOf(await barrier(site, {}))).toEqual({ settled: true, quarantined: 0, held: 0 });
  });

  it('resolves when everything accepted so far has arrived', async () => {
    const site = await outpost({ away: true });
    for (const n of numbers(10)) await site.setPending(`k${n}`, n);
    const settled = barrier(site, { timeout_ms: 15_000 });
    await site.remote.revive();
    expect(resultOf(await settled)).toEqual({ settled: true, quarantined: 0, held: 0 });
    expect(site.remote.journal).toHaveLength(10);
  });

  it('is GATEWAY_TIMEOUT with what is left', async () => {
    const site = await outpost({ away: true });
    for (const n of numbers(3)) await site.setPending(`k${n}`, n);
    const answer = await barrier(site, { timeout_ms: 100 });
    expect(codeOf(answer)).toBe('GATEWAY_TIMEOUT');
    expect((answer['error'] as { message: string }).message).toMatch(/\b3\b/);
  });

  it('covers what was accepted when it was asked, and nothing later', async () => {
    const site = await outpost({ away: true });
    await site.setPending('k', 1);
    const settled = barrier(site, { timeout_ms: 15_000 });
    await site.status(); // the barrier has been read by now
    await site.setPending('later', 1);
    site.remote.refuse('function_not_found', { key: 'later' });
    await site.goOnline();
    expect(resultOf(await settled)).toMatchObject({ settled: true });
    site.remote.answerNormally();
  });

  it('covers one scope or one key, if it is told so', async () => {
    const site = await outpost({ away: true });
    await site.setPending('k', 1);
    await site.setPending('stuck', 1);
    site.remote.refuse('function_not_found', { key: 'stuck' });
    await site.goOnline();
    resultOf(await barrier(site, { scope: SCOPE, key: 'k', timeout_ms: 15_000 }));
    resultOf(await barrier(site, { scope: 'another', timeout_ms: 100 }));
    expect(codeOf(await barrier(site, { scope: SCOPE, timeout_ms: 100 }))).toBe('GATEWAY_TIMEOUT');
  });

  it('counts writes in quarantine, refused and unknown', async () => {
    const site = await outpost();
    await site.set('lost', { n: 1 });
    await site.goOffline();
    await site.setPending('refused', 1);
    pendingIn(await site.increment('lost'));
    site.remote.refuse('FORBIDDEN', { key: 'refused', functionId: 'state::set' }, 1);
    site.remote.silent({ key: 'lost', functionId: 'state::update' }, 1);
    await site.goOnline();
    expect(await site.settled()).toEqual({ settled: true, quarantined: 2, held: 0 });
  });
});

describe('gateway::status', () => {
  it('tells of the link, the log and the writes', async () => {
    const site = await outpost();
    await site.set('k', 1);
    const online = await site.status();
    expect(online).toMatchObject({
      link: { state: 'open', remote: expect.stringContaining(site.remote.url.slice(5)), epochs: 1 },
      breaker: { state: 'closed' },
      log: { entries: 0, accepting: true, oldest_age_ms: 0 },
      writes: { accepted: 0, pending: 0, committed: 0 },
      conflicts_won: 0,
      quarantine: { refused: 0, unknown: 0, parked: 0, overflow: 0 },
      replay: { in_flight: 0 },
    });
    await expect
      .poll(async () => (await site.status()).link)
      .toMatchObject({
        adapter: 'kv',
        delivery: 'exactly-once',
      });
    await site.goOffline();
    await site.setPending('k', 2);
    const offline = await site.status();
    expect(offline.link.state).toMatch(/^(waiting|connecting)$/);
    expect(offline).toMatchObject({ log: { entries: 1 }, writes: { accepted: 1, pending: 1 } });
    await expect.poll(async () => (await site.status()).log.oldest_age_ms).toBeGreaterThan(0);
    await site.goOnline();
    await site.settled();
    expect((await site.status()).link.epochs).toBe(2);
  });
});
