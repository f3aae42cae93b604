import { describe, expect, it } from 'vitest';
import { numbers, Outpost, pendingIn, SCOPE, valuesIn } from '../support/outpost.js';
import { RawWorker } from '../support/raw-worker.js';
import { stopsAfterEach } from '../support/running.js';

const stopLater = stopsAfterEach();

/** A gateway whose scope has this policy, which knows that the key holds 1, and is offline. */
async function siteWith(rule: object, { known = true }: { known?: boolean } = {}): Promise<Outpost> {
  const site = stopLater(
    await Outpost.start({ gateway: { admin: { port: 0 }, scopes: [{ match: SCOPE, ...rule }] } }),
  );
  if (known) await site.set('k', 1);
  await site.goOffline();
  return site;
}

async function backOnline(site: Outpost) {
  await site.goOnline();
  await site.settled();
  return site.status();
}

describe('remote-wins', () => {
  const rule = { conflict: 'remote-wins' };

  it('gives a write up where somebody else wrote meanwhile, and keeps their value', async () => {
    const site = await siteWith(rule);
    const { receipt } = await site.setPending('k', 'ours');
    site.remote.writesElsewhere(SCOPE, 'k', 'theirs');
    expect((await backOnline(site)).writes).toMatchObject({ conflicted: 1, committed: 0 });
    expect(site.remote.value(SCOPE, 'k')).toBe('theirs');
    expect(await site.ending(receipt)).toMatchObject({ status: 'conflicted' });
    expect((await site.get('k'))['result']).toBe('theirs');
  });

  it('sends it where nobody did', async () => {
    const site = await siteWith(rule);
    await site.setPending('k', 'ours');
    expect((await backOnline(site)).writes).toMatchObject({ conflicted: 0, committed: 1 });
    expect(site.remote.value(SCOPE, 'k')).toBe('ours');
  });

  it('takes the whole chain with its head, also after a restart in the middle of it', async () => {
    const site = await siteWith(rule);
    const receipts = [];
    for (const n of numbers(5)) receipts.push((await site.setPending('k', { n })).receipt);
    site.remote.writesElsewhere(SCOPE, 'k', 'theirs');
    await site.remote.revive();
    await site.restart();
    await site.settled();
    expect(valuesIn(site.remote.journalOf(SCOPE, 'k'))).toEqual([1, 'theirs']);
    for (const receipt of receipts)
      expect(await site.ending(receipt)).toMatchObject({ status: 'conflicted' });
  });

  it('does not take writes that come after it', async () => {
    const site = await siteWith(rule);
    await site.setPending('k', 'lost');
    site.remote.writesElsewhere(SCOPE, 'k', 'theirs');
    await backOnline(site);
    await site.goOffline();
    await site.setPending('k', 'later');
    await backOnline(site);
    expect(site.remote.value(SCOPE, 'k')).toBe('later');
  });

  it('takes any value for a conflict where the value before is not known, and none for none', async () => {
    const site = await siteWith(rule, { known: false });
    expect(await site.setPending('k', 'ours')).toMatchObject({ base: 'unknown' });
    expect(await site.setPending('free', 'ours')).toMatchObject({ base: 'unknown' });
    site.remote.writesElsewhere(SCOPE, 'k', 'theirs');
    await backOnline(site);
    expect(site.remote.value(SCOPE, 'k')).toBe('theirs');
    expect(site.remote.value(SCOPE, 'free')).toBe('ours');
  });

  it('lets increments merge by nature', async () => {
    const site = stopLater(
      await Outpost.start({ gateway: { admin: { port: 0 }, scopes: [{ match: SCOPE, ...rule }] } }),
    );
    await site.set('k', { n: 1 });
    await site.goOffline();
    pendingIn(await site.increment('k', 10));
    site.remote.writesElsewhere(SCOPE, 'k', { n: 100 });
    await backOnline(site);
    expect(site.remote.value(SCOPE, 'k')).toEqual({ n: 110 });
  });

  it('settles a set whose answer was lost: their newer value stays', async () => {
    const site = await siteWith(rule);
    await site.goOnline();
    const silent = site.remote.drop({ functionId: 'state::set' }, 1);
    const { receipt } = await site.setPending('k', 'ours');
    await silent.met();
    site.remote.writesElsewhere(SCOPE, 'k', 'theirs');
    site.remote.cut();
    expect(await site.ending(receipt)).toMatchObject({ status: 'conflicted' });
    expect(site.remote.value(SCOPE, 'k')).toBe('theirs');
  });
});

