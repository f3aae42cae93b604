import { describe, expect, it } from 'vitest';
import type { Frame } from '../support/frame-log.js';
import {
  codeOf,
  expectExactAccounts,
  numbers,
  Outpost,
  type OutpostOptions,
  resultOf,
  SCOPE,
  valuesIn,
} from '../support/outpost.js';
import { stopsAfterEach } from '../support/running.js';

const stopLater = stopsAfterEach();
const outpost = async (options: OutpostOptions = {}) => stopLater(await Outpost.start(options));

function expectFull(answer: Frame): void {
  expect(codeOf(answer)).toBe('GATEWAY_BACKLOG_FULL');
  expect((answer['error'] as { message: string }).message).toMatch(/retry_after_ms\D{0,3}\d+/);
}

describe('a full log', () => {
  it('refuses with a hint, keeps what it has, and takes more once it has drained', async () => {
    const site = await outpost({ away: true, gateway: { limits: { log_entries: 3 } } });
    for (const n of numbers(3)) await site.setPending(`k${n}`, n);
    for (const key of ['k0', 'new']) expectFull(await site.set(key, 'too much'));
    const { log, writes } = await site.status();
    expect(log).toMatchObject({ entries: 3, limit_entries: 3, accepting: false, reason: expect.any(String) });
    expect(writes).toMatchObject({ accepted: 3 });
    expect(resultOf(await site.get('k0'))).toBe(0);

    await site.goOnline();
    await site.settled();
    for (const n of numbers(3)) expect(valuesIn(site.remote.journalOf(SCOPE, `k${n}`))).toEqual([n]);
    expect((await site.status()).log).toMatchObject({ entries: 0, accepting: true });
    await site.goOffline();
    await site.setPending('k0', 'again');
  });

  it('says so to writes that come together, and takes no more than it may', async () => {
    const site = await outpost({ away: true, gateway: { limits: { log_entries: 10 } } });
    const answers = await Promise.all(numbers(50).map((n) => site.set(`k${n}`, n)));
    const refused = answers.filter((answer) => 'error' in answer);
    for (const answer of refused) expectFull(answer);
    expect(refused).toHaveLength(40);
    expect((await site.status()).log.entries).toBe(10);
    expectExactAccounts(await site.status());
  });

  it('is as full after a restart', async () => {
    const site = await outpost({ away: true, gateway: { limits: { log_entries: 2 } } });
    for (const n of numbers(2)) await site.setPending(`k${n}`, n);
    await site.restart();
    expectFull(await site.set('k', 1));
    await site.restart({ limits: { log_entries: 3 } });
    await site.setPending('k', 1);
  });

  it('does not keep the remote from answering other keys', async () => {
    const site = await outpost({ away: true, gateway: { limits: { log_entries: 1 } } });
    await site.setPending('k', 1);
    site.remote.refuse('function_not_found', { key: 'k' });
    await site.goOnline();
    expect(resultOf(await site.set('other', 2))).toEqual({ old_value: null, new_value: 2 });
  });

  it('by bytes', async () => {
    const site = await outpost({ away: true, gateway: { limits: { log_bytes: 1024 * 1024 } } });
    const value = 'x'.repeat(300_000);
    const answers: Frame[] = [];
    for (const n of numbers(6)) answers.push(await site.set(`k${n}`, value));
    expect(answers.filter((answer) => 'error' in answer).length).toBeGreaterThan(0);
    for (const answer of answers.filter((answer) => 'error' in answer)) expectFull(answer);
    expect((await site.status()).log.bytes).toBeLessThan(1024 * 1024 + 2 * 300_000);
  });

  it('leaves a write that was already sent without a known outcome', async () => {
    const site = await outpost({ gateway: { limits: { log_entries: 1 } } });
    const dropped = site.remote.drop({ functionId: 'state::set' });
    const first = site.set('a', 1);
    const second = site.set('b', 1);
    await dropped.met(2);
    const codes = (await Promise.all([first, second])).map((answer) =>
      'error' in answer ? codeOf(answer) : 'kept',
    );
    expect(codes.sort()).toEqual(['GATEWAY_OUTCOME_UNKNOWN', 'kept']);
    expect((await site.status()).writes.accepted).toBe(1);
  });
});

describe('a full lane', () => {
  it('refuses its key, and no other', async () => {
    const site = await outpost({ away: true, gateway: { limits: { lane_entries: 2 } } });
    for (const n of numbers(2)) await site.setPending('k', n);
    expectFull(await site.set('k', 'too much'));
    await site.setPending('other', 1);
    await site.goOnline();
    await site.settled();
    expect(valuesIn(site.remote.journalOf(SCOPE, 'k'))).toEqual([0, 1]);
    await site.goOffline();
    await site.setPending('k', 2);
  });
});

describe('a disk without room', () => {
  it('accepts nothing, and what the remote answers itself goes on', async () => {
    const site = await outpost({ gateway: { limits: { min_free_bytes: Number.MAX_SAFE_INTEGER } } });
    expect(resultOf(await site.set('k', 1))).toEqual({ old_value: null, new_value: 1 });
    await site.goOffline();
    expectFull(await site.set('k', 2));
    expect((await site.status()).log).toMatchObject({ accepting: false, reason: expect.any(String) });
    await site.restart({ limits: { min_free_bytes: 0 } });
    await site.setPending('k', 2);
  });
});
