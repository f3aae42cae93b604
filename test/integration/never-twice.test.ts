import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
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

/** The link is lost, or stays up without an answer until the gateway waits no longer. */
const LOSSES: [how: string, lose: (site: Outpost) => void][] = [
  ['the link is lost', (site) => site.remote.cut()],
  ['the link stays', () => undefined],
];

describe.each(LOSSES)('a set that gets no answer, and %s', (_, lose) => {
  it('though it was executed: it is read back and not sent again', async () => {
    const site = await outpost();
    const silent = site.remote.silent({ functionId: 'state::set', key: 'k' }, 1);
    const answer = site.set('k', { n: 1 });
    await silent.met();
    lose(site);
    const { receipt } = pendingIn(await answer);
    expect(await site.ending(receipt)).toMatchObject({ status: 'committed' });
    expect(site.remote.callsOf('state::set', SCOPE, 'k')).toHaveLength(1);
    expect(site.remote.callsOf('state::get', SCOPE, 'k').length).toBeGreaterThan(0);
    expect(valuesIn(site.remote.journalOf(SCOPE, 'k'))).toEqual([{ n: 1 }]);
  });

  it('because it never arrived: it is sent again', async () => {
    const site = await outpost();
    const dropped = site.remote.drop({ functionId: 'state::set', key: 'k' }, 1);
    const answer = site.set('k', { n: 1 });
    await dropped.met();
    lose(site);
    const { receipt } = pendingIn(await answer);
    expect(await site.ending(receipt)).toMatchObject({ status: 'committed' });
    expect(site.remote.callsOf('state::set', SCOPE, 'k')).toHaveLength(2);
    expect(valuesIn(site.remote.journalOf(SCOPE, 'k'))).toEqual([{ n: 1 }]);
  });

  it('with another one behind it: that one waits until it is settled', async () => {
    const site = await outpost();
    const dropped = site.remote.drop({ functionId: 'state::set', key: 'k' }, 1);
    const answer = site.set('k', 'first');
    await dropped.met();
    lose(site);
    pendingIn(await answer);
    await site.set('k', 'second');
    await site.settled();
    expect(site.remote.value(SCOPE, 'k')).toBe('second');
    const values = valuesIn(site.remote.journalOf(SCOPE, 'k'));
    expect([['first', 'second'], ['second']]).toContainEqual(values); // unfenced, the newer one takes its place
  });
});

describe('a delete that gets no answer', () => {
  it('is read back, executed or not', async () => {
    const site = await outpost();
    for (const key of ['executed', 'dropped']) await site.set(key, 1);
    const silent = site.remote.silent({ functionId: 'state::delete', key: 'executed' }, 1);
    const dropped = site.remote.drop({ functionId: 'state::delete', key: 'dropped' }, 1);
    const answers = ['executed', 'dropped'].map((key) => site.delete(key));
    await Promise.all([silent.met(), dropped.met()]);
    site.remote.cut();
    for (const answer of await Promise.all(answers)) expect(resultOf(answer)).toBe(1);
    await site.settled();
    expect(valuesIn(site.remote.journalOf(SCOPE, 'executed'))).toEqual([1, undefined]);
    expect(valuesIn(site.remote.journalOf(SCOPE, 'dropped'))).toEqual([1, undefined]);
  });
});