describe('park', () => {
  it('leaves the decision to an operator, for increments too', async () => {
    const site = stopLater(
      await Outpost.start({ gateway: { admin: { port: 0 }, scopes: [{ match: SCOPE, conflict: 'park' }] } }),
    );
    await site.set('k', 1);
    await site.set('n', { n: 1 });
    await site.goOffline();
    const { receipt } = await site.setPending('k', 'ours');
    pendingIn(await site.increment('n', 10));
    site.remote.writesElsewhere(SCOPE, 'k', 'theirs');
    site.remote.writesElsewhere(SCOPE, 'n', { n: 100 });
    const { quarantine } = await backOnline(site);
    expect(quarantine).toMatchObject({ parked: 2 });
    expect(await site.ending(receipt)).toMatchObject({ status: 'quarantined', reason: 'parked' });
    expect(site.remote.value(SCOPE, 'k')).toBe('theirs');
    expect(site.remote.value(SCOPE, 'n')).toEqual({ n: 100 });
    const { seq } = ((await site.admin('GET', '/api/quarantine')).body as { quarantined: { seq: number }[] })
      .quarantined[0] as { seq: number };
    await site.admin('POST', `/api/quarantine/${seq}/retry`);
    await site.settled();
    expect(site.remote.value(SCOPE, 'k')).toBe('ours');
  });

  it('takes the chain with its head', async () => {
    const site = await siteWith({ conflict: 'park' });
    for (const n of [2, 3]) await site.setPending('k', n);
    site.remote.writesElsewhere(SCOPE, 'k', 'theirs');
    expect((await backOnline(site)).quarantine).toMatchObject({ parked: 2 });
  });
});

describe('function', () => {
  const rule = { conflict: 'function', conflict_function_id: 'shop::decide' };

  async function decidedBy(answer: (input: Record<string, unknown>) => unknown) {
    const site = await siteWith(rule);
    const decider = stopLater(await RawWorker.connect(site.gateway.url));
    const asked: Record<string, unknown>[] = [];
    await decider.serve('shop::decide', (input) => {
      asked.push(input as Record<string, unknown>);
      return answer(input as Record<string, unknown>);
    });
    const { receipt } = await site.setPending('k', 'ours');
    site.remote.writesElsewhere(SCOPE, 'k', 'theirs');
    const status = await backOnline(site);
    expect(asked).toMatchObject([
      {
        scope: SCOPE,
        key: 'k',
        function_id: 'state::set',
        receipt,
        base: 1,
        base_known: true,
        local: 'ours',
        remote: 'theirs',
      },
    ]);
    return { site, status, receipt };
  }

  it('may decide for the local value', async () => {
    const { site, status } = await decidedBy(() => ({ decision: 'local' }));
    expect(site.remote.value(SCOPE, 'k')).toBe('ours');
    expect(status.conflicts_won).toBe(1);
  });

  it('may decide for the remote value', async () => {
    const { site, status } = await decidedBy(() => ({ decision: 'remote' }));
    expect(site.remote.value(SCOPE, 'k')).toBe('theirs');
    expect(status.writes).toMatchObject({ conflicted: 1 });
  });

  it('may decide for a value of its own', async () => {
    const { site, receipt } = await decidedBy(({ local, remote }) => ({ value: [local, remote] }));
    expect(site.remote.value(SCOPE, 'k')).toEqual(['ours', 'theirs']);
    expect(await site.ending(receipt)).toMatchObject({ status: 'committed' });
    expect((await site.get('k'))['result']).toEqual(['ours', 'theirs']);
  });

  it('leaves it to an operator when it says something else', async () => {
    const { status } = await decidedBy(() => ({ decision: 'perhaps' }));
    expect(status.quarantine).toMatchObject({ parked: 1 });
  });

  it('that is nowhere leaves it to an operator', async () => {
    const site = await siteWith(rule);
    await site.setPending('k', 'ours');
    site.remote.writesElsewhere(SCOPE, 'k', 'theirs');
    expect((await backOnline(site)).quarantine).toMatchObject({ parked: 1 });
  });
});
