import { describe, expect, it } from 'vitest';
import type { Conflict, ConflictWithValues } from '../../src/replication/operator.js';
import { Outpost, type OutpostOptions, pendingIn, SCOPE, valuesIn } from '../support/outpost.js';
import { stopsAfterEach } from '../support/running.js';

const stopLater = stopsAfterEach();
const outpost = async (options: OutpostOptions = {}) => stopLater(await Outpost.start(options));

/** Lets everything arrive; gives the conflicts that the local write won. */
async function conflictsOf(site: Outpost): Promise<number> {
  await site.goOnline();
  await site.settled();
  const { conflicts_won, writes } = await site.status();
  expect(writes).toMatchObject({ conflicted: 0, quarantined: 0 });
  return conflicts_won;
}

/** A site whose gateway knows a key, and is offline now. */
async function siteKnowing(value: unknown): Promise<Outpost> {
  const site = await outpost();
  await site.set('k', value);
  await site.goOffline();
  return site;
}

describe('somebody else changed the key while we were offline', () => {
  it('the local write wins, and the conflict is counted and logged', async () => {
    const site = await siteKnowing(1);
    const { receipt } = await site.setPending('k', 2);
    site.remote.writesElsewhere(SCOPE, 'k', 'theirs');
    expect(await conflictsOf(site)).toBe(1);
    expect(site.remote.value(SCOPE, 'k')).toBe(2);
    expect(await site.ending(receipt)).toMatchObject({ status: 'committed' });
    const warnings = site.gateway.log().split('\n');
    expect(warnings.filter((line) => line.startsWith('warn') && line.includes(receipt))).toHaveLength(1);
    expect(site.gateway.log()).not.toContain('theirs'); // no value in a log
  });

  it('also by deleting it', async () => {
    const site = await siteKnowing(1);
    await site.setPending('k', 2);
    site.remote.deletesElsewhere(SCOPE, 'k');
    expect(await conflictsOf(site)).toBe(1);
    expect(site.remote.value(SCOPE, 'k')).toBe(2);
  });

  it('where we knew that there was nothing', async () => {
    const site = await outpost();
    await site.get('k');
    await site.goOffline();
    await site.setPending('k', 2);
    site.remote.writesElsewhere(SCOPE, 'k', 'theirs');
    expect(await conflictsOf(site)).toBe(1);
  });

  it('it counts once for a chain of ours', async () => {
    const site = await siteKnowing(1);
    for (const n of [2, 3, 4]) await site.setPending('k', n);
    site.remote.writesElsewhere(SCOPE, 'k', 'theirs');
    expect(await conflictsOf(site)).toBe(1);
    expect(valuesIn(site.remote.journalOf(SCOPE, 'k'))).toEqual([1, 'theirs', 2, 3, 4]);
  });

  it('it counts for each key, and the count outlives a restart', async () => {
    const site = await outpost();
    for (const key of ['a', 'b', 'c']) await site.set(key, 1);
    await site.goOffline();
    for (const key of ['a', 'b', 'c']) {
      await site.setPending(key, 2);
      if (key !== 'c') site.remote.writesElsewhere(SCOPE, key, 'theirs');
    }
    expect(await conflictsOf(site)).toBe(2);
    await site.restart();
    expect((await site.status()).conflicts_won).toBe(2);
  });

  it('an increment merges by nature: no conflict', async () => {
    const site = await siteKnowing({ n: 1 });
    pendingIn(await site.increment('k', 10));
    site.remote.writesElsewhere(SCOPE, 'k', { n: 100 });
    expect(await conflictsOf(site)).toBe(0);
    expect(site.remote.value(SCOPE, 'k')).toEqual({ n: 110 });
  });
});

