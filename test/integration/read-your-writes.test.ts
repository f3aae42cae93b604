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
import { RawWorker } from '../support/raw-worker.js';
import { stopsAfterEach } from '../support/running.js';

const stopLater = stopsAfterEach();
const list = (site: Outpost) => site.worker.call('state::list', { scope: SCOPE });
const outpost = async (options: OutpostOptions = {}) => stopLater(await Outpost.start(options));

describe('a read shows own accepted writes', () => {
  it('offline, after each of a chain', async () => {
    const site = await outpost({ away: true });
    await site.setPending('k', { n: 1 });
    expect(resultOf(await site.get('k'))).toEqual({ n: 1 });
    expect(pendingIn(await site.increment('k', 2)).new_value).toEqual({ n: 3 });
    expect(resultOf(await site.get('k'))).toEqual({ n: 3 });
    const merged = await site.update('k', { type: 'merge', path: ['deep'], value: { a: 1 } });
    expect(pendingIn(merged).old_value).toEqual({ n: 3 });
    expect(resultOf(await site.get('k'))).toEqual({ n: 3, deep: { a: 1 } });
    expect(resultOf(await site.delete('k'))).toEqual({ n: 3, deep: { a: 1 } });
    expect(await site.get('k')).not.toHaveProperty('result');
    await site.setPending('k', null);
    expect(await site.get('k')).toHaveProperty('result', null);
  });

  it('to other workers too', async () => {
    const site = await outpost({ away: true });
    const other = stopLater(await RawWorker.connect(site.gateway.url));
    await site.setPending('k', 1);
    expect((await other.call('state::get', { scope: SCOPE, key: 'k' }))['result']).toBe(1);
  });

  it('while the remote answers reads, and has not executed the write yet', async () => {
    const site = await outpost({ gateway: { remote: { call_timeout_ms: 20_000 } } });
    await site.set('k', 'old');
    const held = site.remote.executeLate({ functionId: 'state::set', key: 'k' }, 1);
    await site.setPending('k', 'new');
    expect(site.remote.value(SCOPE, 'k')).toBe('old');
    expect(resultOf(await site.get('k'))).toBe('new');
    await site.restart();
    held.release();
    await site.settled();
    expect(resultOf(await site.get('k'))).toBe('new');
    expect(site.remote.value(SCOPE, 'k')).toBe('new');
  });

  it('while the backlog is on its way', async () => {
    const site = await outpost({ away: true });
    for (const n of numbers(3)) await site.setPending('k', n);
    await site.setPending('other', 'own');
    const held = site.remote.late({ functionId: 'state::set' });
    await site.goOnline();
    await held.met(2);
    expect(resultOf(await site.get('k'))).toBe(2);
    expect(resultOf(await site.get('other'))).toBe('own');
    held.end();
    held.release();
    await site.settled();
    expect(resultOf(await site.get('k'))).toBe(2);
  });

  it('in a list, online, though the remote does not have them yet', async () => {
    const site = await outpost({ gateway: { remote: { call_timeout_ms: 20_000 } } });
    for (const key of ['a', 'b']) await site.set(key, 1);
    await list(site); // so the scope is known as a whole
    site.remote.drop({ functionId: 'state::set', key: 'a' }, 1);
    await site.setPending('a', 10);
    expect(resultOf<number[]>(await list(site)).sort((x, y) => x - y)).toEqual([1, 10]);
  });

  it('and no list is better than one without them', async () => {
    const site = await outpost({ gateway: { remote: { call_timeout_ms: 20_000 } } });
    for (const key of ['a', 'b']) await site.set(key, 1);
    const dropped = site.remote.drop({ functionId: 'state::set', key: 'a' }, 1);
    await site.setPending('a', 10);
    expect(codeOf(await list(site))).toBe('GATEWAY_OFFLINE_UNKNOWN');
    await dropped.met();
    site.remote.cut();
    await site.settled();
    expect(resultOf<number[]>(await list(site)).sort((x, y) => x - y)).toEqual([1, 10]);
  });

  it('after an answered write of the remote, at once', async () => {
    const site = await outpost();
    for (const n of numbers(20)) {
      await site.set('k', n);
      expect(resultOf(await site.get('k'))).toBe(n);
    }
  });

  it('the last of several that were not awaited', async () => {
    const site = await outpost({ away: true });
    const writes = numbers(20).map((n) => site.set('k', n));
    const read = site.get('k');
    await Promise.all(writes);
    expect(resultOf(await read)).toBe(19);
  });

  it('and a read that began before a write does not hide it afterwards', async () => {
    const site = await outpost({ gateway: { patience_ms: 10_000 } });
    await site.set('k', 'old');
    const held = site.remote.late({ functionId: 'state::get', key: 'k' }, 1);
    const early = site.get('k');
    await held.met();
    await site.set('k', 'new');
    held.release(); // an answer from before the write
    expect(resultOf(await early)).toMatch(/^(old|new)$/);
    await site.goOffline();
    expect(resultOf(await site.get('k'))).toBe('new');
  });
});