describe('an increment that gets no answer', () => {
  it.each(['silent', 'drop'] as const)(
    'online, after a %s, is GATEWAY_OUTCOME_UNKNOWN and never sent again',
    async (fault) => {
      const site = await outpost();
      await site.set('k', { n: 1 });
      const lost = site.remote[fault]({ functionId: 'state::update', key: 'k' }, 1);
      const answer = site.increment('k');
      await lost.met();
      site.remote.cut();
      expect(codeOf(await answer)).toBe('GATEWAY_OUTCOME_UNKNOWN');

      const later = await site.set('k', 'later'); // the lane goes on
      resultOf(later);
      await site.settled();
      expect(site.remote.callsOf('state::update', SCOPE, 'k')).toHaveLength(1);
      expect(site.remote.value(SCOPE, 'k')).toBe('later');
      expect((await site.status()).quarantine.unknown).toBe(0); // it was never accepted
    },
  );

  it('makes the value unknown, until the remote tells', async () => {
    const site = await outpost();
    await site.set('k', { n: 1 });
    const lost = site.remote.silent({ functionId: 'state::update', key: 'k' }, 1);
    const answer = site.increment('k');
    await lost.met();
    await site.goOffline();
    expect(codeOf(await answer)).toBe('GATEWAY_OUTCOME_UNKNOWN');
    expect(codeOf(await site.get('k'))).toBe('GATEWAY_OFFLINE_UNKNOWN');
    expect(codeOf(await site.increment('k'))).toBe('GATEWAY_OFFLINE_UNKNOWN');
    await site.goOnline();
    expect(resultOf(await site.get('k'))).toEqual({ n: 2 });
  });

  it.each(['silent', 'drop'] as const)(
    'accepted offline, after a %s, goes to quarantine as unknown, and its key goes on',
    async (fault) => {
      const site = await outpost();
      await site.set('k', { n: 1 });
      await site.goOffline();
      const first = pendingIn(await site.increment('k'));
      const second = await site.setPending('k', 'after it');
      const lost = site.remote[fault]({ functionId: 'state::update', key: 'k' }, 1);
      await site.goOnline();
      await lost.met();
      site.remote.cut();

      expect(await site.ending(first.receipt)).toMatchObject({
        status: 'quarantined',
        reason: 'unknown',
        key: 'k',
        function_id: 'state::update',
      });
      expect(await site.ending(second.receipt)).toMatchObject({ status: 'committed' });
      expect(site.remote.callsOf('state::update', SCOPE, 'k')).toHaveLength(1);
      expect(site.remote.value(SCOPE, 'k')).toBe('after it');
      expect((await site.status()).quarantine).toMatchObject({ unknown: 1, refused: 0 });
    },
  );

  it('is told from those of its chain that were answered', async () => {
    const site = await outpost();
    await site.set('k', { n: 0 });
    await site.goOffline();
    const receipts = [];
    for (let n = 0; n < 5; n += 1) receipts.push(pendingIn(await site.increment('k')).receipt);
    const lost = site.remote.silent(
      { functionId: 'state::update', where: () => site.remote.journal.length === 3 },
      1,
    );
    await site.goOnline();
    await lost.met();
    site.remote.cut();
    const endings = await Promise.all(receipts.map((receipt) => site.ending(receipt)));
    expect(endings.map(({ status }) => status)).toEqual([
      'committed',
      'committed',
      'quarantined',
      'committed',
      'committed',
    ]);
    expect(site.remote.value(SCOPE, 'k')).toEqual({ n: 5 }); // executed, and nobody could tell
  });
});

describe('a frame that runs long after its connection', () => {
  it('does not overwrite a newer write: it runs before the fence is passed', async () => {
    const site = await outpost({ gateway: { settle_delay_ms: 500 } });
    const twin = site.remote.executeLate({ functionId: 'state::set', key: 'k' }, 1);
    const old = site.set('k', 'old');
    await twin.met();
    const back = site.remote.next(({ type }) => type === 'reattach');
    site.remote.cut();
    pendingIn(await old);
    pendingIn(await site.set('k', 'new'));
    await back;
    await delay(200); // frames were seen to run 316 ms after their connection
    twin.release();
    await site.settled();
    expect(valuesIn(site.remote.journalOf(SCOPE, 'k'))).toEqual(['old', 'new']);
  });

  it('asks for its place back before anything else, and looks only after the delay', async () => {
    const site = await outpost({ gateway: { settle_delay_ms: 300 } });
    const dropped = site.remote.drop({ functionId: 'state::set', key: 'k' }, 1);
    const answer = site.set('k', 1);
    await dropped.met();
    const frames = site.remote.frames.length;
    const cutAt = performance.now();
    site.remote.cut();
    const { receipt } = pendingIn(await answer);
    expect(await site.ending(receipt)).toMatchObject({ status: 'committed' });
    expect(site.remote.frames[frames]).toMatchObject({ type: 'reattach' });
    const [lookedAt] = site.remote.callsOf('state::get', SCOPE, 'k').map(({ at }) => at);
    expect((lookedAt ?? 0) - cutAt).toBeGreaterThanOrEqual(290);
    expect((await site.status()).link.delivery).toBe('exactly-once');
  });

  it('a remote that passes calls on cannot be fenced, and the status says so', async () => {
    const site = await outpost({ remote: { adapter: 'bridge' } });
    await site.set('k', 0);
    await expect
      .poll(async () => (await site.status()).link)
      .toMatchObject({
        adapter: 'bridge',
        delivery: 'at-least-once',
      });
    const silent = site.remote.silent({ functionId: 'state::set', key: 'k' }, 1);
    const answer = site.set('k', 1);
    await silent.met();
    site.remote.cut();
    const { receipt } = pendingIn(await answer);
    expect(await site.ending(receipt)).toMatchObject({ status: 'committed' });
    expect(site.remote.callsOf('state::set', SCOPE, 'k')).toHaveLength(2); // the first one and this
  });
});

