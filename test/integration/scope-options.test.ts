import { describe, expect, it } from 'vitest';
import {
  BY_ITSELF_MS,
  codeOf,
  expectExactAccounts,
  numbers,
  Outpost,
  pendingIn,
  resultOf,
  SCOPE,
  valuesIn,
} from '../support/outpost.js';
import { stopsAfterEach } from '../support/running.js';

const stopLater = stopsAfterEach();

async function site(rule: object, gateway: object = {}): Promise<Outpost> {
  const scopes = [{ match: SCOPE, ...rule }];
  return stopLater(await Outpost.start({ gateway: { scopes, ...gateway } }));
}

describe('expire_ms', () => {
  it('gives up what was never sent and has grown too old, also while the remote is away', async () => {
    const outpost = await site({ expire_ms: 300 });
    await outpost.goOffline();
    const old = await outpost.setPending('k', 'old');
    await outpost.worker.call('state::set', { scope: 'other', key: 'k', value: 1 });
    expect(await outpost.ending(old.receipt)).toMatchObject({
      status: 'expired',
      error: { code: 'GATEWAY_EXPIRED' },
    });
    await outpost.setPending('k', 'young');
    await outpost.goOnline();
    await outpost.settled();
    expect(valuesIn(outpost.remote.journalOf(SCOPE, 'k'))).toEqual(['young']);
    expect(outpost.remote.value('other', 'k')).toBe(1); // its scope knows no age
    expectExactAccounts(await outpost.status());
  });

  it('counts from acceptance, across a restart, and is checked before sending', async () => {
    const outpost = await site({ expire_ms: 200 });
    await outpost.goOffline();
    const { receipt } = await outpost.setPending('k', 'old');
    await outpost.close();
    await outpost.remote.revive();
    await new Promise((resolve) => setTimeout(resolve, 250)); // it is time itself that must pass
    await outpost.open();
    expect(await outpost.ending(receipt)).toMatchObject({ status: 'expired' });
    expect(outpost.remote.journalOf(SCOPE, 'k')).toEqual([]);
  });

  it('leaves alone what may have been sent', async () => {
    const outpost = await site({ expire_ms: 150 });
    const silent = outpost.remote.silent({ functionId: 'state::set' }, 1);
    const { receipt } = await outpost.setPending('k', 'sent');
    await silent.met();
    await outpost.goOffline();
    await new Promise((resolve) => setTimeout(resolve, 1200)); // longer than a look takes to come round
    expect(resultOf(await outpost.receipt(receipt))).toMatchObject({ status: 'sent' });
    await outpost.goOnline();
    expect(await outpost.ending(receipt)).toMatchObject({ status: 'committed' });
  });
});

describe('coalesce', () => {
  it('keeps and sends only the newest of several whole values', async () => {
    const outpost = await site({ coalesce: true });
    await outpost.goOffline();
    const receipts = [];
    for (const n of numbers(50)) receipts.push((await outpost.setPending('k', n)).receipt);
    const { log, writes } = await outpost.status();
    expect(log.entries).toBe(1);
    expect(writes).toMatchObject({ accepted: 50, superseded: 49, pending: 1 });
    expect((await outpost.get('k'))['result']).toBe(49);
    await outpost.goOnline();
    await outpost.settled();
    expect(valuesIn(outpost.remote.journalOf(SCOPE, 'k'))).toEqual([49]);
    expect(await outpost.ending(receipts[3] as string)).toMatchObject({ status: 'superseded' });
    expect(await outpost.ending(receipts[49] as string)).toMatchObject({ status: 'committed' });
    expectExactAccounts(await outpost.status());
  });

  it('tells of a write that is superseded once that is on the disk: to who waits for it, and to a barrier', async () => {
    const outpost = await site({ coalesce: true });
    await outpost.goOffline();
    const { receipt } = await outpost.setPending('k', 'old');
    const waits = { receipt, wait_ms: BY_ITSELF_MS };
    const ending = outpost.worker.call('gateway::receipt', waits);
    const barrier = outpost.worker.call('gateway::barrier', { timeout_ms: 2000 });
    await outpost.status(); // both are waiting
    await outpost.setPending('k', 'new');
    expect(resultOf(await ending)).toMatchObject({ status: 'superseded' });
    expect(resultOf(await barrier)).toMatchObject({ settled: true });
  });

  it('leaves increments alone, and what they build on', async () => {
    const outpost = await site({ coalesce: true });
    await outpost.goOffline();
    await outpost.setPending('k', { n: 1 });
    await outpost.setPending('k', { n: 2 });
    pendingIn(await outpost.increment('k', 10));
    await outpost.setPending('k', { n: 5 });
    await outpost.setPending('k', { n: 6 });
    pendingIn(await outpost.increment('k', 10));
    await outpost.restart();
    await outpost.goOnline();
    await outpost.settled();
    expect(valuesIn(outpost.remote.journalOf(SCOPE, 'k'))).toEqual([
      { n: 2 },
      { n: 12 },
      { n: 6 },
      { n: 16 },
    ]);
  });
});

