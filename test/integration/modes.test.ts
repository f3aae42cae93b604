import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { BY_ITSELF_MS, codeOf, Outpost, type OutpostOptions, resultOf, SCOPE } from '../support/outpost.js';
import { stopsAfterEach } from '../support/running.js';

const stopLater = stopsAfterEach();
const outpost = async (options: OutpostOptions = {}) => stopLater(await Outpost.start(options));

interface WithMeta {
  value?: unknown;
  source: 'remote' | 'mirror' | 'local';
  age_ms: number;
  pending: boolean;
}

const metaOf = async (site: Outpost, key: string, more: object = {}) =>
  resultOf<WithMeta>(await site.get(key, { with_meta: true, ...more }));

const CACHED = [{ match: SCOPE, consistency: 'cache' }];

/** A site whose reads of the scope come from the mirror by now. */
async function cachingSite(scopes: object[] = CACHED): Promise<Outpost> {
  const site = await outpost({ gateway: { scopes } });
  await site.set('k', 1);
  await expect.poll(async () => (await metaOf(site, 'k')).source, { timeout: BY_ITSELF_MS }).toBe('mirror');
  return site;
}

const asked = (site: Outpost, key = 'k') => site.remote.callsOf('state::get', SCOPE, key).length;

describe('with_meta', () => {
  it('tells that the remote answered, and leaves out a value that is not there', async () => {
    const site = await outpost();
    await site.set('k', { n: 1 });
    expect(await metaOf(site, 'k')).toEqual({ value: { n: 1 }, source: 'remote', age_ms: 0, pending: false });
    const absent = await metaOf(site, 'absent');
    expect(absent).toMatchObject({ source: 'remote', pending: false });
    expect(absent).not.toHaveProperty('value');
    await site.set('null', null);
    expect(await metaOf(site, 'null')).toHaveProperty('value', null);
  });

  it('tells offline that the mirror answered, and how old it is', async () => {
    const site = await outpost();
    await site.set('k', 1);
    await site.get('absent');
    await site.goOffline();
    const first = await metaOf(site, 'k');
    expect(first).toMatchObject({ value: 1, source: 'mirror', pending: false });
    await expect.poll(async () => (await metaOf(site, 'k')).age_ms).toBeGreaterThan(first.age_ms);
    const absent = await metaOf(site, 'absent');
    expect(absent).toMatchObject({ source: 'mirror', pending: false });
    expect(absent).not.toHaveProperty('value');
  });

  it('tells that a write of ours is pending', async () => {
    const site = await outpost();
    await site.set('k', 1);
    await site.goOffline();
    await site.setPending('k', 2);
    expect(await metaOf(site, 'k')).toMatchObject({ value: 2, pending: true });
    await site.goOnline();
    await site.settled();
    expect(await metaOf(site, 'k')).toMatchObject({ value: 2, pending: false, source: 'remote' });
  });

  it('is not what a call without it gets, and reaches no remote that would mind', async () => {
    const site = await outpost();
    await site.set('k', 1);
    expect(resultOf(await site.get('k', { with_meta: false }))).toBe(1);
    expect(resultOf(await site.get('k'))).toBe(1);
  });
});

describe('stale_if_error', () => {
  it('false, in a call: no value that the remote did not confirm now', async () => {
    const site = await outpost();
    await site.set('k', 1);
    await site.goOffline();
    expect(codeOf(await site.get('k', { stale_if_error: false }))).toMatch(/^GATEWAY_OFFLINE/);
    expect(resultOf(await site.get('k'))).toBe(1);
  });

  it('false, in the rule of a scope; a call says otherwise', async () => {
    const site = await outpost({ gateway: { scopes: [{ match: SCOPE, stale_if_error: false }] } });
    await site.set('k', 1);
    await site.worker.call('state::set', { scope: 'other', key: 'k', value: 2 });
    await site.goOffline();
    expect(codeOf(await site.get('k'))).toMatch(/^GATEWAY_OFFLINE/);
    expect(resultOf(await site.get('k', { stale_if_error: true }))).toBe(1);
    expect(resultOf(await site.worker.call('state::get', { scope: 'other', key: 'k' }))).toBe(2);
  });

  it('is not asked where our own write says what the key holds', async () => {
    const site = await outpost({ away: true });
    await site.setPending('k', 1);
    expect(resultOf(await site.get('k', { stale_if_error: false }))).toBe(1);
  });
});