describe('the record of a conflict', () => {
  const ADMIN = { admin: { host: '127.0.0.1', port: 0 } };

  async function recordsOf(site: Outpost): Promise<Conflict[]> {
    const { status, body } = await site.admin('GET', '/api/conflicts', { token: false });
    expect(status).toBe(200);
    return (body as { conflicts: Conflict[] }).conflicts;
  }

  it('has both values and the base, for whoever has the token; the list has none', async () => {
    const site = await outpost({ gateway: ADMIN });
    await site.set('k', 'before');
    await site.goOffline();
    const { receipt } = await site.setPending('k', 'ours');
    site.remote.writesElsewhere(SCOPE, 'k', 'theirs');
    expect(await conflictsOf(site)).toBe(1);
    const [record, ...others] = await recordsOf(site);
    expect(others).toEqual([]);
    expect(record).toEqual({
      number: 1,
      receipt,
      outcome: 'won',
      policy: 'local-wins',
      scope: SCOPE,
      key: 'k',
      function_id: 'state::set',
      at: expect.stringMatching(/^\d{4}-.+Z$/),
    });
    expect((await site.admin('GET', '/api/conflicts/1', { token: false })).status).toBe(401);
    expect((await site.admin('GET', '/api/conflicts/1')).body).toEqual({
      ...record,
      base: { kind: 'value', text: '"before"' },
      local: { kind: 'value', text: '"ours"' },
      remote: { kind: 'value', text: '"theirs"' },
    });
    expect((await site.admin('GET', '/api/conflicts/2')).status).toBe(404);
  });

  it('outlives a restart, and the numbers go on', async () => {
    const site = await outpost({ gateway: ADMIN });
    for (const key of ['a', 'b']) {
      await site.set(key, 1);
      await site.goOffline();
      await site.setPending(key, 2);
      site.remote.deletesElsewhere(SCOPE, key);
      await conflictsOf(site);
      await site.restart();
      await site.goOnline();
    }
    expect(await recordsOf(site)).toMatchObject([
      { number: 1, key: 'a' },
      { number: 2, key: 'b' },
    ]);
    const { body } = await site.admin('GET', '/api/conflicts/2');
    expect((body as ConflictWithValues).base).toEqual({ kind: 'value', text: '1' });
  });
});

describe('what is no conflict', () => {
  it('nobody else wrote', async () => {
    const site = await siteKnowing(1);
    for (const n of [2, 3]) await site.setPending('k', n);
    await site.delete('k');
    await site.setPending('k', 4);
    expect(await conflictsOf(site)).toBe(0);
  });

  it('somebody wrote what was there', async () => {
    const site = await siteKnowing({ a: 1, b: [2] });
    await site.setPending('k', 2);
    site.remote.writesElsewhere(SCOPE, 'k', { b: [2], a: 1 }); // members in another order
    expect(await conflictsOf(site)).toBe(0);
  });

  it('somebody wrote the same as we', async () => {
    const site = await siteKnowing(1);
    await site.setPending('k', { a: 1, b: 2 });
    site.remote.writesElsewhere(SCOPE, 'k', { b: 2, a: 1 });
    expect(await conflictsOf(site)).toBe(0);
  });

  it('we did not know what was there', async () => {
    const site = await outpost({ away: true });
    await site.setPending('k', 2);
    site.remote.writesElsewhere(SCOPE, 'k', 'theirs');
    expect(await conflictsOf(site)).toBe(0);
    expect(site.remote.value(SCOPE, 'k')).toBe(2);
  });

  it('our own write, of which we did not hear', async () => {
    const site = await siteKnowing(1);
    await site.goOnline();
    const silent = site.remote.silent({ functionId: 'state::set', key: 'k' }, 1);
    const answer = site.set('k', 2);
    await silent.met();
    await site.goOffline();
    pendingIn(await answer);
    await site.setPending('k', 3);
    expect(await conflictsOf(site)).toBe(0);
    expect(valuesIn(site.remote.journalOf(SCOPE, 'k'))).toEqual([1, 2, 3]);
  });

  it('online, whatever was there before', async () => {
    const site = await outpost();
    await site.set('k', 1);
    site.remote.writesElsewhere(SCOPE, 'k', 'theirs');
    expect((await site.set('k', 2))['result']).toEqual({ old_value: 'theirs', new_value: 2 });
    await site.settled();
    expect((await site.status()).conflicts_won).toBe(0);
  });
});

describe('an unanswered set whose key somebody else wrote', () => {
  it('goes over it once the fence is passed, and that is counted', async () => {
    const site = await outpost();
    await site.set('k', 1);
    const dropped = site.remote.drop({ functionId: 'state::set', key: 'k' }, 1);
    const answer = site.set('k', 2);
    await dropped.met();
    site.remote.writesElsewhere(SCOPE, 'k', 'theirs');
    await site.goOffline();
    pendingIn(await answer);
    expect(await conflictsOf(site)).toBe(1);
    expect(valuesIn(site.remote.journalOf(SCOPE, 'k'))).toEqual([1, 'theirs', 2]);
  });
});