describe('overflow: drop-oldest', () => {
  it('takes new writes and puts the oldest into quarantine', async () => {
    const outpost = await site({ overflow: 'drop-oldest' }, { limits: { log_entries: 10 } });
    await outpost.goOffline();
    for (const n of numbers(25)) await outpost.setPending(`k${n}`, n);
    await expect
      .poll(async () => (await outpost.status()).log.entries, { timeout: BY_ITSELF_MS })
      .toBeLessThan(10);
    const status = await outpost.status();
    expectExactAccounts(status);
    expect(status.quarantine.overflow).toBe(status.writes.quarantined);
    const other = await outpost.worker.call('state::set', { scope: 'other', key: 'k', value: 1 });
    resultOf(other);
    await outpost.goOnline();
    await outpost.settled();
    expect(outpost.remote.value(SCOPE, 'k0')).toBeUndefined();
    const written = outpost.remote.journal.filter(({ scope }) => scope === SCOPE);
    expect(valuesIn(written)).toEqual(numbers(25).slice(-written.length));
    expect(written.length).toBeGreaterThan(5);
  });

  it('refuses where nothing may go', async () => {
    const outpost = await site(
      { match: 'mine', overflow: 'drop-oldest' },
      { scopes: [{ match: 'mine', overflow: 'drop-oldest' }], limits: { log_entries: 3 } },
    );
    await outpost.goOffline();
    for (const n of numbers(3)) await outpost.setPending(`k${n}`, n);
    expect(codeOf(await outpost.set('more', 1))).toBe('GATEWAY_BACKLOG_FULL');
    const mine = (key: string) => outpost.worker.call('state::set', { scope: 'mine', key, value: 1 });
    await expect.poll(async () => (await mine('k'))['error'], { timeout: BY_ITSELF_MS }).toBeDefined();
  });
});

describe('settle: marker', () => {
  const MARKER = { settle: 'marker' };

  it('knows of an unanswered increment that it was applied', async () => {
    const outpost = await site(MARKER);
    await outpost.set('k', { n: 1 });
    const silent = outpost.remote.silent({ functionId: 'state::update' }, 1);
    const { receipt } = pendingIn(await outpost.increment('k', 10));
    await silent.met();
    outpost.remote.writesElsewhere(SCOPE, 'k', {
      ...(outpost.remote.value(SCOPE, 'k') as object),
      theirs: 1,
    });
    outpost.remote.cut();
    expect(await outpost.ending(receipt)).toMatchObject({ status: 'committed' });
    expect(outpost.remote.value(SCOPE, 'k')).toMatchObject({ n: 11, theirs: 1 });
  });

  it('knows that it was not, and sends it again, whatever others did meanwhile', async () => {
    const outpost = await site(MARKER);
    await outpost.set('k', { n: 1 });
    resultOf(await outpost.increment('k', 1)); // so that a marker of ours is there
    const lost = outpost.remote.drop({ functionId: 'state::update' }, 1);
    const { receipt } = pendingIn(await outpost.increment('k', 10));
    await lost.met();
    const value = outpost.remote.value(SCOPE, 'k') as { n: number };
    outpost.remote.writesElsewhere(SCOPE, 'k', { ...value, n: 100 });
    outpost.remote.cut();
    expect(await outpost.ending(receipt)).toMatchObject({ status: 'committed' });
    expect(outpost.remote.value(SCOPE, 'k')).toMatchObject({ n: 110 });
  });

  it('says so where somebody has erased it', async () => {
    const outpost = await site(MARKER);
    await outpost.set('k', { n: 1 });
    const silent = outpost.remote.silent({ functionId: 'state::update' }, 1);
    const { receipt } = pendingIn(await outpost.increment('k', 10));
    await silent.met();
    outpost.remote.writesElsewhere(SCOPE, 'k', { n: 50 });
    outpost.remote.cut();
    expect(await outpost.ending(receipt)).toMatchObject({ status: 'quarantined', reason: 'unknown' });
  });

  it('keeps a counter exact over lost answers, cuts and restarts', async () => {
    const outpost = await site(MARKER);
    await outpost.set('k', { n: 0 });
    const isUpdate = { functionId: 'state::update' };
    for (const round of numbers(6)) {
      if (round % 2 === 0) outpost.remote.silent(isUpdate, 1);
      else outpost.remote.drop(isUpdate, 1);
      await Promise.all(numbers(4).map(() => outpost.increment('k', 1)));
      outpost.remote.cut();
      if (round % 3 === 2) await outpost.restart();
    }
    expect(await outpost.settled()).toMatchObject({ quarantined: 0 });
    expect(outpost.remote.value(SCOPE, 'k')).toMatchObject({ n: 24 });
  });

  it('does not put a marker where it would replace a value', async () => {
    const outpost = await site(MARKER);
    await outpost.set('n', 5);
    resultOf(await outpost.update('n', { type: 'increment', path: '', by: 1 }));
    resultOf(await outpost.update('n', { type: 'increment', path: 'field', by: 1 }));
    expect(outpost.remote.value(SCOPE, 'n')).toBe(6);
  });
});

describe('single_writer', () => {
  it('tells by reading what became of an unanswered increment', async () => {
    const outpost = await site({ single_writer: true });
    await outpost.set('k', { n: 0 });
    const isUpdate = { functionId: 'state::update' };
    for (const round of numbers(4)) {
      if (round % 2 === 0) outpost.remote.silent(isUpdate, 1);
      else outpost.remote.drop(isUpdate, 1);
      pendingIn(await outpost.increment('k', 1));
      outpost.remote.cut();
      if (round > 1) await outpost.restart();
    }
    expect(await outpost.settled()).toMatchObject({ quarantined: 0 });
    expect(outpost.remote.value(SCOPE, 'k')).toEqual({ n: 4 });
  });

  it('gives the remote answer while the remote answers', async () => {
    const outpost = await site({ single_writer: true });
    expect(resultOf(await outpost.increment('fresh', 3))).toEqual({ old_value: null, new_value: { n: 3 } });
    outpost.remote.refuse('VALUE_TOO_LARGE', { functionId: 'state::update' }, 1);
    expect(codeOf(await outpost.increment('fresh', 3))).toBe('VALUE_TOO_LARGE');
    const status = await outpost.status();
    expect(status.writes).toMatchObject({ accepted: 1, committed: 1, quarantined: 0 });
    expectExactAccounts(status);
  });
});