describe('an answer that comes late on the same connection', () => {
  it('settles the receipt', async () => {
    const site = await outpost({ gateway: { remote: { call_timeout_ms: 20_000 } } });
    const late = site.remote.late({ functionId: 'state::set', key: 'k' }, 1);
    const { receipt } = await site.setPending('k', 1);
    expect(resultOf(await site.receipt(receipt))).toMatchObject({ status: 'sent' });
    late.release();
    expect(await site.ending(receipt)).toMatchObject({ status: 'committed' });
    expect(site.remote.callsOf('state::set', SCOPE, 'k')).toHaveLength(1);
    expect(site.remote.callsOf('state::get', SCOPE, 'k')).toEqual([]);
  });

  it('is not waited for once its connection is gone: the second attempt is answered', async () => {
    const site = await outpost({ gateway: { remote: { call_timeout_ms: 20_000 } } });
    site.remote.refuse('VALUE_TOO_LARGE', { functionId: 'state::set', key: 'k' });
    const dropped = site.remote.drop({ functionId: 'state::set', key: 'k' }, 1);
    const { receipt } = await site.setPending('k', 1);
    await dropped.met();
    site.remote.cut();
    expect(await site.ending(receipt)).toMatchObject({ status: 'quarantined', reason: 'refused' });
    expect(site.remote.journal).toEqual([]);
  });
});

describe('an error of a remote that executes all the same', () => {
  it.each([
    ['state::set', (site: Outpost) => site.set('k', 1)],
    ['state::update', (site: Outpost) => site.increment('k')],
  ])('online goes to the caller of %s as it came, and is never sent again', async (functionId, write) => {
    const site = await outpost();
    site.remote.errorButExecute({ functionId, key: 'k' }, 1);
    expect((await write(site))['error']).toEqual({
      code: 'SET_ERROR',
      message: `${functionId} failed: as the test told`,
    });
    await site.set('other', 1);
    await site.settled();
    expect(site.remote.callsOf(functionId, SCOPE, 'k')).toHaveLength(1);
    expect((await site.status()).writes.accepted).toBe(0);
  });

  it('for a logged set is settled by reading', async () => {
    const site = await outpost({ away: true });
    const { receipt } = await site.setPending('k', { a: 1, b: [2] });
    site.remote.errorButExecute({ functionId: 'state::set', key: 'k' }, 1);
    await site.goOnline();
    expect(await site.ending(receipt)).toMatchObject({ status: 'committed' });
    expect(site.remote.callsOf('state::set', SCOPE, 'k')).toHaveLength(1);
    expect(site.remote.callsOf('state::get', SCOPE, 'k').length).toBeGreaterThan(0);
  });

  it('for a logged set that was not executed is tried again', async () => {
    const site = await outpost({ away: true });
    const { receipt } = await site.setPending('k', 1);
    site.remote.refuse('SET_ERROR', { functionId: 'state::set', key: 'k' }, 1);
    await site.goOnline();
    expect(await site.ending(receipt)).toMatchObject({ status: 'committed' });
    expect(site.remote.callsOf('state::set', SCOPE, 'k')).toHaveLength(2);
    expect(valuesIn(site.remote.journalOf(SCOPE, 'k'))).toEqual([1]);
  });

  it('for a logged increment is unknown', async () => {
    const site = await outpost();
    await site.set('k', { n: 0 });
    await site.goOffline();
    const { receipt } = pendingIn(await site.increment('k'));
    site.remote.errorButExecute({ functionId: 'state::update', key: 'k' }, 1, 'UPDATE_ERROR');
    await site.goOnline();
    expect(await site.ending(receipt)).toMatchObject({ status: 'quarantined', reason: 'unknown' });
    expect(site.remote.callsOf('state::update', SCOPE, 'k')).toHaveLength(1);
  });
});
