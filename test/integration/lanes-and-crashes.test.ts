import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import {
  BY_ITSELF_MS,
  codeOf,
  expectExactAccounts,
  numbers,
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
const BEHIND = { scopes: [{ match: '*', write: 'behind' }] };

describe('an entry of an earlier run that was first sent in this one', () => {
  it('is read back before it is sent again', async () => {
    const site = await outpost({ away: true });
    const { receipt } = await site.setPending('k', 1);
    await site.restart();
    const silent = site.remote.silent({ functionId: 'state::set', key: 'k' }, 1);
    await site.remote.revive();
    await silent.met();
    site.remote.cut();
    expect(await site.ending(receipt)).toMatchObject({ status: 'committed' });
    expect(valuesIn(site.remote.journalOf(SCOPE, 'k'))).toEqual([1]);
  });
});

describe('a write that waited for the value of its key', () => {
  it('does not come behind a write that has left the log since', async () => {
    const site = await outpost({ gateway: BEHIND });
    const slow = site.remote.delay(150, { functionId: 'state::get', key: 'k' }, 1);
    const deletion = site.delete('k');
    await slow.met();
    const { receipt } = await site.setPending('k', 1);
    expect(await site.ending(receipt)).toMatchObject({ status: 'committed' });
    expect(await deletion).not.toHaveProperty('error');
    await site.settled();
    expect(site.remote.callsOf('state::delete', SCOPE, 'k')).toHaveLength(1);
    expectExactAccounts(await site.status());
  });
});

describe('a write that waits for the value of its key', () => {
  it('is not overtaken by the next one', async () => {
    const site = await outpost({ gateway: BEHIND });
    const slow = site.remote.delay(100, { functionId: 'state::get', key: 'k' }, 1);
    const increment = site.increment('k', 5);
    await slow.met();
    const set = await site.set('k', { n: 100 });
    pendingIn(await increment);
    expect(pendingIn(set).old_value).toEqual({ n: 5 });
    await site.settled();
    expect(valuesIn(site.remote.journalOf(SCOPE, 'k'))).toEqual([{ n: 5 }, { n: 100 }]);
  });
});

describe('a deadline that is over before anybody hears of it', () => {
  it('does not leave the key waiting', async () => {
    const site = await outpost({ gateway: { patience_ms: 200, remote: { call_timeout_ms: 100 } } });
    site.remote.drop({ functionId: 'state::set', key: 'k' }, 1);
    const { receipt } = await site.setPending('k', 1);
    await site.settled();
    expect(resultOf(await site.receipt(receipt))).toMatchObject({ status: 'committed' });
  });
});

describe('metadata that has no room for the mark', () => {
  const metadata = JSON.parse('['.repeat(126) + ']'.repeat(126));
  const call = (site: Outpost, value: number, more: object = {}) =>
    site.worker.call('state::set', { scope: SCOPE, key: 'k', value }, more);

  it('is refused, and the key goes on', async () => {
    const site = await outpost();
    expect(codeOf(await call(site, 1, { metadata }))).toBe('deserialization_error');
    expect(resultOf(await call(site, 2))).toMatchObject({ new_value: 2 });
  });

  it('is refused offline too, and never enters the log', async () => {
    const site = await outpost({ away: true });
    expect(codeOf(await call(site, 1, { metadata }))).toBe('deserialization_error');
    pendingIn(await call(site, 2));
    await site.goOnline();
    await site.settled();
    expect(site.remote.value(SCOPE, 'k')).toBe(2);
  });
});

describe('a write that is settled while the scanner has it at hand', () => {
  it('is not sent again', async () => {
    const site = await outpost({
      gateway: {
        drain: { window: 1 },
        scopes: [{ match: 'slow', write: 'behind' }],
        remote: { call_timeout_ms: 20_000 },
        patience_ms: 1000,
      },
    });
    const slow = (key: string) => site.worker.call('state::set', { scope: 'slow', key, value: key });
    await site.set('other', 1);
    const [a, b, fresh] = ['a', 'b', 'fresh'].map((key) =>
      site.remote.late({ functionId: 'state::set', key }, 1),
    );
    const kept = site.set('fresh', 1);
    await fresh?.met();
    await delay(700);
    pendingIn(await slow('a'));
    await a?.met(); // the window is full: the scanner reads no further
    for (const key of ['b', 'c']) pendingIn(await slow(key));
    const { receipt } = pendingIn(await kept);
    a?.release();
    await b?.met(); // with it, the scanner has read all the others too
    fresh?.release();
    expect(await site.ending(receipt)).toMatchObject({ status: 'committed' });
    pendingIn(await slow('d'));
    b?.release();
    await site.settled();
    await site.set('other', 2);
    expect(valuesIn(site.remote.journalOf(SCOPE, 'fresh'))).toEqual([1]);
    const status = await site.status();
    expectExactAccounts(status);
    expect(status.log.entries).toBe(0);
  });
});

describe('what is sent at the moment a link opens', () => {
  it('can be fenced', async () => {
    const site = await outpost({ away: true, gateway: { drain: { window: 1 } } });
    await site.setPending('first', 1);
    await site.setPending('k', 'a');
    await site.setPending('k', 'b');
    for (const key of ['first', 'k']) {
      const dropped = site.remote.drop({ functionId: 'state::set', key }, 1);
      if (key === 'first') await site.remote.revive();
      await dropped.met();
      site.remote.cut();
    }
    await site.settled();
    expect(valuesIn(site.remote.journalOf(SCOPE, 'k'))).toEqual(['a', 'b']);
  });
});

describe('a set that later updates build on', () => {
  it('is not taken as superseded by them', async () => {
    const site = await outpost();
    await site.set('k', { n: 1 });
    site.remote.drop({ functionId: 'state::set', key: 'k' }, 1);
    const set = await site.setPending('k', { n: 100 });
    const increment = pendingIn(await site.increment('k'));
    expect(increment.new_value).toEqual({ n: 101 });
    const endings = [await site.ending(set.receipt), await site.ending(increment.receipt)];
    if (endings[0]?.status === 'quarantined') return; // seen, at least
    expect(endings.map(({ status }) => status)).toEqual(['committed', 'committed']);
    expect(site.remote.value(SCOPE, 'k')).toEqual({ n: 101 });
  });
});

describe('a stop while an unanswered write is being settled', () => {
  it('does not make the log forget it', async () => {
    const site = await outpost({ gateway: { ...BEHIND, settle_delay_ms: 1500 } });
    const dropped = site.remote.drop({ functionId: 'state::set', key: 'k' }, 1);
    const { receipt } = await site.setPending('k', 1);
    await dropped.met();
    site.remote.cut();
    await site.remote.received(({ type }) => type === 'reattach');
    for (const n of numbers(5)) {
      const other = await site.setPending(`other${n}`, n);
      expect(await site.ending(other.receipt)).toMatchObject({ status: 'committed' });
    }
    for (const n of numbers(2000)) void site.set(`more${n}`, n).catch(() => undefined);
    await site.set('last', 1);
    await site.restart();
    await site.settled();
    expect(resultOf(await site.receipt(receipt))).toMatchObject({ status: 'committed' });
    expect(site.remote.value(SCOPE, 'k')).toBe(1);
  });
});

describe('a retry from quarantine while a write to its key is under way', () => {
  it.each(['lost', 'late'] as const)('keeps the lane whole when that one is %s', async (how) => {
    const site = await outpost({ gateway: { admin: { host: '127.0.0.1', port: 0 } } });
    await site.goOffline();
    site.remote.refuse('VALUE_TOO_LARGE', { functionId: 'state::set', key: 'k' }, 1);
    const refused = await site.setPending('k', 'refused');
    await site.goOnline();
    expect(await site.ending(refused.receipt)).toMatchObject({ status: 'quarantined' });
    const seq = Number(refused.receipt.split('-').at(-1));
    const silent = site.remote.silent({ functionId: 'state::set', key: 'k' }, 1);
    const answer = site.set('k', 'online');
    await silent.met();
    const { body } = await site.admin('POST', `/api/quarantine/${seq}/retry`);
    const again = body as { receipt: string };
    if (how === 'lost') site.remote.cut();
    await answer;
    await site.settled();
    expect(await site.ending(again.receipt)).toMatchObject({ status: 'committed' });
    expect(site.remote.value(SCOPE, 'k')).toBe('refused');
    expectExactAccounts(await site.status());
  });
});

describe('a barrier', () => {
  it(
    'is passed in the middle of a drain, whenever it is asked',
    async () => {
      const site = await outpost({ away: true });
      for (const n of numbers(20)) await Promise.all(numbers(50).map((m) => site.set(`k${m}`, n)));
      await site.goOnline();
      while ((await site.status()).log.entries > 0) {
        await Promise.all(
          numbers(20).map((n) =>
            site.worker
              .call('gateway::barrier', { scope: SCOPE, key: `k${n}`, timeout_ms: 5000 })
              .then(resultOf),
          ),
        );
      }
    },
    BY_ITSELF_MS,
  );

  it(
    'and a receipt asked for at any moment are told at once',
    async () => {
      const site = await outpost({ gateway: BEHIND });
      for (const n of numbers(150)) {
        const { receipt } = await site.setPending(`k${n}`, n);
        if (n % 3) await delay(n % 3);
        const asked = performance.now();
        await site.receipt(receipt, 5000);
        expect(performance.now() - asked, `${n}`).toBeLessThan(900);
      }
    },
    BY_ITSELF_MS,
  );
});
