import { describe, expect, it } from 'vitest';
import { BY_ITSELF_MS, numbers, Outpost, type OutpostOptions, SCOPE, valuesIn } from '../support/outpost.js';
import { stopsAfterEach } from '../support/running.js';

const stopLater = stopsAfterEach();
const outpost = async (options: OutpostOptions = {}) => stopLater(await Outpost.start(options));

/** Waits for the remote to have executed so many writes, without a word to the gateway. */
async function executed(site: Outpost, count: number): Promise<void> {
  await site.remote.executed(count);
  expect(site.remote.journal).toHaveLength(count);
}

describe('a backlog drains without a new write', () => {
  it('when the remote comes back', async () => {
    const site = await outpost();
    await site.goOffline();
    for (const n of numbers(20)) await site.setPending(`k${n % 5}`, n);
    await site.remote.revive();
    await executed(site, 20);
  });

  it('when the gateway started without the remote, on what an earlier run left', async () => {
    const site = await outpost({ away: true });
    for (const n of numbers(20)) await site.setPending(`k${n % 5}`, n);
    await site.restart();
    expect((await site.status()).log.entries).toBe(20);
    await site.remote.revive();
    await executed(site, 20);
  });

  it('when the gateway starts and the remote is there', async () => {
    const site = await outpost({ away: true });
    for (const n of numbers(20)) await site.setPending(`k${n % 5}`, n);
    await site.close();
    await site.remote.revive();
    await site.open();
    await executed(site, 20);
  });

  it('when the remote had no State for a while', async () => {
    const site = await outpost({ away: true });
    for (const n of numbers(3)) await site.setPending(`k${n}`, n);
    const absent = site.remote.refuse('function_not_found', { functionId: 'state::set' }, 4);
    await site.remote.revive();
    await absent.met(4);
    await executed(site, 3);
  });

  it('when the black hole is over', async () => {
    const site = await outpost({ gateway: { breaker: { min_calls: 1, reset_ms: 100 } } });
    site.remote.blackHole();
    for (const n of numbers(10)) await site.setPending(`k${n}`, n);
    site.remote.heal();
    await expect.poll(() => site.remote.journal.length, { timeout: BY_ITSELF_MS }).toBe(10);
    await expect.poll(async () => (await site.status()).log.entries, { timeout: BY_ITSELF_MS }).toBe(0);
    expect(site.remote.journal).toHaveLength(10);
    expect((await site.status()).breaker.state).toBe('closed');
  });

  it('when the answers of a drain get lost', async () => {
    const site = await outpost({ away: true });
    for (const n of numbers(10)) await site.setPending(`k${n}`, n);
    site.remote.silent({ functionId: 'state::set' }, 3);
    await site.remote.revive();
    await executed(site, 10);
    await expect.poll(async () => (await site.status()).log.entries, { timeout: BY_ITSELF_MS }).toBe(0);
    expect(site.remote.journal).toHaveLength(10);
  });

  it('over a link that flaps', async () => {
    const site = await outpost({ away: true });
    for (const n of numbers(60)) await site.setPending(`k${n % 6}`, n);
    await site.remote.revive();
    for (const count of [5, 12, 30, 45]) {
      await site.remote.executed(count);
      site.remote.cut();
    }
    await site.remote.executed(60);
    await expect.poll(async () => (await site.status()).log.entries, { timeout: BY_ITSELF_MS }).toBe(0);
    expect(site.remote.journal).toHaveLength(60);
    for (const n of numbers(6)) {
      expect(valuesIn(site.remote.journalOf(SCOPE, `k${n}`))).toEqual(
        numbers(10).map((step) => n + 6 * step),
      );
    }
    expect((await site.status()).writes).toMatchObject({ accepted: 60, committed: 60 });
  });
});

describe('a drain', () => {
  it('leaves room for fresh calls', async () => {
    const site = await outpost({ away: true, gateway: { patience_ms: 10_000, drain: { window: 4 } } });
    for (const n of numbers(40)) await site.setPending(`k${n}`, n);
    const held = site.remote.late({
      functionId: 'state::set',
      where: ({ key }) => key !== 'fresh',
    });
    await site.goOnline();
    await held.met(4);
    expect((await site.set('fresh', 1))['result']).toEqual({ old_value: null, new_value: 1 });
    expect(held.calls).toHaveLength(4);
    held.end();
    held.release();
    await site.settled();
    expect(site.remote.journal).toHaveLength(41);
  });

  it('can be slowed down', async () => {
    const site = await outpost({ away: true, gateway: { drain: { rate_per_s: 20 } } });
    for (const n of numbers(30)) await site.setPending(`k${n}`, n);
    await site.goOnline();
    await site.settled();
    const times = site.remote.journal.map(({ at }) => at);
    // Twenty are earned at the start, the other ten take half a second.
    expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeGreaterThan(400);
  });

  it('does not begin while the remote is away', async () => {
    const site = await outpost({ away: true });
    await site.setPending('k', 1);
    const { replay, log, writes } = await site.status();
    expect(replay.in_flight).toBe(0);
    expect(log).toMatchObject({ entries: 1, accepting: true });
    expect(writes).toMatchObject({ accepted: 1, pending: 1 });
  });
});
