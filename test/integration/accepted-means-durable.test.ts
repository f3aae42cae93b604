import { describe, expect, it } from 'vitest';
import {
  AT_ONCE_MS,
  codeOf,
  numbers,
  Outpost,
  type OutpostOptions,
  PATIENCE_MS,
  pendingIn,
  resultOf,
  SCOPE,
  valuesIn,
} from '../support/outpost.js';
import { stopsAfterEach } from '../support/running.js';
import { ready, Workers } from '../support/sdk.js';

const stopLater = stopsAfterEach();
const outpost = async (options: OutpostOptions = {}) => stopLater(await Outpost.start(options));

/** How long something took, in ms, and what came of it. */
async function timed<T>(something: Promise<T>): Promise<{ ms: number; outcome: T }> {
  const startedAt = performance.now();
  const outcome = await something;
  return { ms: performance.now() - startedAt, outcome };
}

const sequenceOf = (receipt: string) => Number(receipt.slice(receipt.lastIndexOf('-') + 1));

describe('while the remote is dead', () => {
  it('writes and reads of a known key are answered at once, in the shapes of the engine', async () => {
    const site = await outpost({ gateway: { patience_ms: 5000 } });
    expect(resultOf(await site.set('k', { n: 1 }))).toEqual({ old_value: null, new_value: { n: 1 } });
    await site.goOffline();

    const startedAt = performance.now();
    expect(resultOf(await site.set('k', { n: 2 }))).toEqual({
      old_value: { n: 1 },
      new_value: { n: 2 },
      pending: true,
      receipt: expect.any(String),
    });
    expect(resultOf(await site.increment('k', 5))).toEqual({
      old_value: { n: 2 },
      new_value: { n: 7 },
      pending: true,
      receipt: expect.any(String),
    });
    const skipped = resultOf(await site.update('k', { type: 'append', path: 'n', value: 'x' }));
    expect(skipped).toMatchObject({ new_value: { n: 7 }, errors: [{ code: 'append.type_mismatch' }] });
    expect(resultOf(await site.get('k'))).toEqual({ n: 7 });
    expect(resultOf(await site.delete('k'))).toEqual({ n: 7 });
    const absent = await site.get('k');
    expect(absent).not.toHaveProperty('error');
    expect(absent).not.toHaveProperty('result');
    const again = await site.delete('k');
    expect(again).not.toHaveProperty('error');
    expect(again).not.toHaveProperty('result');
    expect(performance.now() - startedAt).toBeLessThan(2500); // patience was never waited for
  });

  it('everything accepted arrives once it is back, exactly once and in order', async () => {
    const site = await outpost();
    await site.set('a', { n: 0 });
    await site.goOffline();
    const receipts = [];
    for (const n of numbers(5)) receipts.push((await site.setPending(n % 2 ? 'a' : 'b', { n })).receipt);
    receipts.push(pendingIn(await site.increment('b', 10)).receipt);
    await site.delete('a');

    await site.goOnline();
    expect(await site.settled()).toEqual({ settled: true, quarantined: 0, held: 0 });
    expect(valuesIn(site.remote.journalOf(SCOPE, 'a'))).toEqual([{ n: 0 }, { n: 1 }, { n: 3 }, undefined]);
    expect(valuesIn(site.remote.journalOf(SCOPE, 'b'))).toEqual([{ n: 0 }, { n: 2 }, { n: 4 }, { n: 14 }]);
    for (const receipt of receipts) {
      expect(await site.ending(receipt)).toMatchObject({ status: 'committed' });
    }
    expect(resultOf(await site.get('b'))).toEqual({ n: 14 });
  });

  it('a write that nobody waits for is kept too', async () => {
    const site = await outpost();
    await site.goOffline();
    const data = { scope: SCOPE, key: 'void', value: 1 };
    site.worker.send({
      type: 'invokefunction',
      function_id: 'state::set',
      data,
      action: { type: 'void' },
    });
    await expect.poll(async () => (await site.status()).log.entries).toBe(1);
    await site.restart();
    await site.goOnline();
    await site.settled();
    expect(valuesIn(site.remote.journalOf(SCOPE, 'void'))).toEqual([1]);
  });

  it('a program on the SDK gets an answer and goes on', async () => {
    const site = await outpost();
    const workers = new Workers();
    stopLater({ stop: () => workers.shutdown() });
    const iii = workers.connect(site.gateway.url, 'orders');
    await ready(iii);
    await site.goOffline();
    const answer = await iii.trigger({
      function_id: 'state::set',
      payload: { scope: SCOPE, key: 'order', value: { total: 5 } },
    });
    expect(answer).toMatchObject({ old_value: null, new_value: { total: 5 }, pending: true });
    expect(await iii.trigger({ function_id: 'state::get', payload: { scope: SCOPE, key: 'order' } })).toEqual(
      { total: 5 },
    );
    await site.goOnline();
    await site.settled();
    expect(site.remote.value(SCOPE, 'order')).toEqual({ total: 5 });
  });
});

