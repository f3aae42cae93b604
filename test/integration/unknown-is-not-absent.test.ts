import { describe, expect, it } from 'vitest';
import type { Frame } from '../support/frame-log.js';
import { codeOf, Outpost, type OutpostOptions, resultOf, SCOPE } from '../support/outpost.js';
import { stopsAfterEach } from '../support/running.js';

const stopLater = stopsAfterEach();
const outpost = async (options: OutpostOptions = {}) => stopLater(await Outpost.start(options));

function expectNoResult(answer: Frame): void {
  expect(answer).not.toHaveProperty('error');
  expect(answer).not.toHaveProperty('result');
}

const list = (site: Outpost, scope = SCOPE) => site.worker.call('state::list', { scope });
const groups = (site: Outpost) => site.worker.call('state::list_groups', {});

describe('a get without the remote', () => {
  it('gives a value that was read or written before', async () => {
    const site = await outpost();
    site.remote.writesElsewhere(SCOPE, 'read', { n: 1 });
    await site.get('read');
    await site.set('written', { n: 2 });
    await site.set('updated', { n: 2 });
    await site.increment('updated');
    await site.goOffline();
    expect(resultOf(await site.get('read'))).toEqual({ n: 1 });
    expect(resultOf(await site.get('written'))).toEqual({ n: 2 });
    expect(resultOf(await site.get('updated'))).toEqual({ n: 3 });
    await site.restart();
    expect(resultOf(await site.get('read'))).toEqual({ n: 1 });
  });

  it('gives no result for a key known to be absent', async () => {
    const site = await outpost();
    await site.get('never');
    await site.set('deleted', 1);
    await site.delete('deleted');
    await site.goOffline();
    expectNoResult(await site.get('never'));
    expectNoResult(await site.get('deleted'));
    await site.restart();
    expectNoResult(await site.get('never'));
  });

  it('tells a stored null from both', async () => {
    const site = await outpost();
    await site.set('null', null);
    await site.goOffline();
    expect(await site.get('null')).toHaveProperty('result', null);
    expect(codeOf(await site.get('unknown'))).toBe('GATEWAY_OFFLINE_UNKNOWN');
  });

  it('is an error for a key we know nothing of, in any scope', async () => {
    const site = await outpost();
    await site.set('k', 1);
    await site.goOffline();
    expect(codeOf(await site.get('other'))).toBe('GATEWAY_OFFLINE_UNKNOWN');
    const elsewhere = await site.worker.call('state::get', { scope: 'elsewhere', key: 'k' });
    expect(codeOf(elsewhere)).toBe('GATEWAY_OFFLINE_UNKNOWN');
  });

  it('is an error where the remote is too slow, and the value where we know it', async () => {
    const site = await outpost();
    await site.set('k', 1);
    site.remote.drop({ functionId: 'state::get' });
    expect(resultOf(await site.get('k'))).toBe(1);
    expect(codeOf(await site.get('other'))).toMatch(/^GATEWAY_(OFFLINE_UNKNOWN|TIMEOUT)$/);
  });

  it('is what the remote says while it is there, not what we remember', async () => {
    const site = await outpost();
    await site.set('k', 1);
    site.remote.deletesElsewhere(SCOPE, 'k');
    expectNoResult(await site.get('k'));
    site.remote.writesElsewhere(SCOPE, 'k', 2);
    expect(resultOf(await site.get('k'))).toBe(2);
  });
});

describe('an update or delete without the remote', () => {
  it.each([
    ['update', (site: Outpost) => site.increment('k')],
    ['delete', (site: Outpost) => site.delete('k')],
  ])('%s of a key we know nothing of is refused', async (_, write) => {
    const site = await outpost({ away: true });
    expect(codeOf(await write(site))).toBe('GATEWAY_OFFLINE_UNKNOWN');
    await site.setPending('k', { n: 1 }); // a set needs to know nothing
    resultOf(await write(site));
  });

  it('is accepted where the scope says `blind_writes`', async () => {
    const scopes = [{ match: SCOPE, blind_writes: true }];
    const site = await outpost({ away: true, gateway: { scopes } });
    expect(resultOf(await site.increment('k', 3))).toMatchObject({ pending: true, base: 'unknown' });
    expect(codeOf(await site.get('k'))).toBe('GATEWAY_OFFLINE_UNKNOWN');
    site.remote.writesElsewhere(SCOPE, 'k', { n: 4 });
    await site.goOnline();
    await site.settled();
    expect(site.remote.value(SCOPE, 'k')).toEqual({ n: 7 });
    expect(resultOf(await site.get('k'))).toEqual({ n: 7 });
  });
});

describe('a list without the remote', () => {
  it('is an error for a scope we have not seen as a whole', async () => {
    const site = await outpost();
    await site.set('k', 1);
    await site.goOffline();
    expect(codeOf(await list(site))).toBe('GATEWAY_OFFLINE_UNKNOWN');
    expect(codeOf(await groups(site))).toBe('GATEWAY_OFFLINE_UNKNOWN');
  });

  it('gives what the remote gave, with our own writes to known keys', async () => {
    const site = await outpost();
    await site.set('a', 1);
    await site.set('b', 2);
    expect(resultOf(await list(site))).toEqual([1, 2]);
    expect(resultOf(await groups(site))).toEqual({ groups: [SCOPE] });
    await site.goOffline();
    expect(resultOf(await list(site))).toEqual([1, 2]);
    expect(resultOf(await groups(site))).toEqual({ groups: [SCOPE] });

    await site.setPending('a', 10);
    expect(resultOf<number[]>(await list(site)).sort((x, y) => x - y)).toEqual([2, 10]);
    await site.delete('b');
    expect(resultOf(await list(site))).toEqual([10]);
    await site.restart();
    expect(resultOf(await list(site))).toEqual([10]);
  });

  it('counts a new key of a scope that is known, where the key was known to be absent', async () => {
    const site = await outpost();
    await site.set('a', 1);
    await site.get('b');
    await list(site);
    await site.goOffline();
    await site.setPending('b', 2);
    expect(resultOf<number[]>(await list(site)).sort((x, y) => x - y)).toEqual([1, 2]);
  });

  it('is an error while one of our writes may be one of its values or not', async () => {
    const site = await outpost();
    site.remote.writesElsewhere(SCOPE, 'unseen', 1);
    expect(resultOf(await list(site))).toEqual([1]); // of which key, nobody told
    await site.goOffline();
    await site.setPending('unseen', 2);
    expect(codeOf(await list(site))).toBe('GATEWAY_OFFLINE_UNKNOWN');
    expect(resultOf(await site.get('unseen'))).toBe(2);
    await site.goOnline();
    await site.settled();
    expect(resultOf(await list(site))).toEqual([2]);
  });

  it('of groups counts the scope of a pending write', async () => {
    const site = await outpost();
    await site.set('k', 1);
    await groups(site);
    await site.goOffline();
    await site.worker.call('state::set', { scope: 'new', key: 'k', value: 1 });
    expect(resultOf(await groups(site))).toEqual({ groups: ['new', SCOPE] });
  });

  it('of an empty scope is empty, where the remote said so', async () => {
    const site = await outpost();
    expect(resultOf(await list(site, 'empty'))).toEqual([]);
    await site.goOffline();
    expect(resultOf(await list(site, 'empty'))).toEqual([]);
  });
});
