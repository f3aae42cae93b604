import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { RetainStatus } from '../../src/replication/operator.js';
import { type LostWrite, LostWrites } from '../../src/replication/retain/lost-writes.js';
import { Database } from '../../src/storage/database.js';
import { BY_ITSELF_MS, Outpost, pendingIn, resultOf, SCOPE, valuesIn } from '../support/outpost.js';
import { stopsAfterEach } from '../support/running.js';
import { silentLogger } from '../support/silent-logger.js';

const stopLater = stopsAfterEach();
const siteThat = async (retain: 'off' | 'report' | 'restore', more: object = {}) =>
  stopLater(await Outpost.start({ gateway: { scopes: [{ match: SCOPE, retain, ...more }] } }));

/** Waits until that many confirmed writes were judged since the gateway started. */
async function verified(site: Outpost, count: number): Promise<RetainStatus> {
  await expect
    .poll(async () => (await site.status()).retain?.verified, { timeout: BY_ITSELF_MS, interval: 5 })
    .toBe(count);
  return (await site.status()).retain as RetainStatus;
}

/** Waits until that many writes were sent again and confirmed. */
const restored = (site: Outpost, count: number) =>
  expect
    .poll(async () => (await site.status()).retain?.restored, { timeout: BY_ITSELF_MS, interval: 5 })
    .toBe(count);

/** Waits for what the gateway has to say about a verification; gives its lines. */
async function summaries(site: Outpost, count: number): Promise<string[]> {
  const lines = () =>
    site.gateway
      .log()
      .split('\n')
      .filter((line) => line.includes('had confirmed'));
  await expect.poll(() => lines().length, { timeout: BY_ITSELF_MS, interval: 5 }).toBe(count);
  return lines();
}

async function stored<T>(site: Outpost, look: (database: Database) => Promise<T>): Promise<T> {
  await site.close();
  const database = new Database(join(site.dataDir, 'store'), silentLogger());
  await database.open();
  try {
    return await look(database);
  } finally {
    await database.close();
  }
}

/** What a gateway that is closed for it has listed. */
const lostOf = (site: Outpost): Promise<LostWrite[]> =>
  stored(site, (database) => new LostWrites(database).list(0, 100));

const setsOf = (site: Outpost, key: string) => site.remote.callsOf('state::set', SCOPE, key).length;

describe('a remote that forgets what it confirmed is reported', () => {
  it('with what is lost, and nothing is sent', async () => {
    const site = await siteThat('report');
    for (const key of ['a', 'b', 'c']) await site.set(key, 'secret');
    site.remote.forget(2);
    expect(await verified(site, 3)).toEqual({ verified: 3, lost: 2, restored: 0, changed: 0 });
    expect(await summaries(site, 1)).toEqual([expect.stringMatching(/^warn: .*"lost":2/)]);
    expect(site.gateway.log()).not.toContain('secret');
    expect(site.remote.journal).toHaveLength(3);
    await site.goOffline();
    expect(resultOf(await site.get('b'))).toBeUndefined(); // nor is it told any more
    const lost = await lostOf(site);
    expect(lost.map(({ key }) => key).sort()).toEqual(['b', 'c']);
    expect(lost[0]).toMatchObject({ scope: SCOPE, certain: true, restored: false });
    expect(JSON.stringify(lost)).not.toContain('secret');
  });

  it('once, however often the connection is made again', async () => {
    const site = await siteThat('report');
    await site.set('a', 1);
    await site.set('b', 1);
    site.remote.forget(1);
    await summaries(site, 1);
    site.remote.cut();
    expect(await verified(site, 3)).toMatchObject({ lost: 1 }); // b is not looked at again
    await summaries(site, 2);
    expect(await lostOf(site)).toHaveLength(1);
  });

  it('a replayed write with its receipt', async () => {
    const site = await siteThat('report');
    await site.goOffline();
    const { receipt } = await site.setPending('k', 1);
    await site.goOnline();
    await site.ending(receipt);
    site.remote.forget(1);
    await verified(site, 1);
    expect(await lostOf(site)).toMatchObject([{ key: 'k', receipt, certain: true }]);
  });

  it('a lost connection is not taken for a loss', async () => {
    const site = await siteThat('restore');
    await site.set('k', 1);
    await site.update('k', { type: 'set', path: '', value: { n: 1 } });
    await site.increment('k');
    await site.set('gone', 1);
    await site.delete('gone');
    site.remote.cut();
    expect(await verified(site, 2)).toEqual({ verified: 2, lost: 0, restored: 0, changed: 0 });
    expect(await summaries(site, 1)).toEqual([expect.stringMatching(/^info: /)]);
    expect(site.remote.journal).toHaveLength(5);
  });

  it('a scope that does not want it costs nothing', async () => {
    const site = await siteThat('off');
    await site.set('k', 1);
    site.remote.forget(1);
    await expect.poll(async () => (await site.status()).link.epochs, { interval: 5 }).toBe(2);
    expect((await site.status()).retain).toBeUndefined();
    const records = await stored(site, (database) =>
      database.level.keys({ gte: 'retain/', lt: 'retain0' }).all(),
    );
    expect(records).toEqual([]);
  });
});