describe('while the remote is a black hole', () => {
  it('calls are answered within patience, and once the breaker is open in milliseconds', async () => {
    const site = await outpost({ gateway: { breaker: { min_calls: 3, reset_ms: 60_000 } } });
    for (const key of ['known', 'doomed']) await site.set(key, 1);
    site.remote.blackHole();

    const first = await Promise.all(['a', 'b', 'c'].map((key) => timed(site.set(key, key))));
    for (const { ms, outcome } of first) {
      expect(ms).toBeGreaterThanOrEqual(PATIENCE_MS - 10);
      expect(ms).toBeLessThan(PATIENCE_MS + 1000);
      pendingIn(outcome);
    }
    const next = await timed(Promise.all([site.set('d', 1), site.get('known'), site.delete('doomed')]));
    expect(next.ms).toBeLessThan(AT_ONCE_MS);
    expect((await site.status()).breaker.state).toBe('open');
    pendingIn(next.outcome[0]);
    expect(next.outcome.slice(1).map(resultOf)).toEqual([1, 1]);
  });

  it('what was sent into it runs once, and so does what was not', async () => {
    const site = await outpost({
      gateway: { breaker: { min_calls: 2, reset_ms: 100 }, remote: { call_timeout_ms: 10_000 } },
    });
    site.remote.blackHole();
    const sent = await Promise.all(['a', 'b'].map((key) => site.setPending(key, 'sent')));
    const kept = await Promise.all(['a', 'c'].map((key) => site.setPending(key, 'kept')));
    site.remote.heal();
    for (const { receipt } of [...sent, ...kept]) {
      expect(await site.ending(receipt)).toMatchObject({ status: 'committed' });
    }
    expect(valuesIn(site.remote.journalOf(SCOPE, 'a'))).toEqual(['sent', 'kept']);
    expect(valuesIn(site.remote.journalOf(SCOPE, 'b'))).toEqual(['sent']);
    expect(valuesIn(site.remote.journalOf(SCOPE, 'c'))).toEqual(['kept']);
  });

  it('one that is there from the start is no different', async () => {
    const site = await outpost({ away: true });
    site.remote.blackHole();
    await site.remote.revive();
    const { ms, outcome } = await timed(site.set('k', 1));
    expect(ms).toBeLessThan(PATIENCE_MS + 1000);
    pendingIn(outcome);
    site.remote.heal();
    await site.settled();
    expect(valuesIn(site.remote.journalOf(SCOPE, 'k'))).toEqual([1]);
  });
});

describe('while the remote is slow', () => {
  it('a write is answered when patience is over, and its own answer settles it', async () => {
    const site = await outpost({ gateway: { remote: { call_timeout_ms: 10_000 } } });
    site.remote.delay(2 * PATIENCE_MS, { key: 'slow' });
    const { ms, outcome } = await timed(site.set('slow', 1));
    expect(ms).toBeLessThan(2 * PATIENCE_MS);
    const { receipt } = pendingIn(outcome);
    expect(await site.ending(receipt)).toMatchObject({ status: 'committed' });
    expect(site.remote.callsOf('state::set', SCOPE, 'slow')).toHaveLength(1);
  });
});