describe('max_age_ms', () => {
  it('bounds the age of what answers for the remote', async () => {
    const site = await outpost();
    await site.set('k', 1);
    await site.goOffline();
    await expect.poll(async () => (await metaOf(site, 'k')).age_ms).toBeGreaterThan(5);
    expect(codeOf(await site.get('k', { max_age_ms: 1 }))).toMatch(/^GATEWAY_OFFLINE/);
    expect(resultOf(await site.get('k', { max_age_ms: 60_000 }))).toBe(1);
    expect(resultOf(await site.get('k', { max_age_ms: 0 }))).toBe(1); // 0 is any age
  });

  it('in the rule of a scope', async () => {
    const site = await outpost({ gateway: { scopes: [{ match: SCOPE, max_age_ms: 1 }] } });
    await site.set('k', 1);
    await site.goOffline();
    await expect.poll(async () => 'error' in (await site.get('k'))).toBe(true);
    expect(resultOf(await site.get('k', { max_age_ms: 60_000 }))).toBe(1);
  });
});

describe('consistency: cache', () => {
  it('serves without asking the remote, once its subscription is confirmed', async () => {
    const site = await cachingSite();
    const before = asked(site);
    for (let n = 0; n < 10; n += 1) expect(resultOf(await site.get('k'))).toBe(1);
    expect(asked(site)).toBe(before);
    expect(
      site.remote.calls.some(({ functionId }) => functionId === 'engine::registered-triggers::list'),
    ).toBe(true);
  });

  it("sees other people's changes and its own", async () => {
    const site = await cachingSite();
    const before = asked(site);
    site.remote.writesElsewhere(SCOPE, 'k', 'theirs');
    await expect.poll(async () => resultOf(await site.get('k'))).toBe('theirs');
    await site.set('k', 'ours');
    expect(resultOf(await site.get('k'))).toBe('ours');
    site.remote.deletesElsewhere(SCOPE, 'k');
    await expect.poll(async () => (await site.get('k'))['result']).toBeUndefined();
    expect(asked(site) - before).toBeLessThanOrEqual(4); // a read-back here and there, and no more
  });

  it('asks for a key that it has never seen', async () => {
    const site = await cachingSite();
    site.remote.loseEvents();
    site.remote.writesElsewhere(SCOPE, 'unseen', 1);
    expect(resultOf(await site.get('unseen'))).toBe(1);
    expect(asked(site, 'unseen')).toBe(1);
  });

  it('can be asked for by one call, and declined by one', async () => {
    const site = await cachingSite();
    const before = asked(site);
    expect(await metaOf(site, 'k', { consistency: 'remote' })).toMatchObject({ source: 'remote' });
    expect(asked(site)).toBe(before + 1);
  });

  it('goes on answering when the link is lost, as stale_if_error says', async () => {
    const site = await cachingSite();
    await site.goOffline();
    expect(await metaOf(site, 'k')).toMatchObject({ value: 1, source: 'mirror' });
  });

  it('stops when the link is lost, where stale_if_error is false', async () => {
    const site = await cachingSite([{ match: SCOPE, consistency: 'cache', stale_if_error: false }]);
    await site.goOffline();
    expect(codeOf(await site.get('k'))).toMatch(/^GATEWAY_OFFLINE/);
  });

  it('shows nothing stale after a gap', async () => {
    const site = await cachingSite();
    await site.goOffline();
    site.remote.writesElsewhere(SCOPE, 'k', 'changed in the gap');
    await site.goOnline();
    expect(resultOf(await site.get('k'))).toBe('changed in the gap');
  });

  it.each([
    ['mirror', 'that tells of every change', {}],
    ['remote', 'that fires no events', { triggersEnabled: false }],
    ['remote', 'that is bridged itself', { adapter: 'bridge' }],
    ['remote', 'that shares its state with others', { adapter: 'redis' }],
    ['remote', 'that does not tell', { adapter: 'untold' }],
  ] as const)('serves from the %s before a remote %s', async (source, _, remote) => {
    const site = await outpost({ remote, gateway: { scopes: CACHED } });
    site.remote.writesElsewhere(SCOPE, 'k', 1);
    const sources = [];
    // Nothing tells that a subscription will not be used, so there is time for it to be.
    for (let n = 0; n < 20; n += 1) {
      sources.push((await metaOf(site, 'k')).source);
      await delay(25);
    }
    expect(sources.at(-1)).toBe(source);
  });
});

describe('consistency: remote', () => {
  it('always asks, feed or no feed', async () => {
    const site = await outpost();
    await site.set('k', 1);
    for (let n = 0; n < 5; n += 1) await site.get('k');
    expect(asked(site)).toBe(5);
  });
});