describe('what a remote forgot is sent again', () => {
  it('sets, updates, deletes, online and replayed ones', async () => {
    const site = await siteThat('restore');
    await site.set('deleted', 'x');
    await site.set('counter', { n: 1 });
    site.remote.cut();
    await verified(site, 2);
    await site.delete('deleted');
    await site.increment('counter');
    await site.set('new', { a: [1] });
    await site.goOffline();
    const { receipt } = await site.setPending('replayed', null);
    await site.goOnline();
    await site.ending(receipt);
    await verified(site, 5); // what was online before
    site.remote.forget(4);
    await restored(site, 4);
    for (const [key, value] of Object.entries({ counter: { n: 2 }, new: { a: [1] }, replayed: null })) {
      expect(site.remote.value(SCOPE, key)).toEqual(value);
    }
    expect(site.remote.value(SCOPE, 'deleted')).toBeUndefined();
    expect((await lostOf(site)).map((lost) => lost.restored)).toEqual([true, true, true, true]);
  });

  it('only the newest of a key, wherever in its past the remote came back', async () => {
    const site = await siteThat('restore');
    for (const n of [1, 2, 3, 4, 5]) await site.set('k', n);
    site.remote.forget(3);
    await restored(site, 1);
    expect(valuesIn(site.remote.journalOf(SCOPE, 'k'))).toEqual([1, 2, 3, 4, 5, 5]);
  });

  it('not over what somebody else wrote', async () => {
    const site = await siteThat('restore');
    for (const key of ['a', 'b']) await site.set(key, 1);
    await site.goOffline();
    site.remote.writesElsewhere(SCOPE, 'a', 'theirs');
    await site.goOnline();
    expect(await verified(site, 2)).toEqual({ verified: 2, lost: 0, restored: 0, changed: 1 });
    await summaries(site, 1);
    expect(site.remote.value(SCOPE, 'a')).toBe('theirs');
    expect(resultOf(await site.get('a'))).toBe('theirs');
  });

  it('not where somebody may have deleted it, unless nobody else writes there', async () => {
    for (const single_writer of [false, true]) {
      const site = await siteThat('restore', { single_writer });
      site.remote.writesElsewhere(SCOPE, 'k', 'before');
      await site.set('k', 1);
      site.remote.forget('everything');
      expect(await verified(site, 1)).toMatchObject({ lost: 1 });
      await summaries(site, 1);
      expect(site.remote.value(SCOPE, 'k')).toBe(single_writer ? 1 : undefined);
      expect(await lostOf(site)).toMatchObject([{ certain: single_writer, restored: single_writer }]);
    }
  });

  it('not where a newer write of ours is under way', async () => {
    const site = await siteThat('restore');
    await site.set('k', 1);
    await site.goOffline();
    pendingIn(await site.set('k', 2));
    await site.goOnline('lost');
    await site.settled();
    site.remote.cut();
    expect(await verified(site, 1)).toMatchObject({ lost: 0 });
    expect(valuesIn(site.remote.journalOf(SCOPE, 'k'))).toEqual([1, 2]);
  });

  it('also by a gateway that was away itself', async () => {
    const site = await siteThat('restore');
    await site.set('k', 1);
    await site.close();
    site.remote.forget(1);
    await site.open();
    await restored(site, 1);
    expect(site.remote.value(SCOPE, 'k')).toBe(1);
  });

  it('again after a second loss, and then no more', async () => {
    const site = await siteThat('restore');
    await site.set('k', 1);
    site.remote.forget(1);
    await restored(site, 1);
    site.remote.forget(1);
    await restored(site, 2);
    site.remote.cut();
    expect(await verified(site, 3)).toMatchObject({ lost: 2, restored: 2 });
    expect(setsOf(site, 'k')).toBe(3);
    expect(site.remote.value(SCOPE, 'k')).toBe(1);
  });

  it('not when a newer write was confirmed while the key was read', async () => {
    const site = await siteThat('restore');
    for (const n of [1, 2]) await site.set('k', n);
    const read = site.remote.late({ functionId: 'state::get', key: 'k' }, 1);
    site.remote.forget(1);
    await read.met();
    await site.set('k', 3);
    read.release();
    await site.get('other'); // what was wrongly sent again would have left before
    site.remote.cut();
    expect(await verified(site, 1)).toMatchObject({ lost: 0 });
    expect(valuesIn(site.remote.journalOf(SCOPE, 'k'))).toEqual([1, 2, 3]);
  });

  it('when the remote dies again before it has it', async () => {
    const site = await siteThat('restore');
    await site.set('k', 1);
    const dropped = site.remote.drop({ functionId: 'state::set', key: 'k' });
    site.remote.forget(1);
    await dropped.met();
    site.remote.answerNormally();
    site.remote.cut();
    await restored(site, 1); // it is in the log
    await site.settled();
    expect(site.remote.value(SCOPE, 'k')).toBe(1);
    expect(valuesIn(site.remote.journalOf(SCOPE, 'k'))).toEqual([1, 1]);
    expect((await site.status()).retain).toMatchObject({ lost: 1 });
  });
});