describe('what was accepted outlives the gateway', () => {
  it('values read back after a stop and a start, still without the remote', async () => {
    const site = await outpost({ away: true });
    await site.setPending('a', { n: 1 });
    pendingIn(await site.increment('a'));
    await site.setPending('b', 'kept');
    await site.setPending('gone', 1);
    await site.delete('gone');

    await site.restart();
    expect(resultOf(await site.get('a'))).toEqual({ n: 2 });
    expect(resultOf(await site.get('b'))).toBe('kept');
    expect(await site.get('gone')).not.toHaveProperty('result');
    expect(pendingIn(await site.increment('a'))).toMatchObject({
      old_value: { n: 2 },
      new_value: { n: 3 },
    });

    await site.restart();
    await site.goOnline();
    expect(await site.settled()).toEqual({ settled: true, quarantined: 0, held: 0 });
    expect(valuesIn(site.remote.journalOf(SCOPE, 'a'))).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
    expect(valuesIn(site.remote.journalOf(SCOPE, 'b'))).toEqual(['kept']);
    expect(valuesIn(site.remote.journalOf(SCOPE, 'gone'))).toEqual([1, undefined]);
  });

  it('the first write of all, with a remote that never was there', async () => {
    const site = await outpost({ away: true });
    expect(resultOf(await site.set('k', 1))).toEqual({
      old_value: null,
      new_value: 1,
      base: 'unknown',
      pending: true,
      receipt: expect.any(String),
    });
    await site.goOnline();
    await site.settled();
    expect(valuesIn(site.remote.journalOf(SCOPE, 'k'))).toEqual([1]);
  });

  it('receipts go on counting, and bear one name', async () => {
    const site = await outpost({ away: true });
    const receipts: string[] = [];
    for (const n of numbers(3)) {
      receipts.push((await site.setPending(`k${n}`, n)).receipt, (await site.setPending('k', n)).receipt);
      await site.restart();
    }
    const sequence = receipts.map(sequenceOf);
    expect(sequence).toEqual([...new Set(sequence)].sort((a, b) => a - b));
    expect(new Set(receipts.map((receipt) => receipt.slice(0, 36))).size).toBe(1);
    await site.goOnline();
    const call = await site.remote.received(({ function_id }) => function_id === 'state::set');
    expect(call['metadata']).toMatchObject({ iii_state_gateway: { via: [receipts[0]?.slice(0, 36)] } });
  });

  it('values to the digit', async () => {
    const site = await outpost({ away: true });
    const value = '{"big":18446744073709551615,"float":1.0,"small":-9223372036854775808,"__proto__":{"x":1}}';
    const id = site.worker.callAsText('state::set', `{"scope":"${SCOPE}","key":"k","value":${value}}`);
    pendingIn(await site.worker.answerTo(id));
    await site.restart();
    await site.get('k');
    expect(site.worker.texts.at(-1)).toContain(`"result":${value}`);
    await site.goOnline();
    await site.settled();
    await site.get('k');
    for (const part of ['18446744073709551615', '1.0', '-9223372036854775808', '"__proto__":{"x":1}']) {
      expect(site.worker.texts.at(-1)).toContain(part);
    }
  });
});

describe('a scope with `write: behind`', () => {
  const scopes = [{ match: 'x*', write: 'behind' }];

  it('is always logged first, though the remote is there', async () => {
    const site = await outpost({ gateway: { scopes } });
    const behind = pendingIn(await site.worker.call('state::set', { scope: 'xs', key: 'k', value: 1 }));
    expect(resultOf(await site.set('k', 1))).not.toHaveProperty('pending');
    expect(await site.ending(behind.receipt)).toMatchObject({ status: 'committed', scope: 'xs' });
    expect(valuesIn(site.remote.journalOf('xs', 'k'))).toEqual([1]);
    expect((await site.status()).writes.accepted).toBe(1);
  });

  it('is answered at once by a remote that takes its time', async () => {
    const site = await outpost({ gateway: { scopes, patience_ms: 5000 } });
    const late = site.remote.late({ scope: 'xs' });
    const { ms, outcome } = await timed(site.worker.call('state::set', { scope: 'xs', key: 'k', value: 1 }));
    expect(ms).toBeLessThan(2500);
    pendingIn(outcome);
    await late.met();
    late.release();
    late.end();
    await site.settled();
    expect(valuesIn(site.remote.journalOf('xs', 'k'))).toEqual([1]);
  });
});

describe('every call is answered', () => {
  it('though the link is cut under two hundred of them', async () => {
    const site = await outpost();
    const late = site.remote.drop({ functionId: 'state::set' });
    const calls = numbers(200).map((n) => site.set(`k${n}`, n));
    await late.met(200);
    late.end();
    site.remote.cut();
    for (const answer of await Promise.all(calls)) pendingIn(answer);
    expect(await site.settled()).toMatchObject({ quarantined: 0 });
    for (const n of numbers(200)) expect(valuesIn(site.remote.journalOf(SCOPE, `k${n}`))).toEqual([n]);
  });

  it('with a coded error where nothing can be done', async () => {
    const site = await outpost({ away: true });
    expect(codeOf(await site.get('nobody knows'))).toBe('GATEWAY_OFFLINE_UNKNOWN');
    expect(codeOf(await site.delete('nobody knows'))).toBe('GATEWAY_OFFLINE_UNKNOWN');
    expect(codeOf(await site.increment('nobody knows'))).toBe('GATEWAY_OFFLINE_UNKNOWN');
  });
});
