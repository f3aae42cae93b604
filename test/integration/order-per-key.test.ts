import { describe, expect, it } from 'vitest';
import type { Frame } from '../support/frame-log.js';
import { numbers, Outpost, type OutpostOptions, resultOf, SCOPE, valuesIn } from '../support/outpost.js';
import { stopsAfterEach } from '../support/running.js';
import { ready, Workers } from '../support/sdk.js';

const stopLater = stopsAfterEach();
const outpost = async (options: OutpostOptions = {}) => stopLater(await Outpost.start(options));

const oldValuesIn = (answers: Frame[]) =>
  answers.map((answer) => resultOf<{ old_value: unknown }>(answer).old_value);

describe('writes to one key, none awaited', () => {
  it('run in the order they were sent, one at a time, though the first takes long', async () => {
    const site = await outpost({ gateway: { patience_ms: 10_000 } });
    site.remote.delay(50, { key: 'k' }, 1);
    const answers = await Promise.all(numbers(50).map((n) => site.set('k', n)));
    expect(valuesIn(site.remote.journalOf(SCOPE, 'k'))).toEqual(numbers(50));
    expect(site.remote.overlaps).toEqual([]);
    expect(oldValuesIn(answers)).toEqual([null, ...numbers(49)]);
    for (const answer of answers) expect(answer['result']).not.toHaveProperty('pending');
  });

  it('of all three kinds', async () => {
    const site = await outpost({ gateway: { patience_ms: 10_000 } });
    site.remote.delay(30, { key: 'k' }, 2);
    await Promise.all([
      site.set('k', { n: 1 }),
      site.increment('k'),
      site.delete('k'),
      site.increment('k', 7),
    ]);
    expect(valuesIn(site.remote.journalOf(SCOPE, 'k'))).toEqual([{ n: 1 }, { n: 2 }, undefined, { n: 7 }]);
    expect(site.remote.overlaps).toEqual([]);
  });

  it('accepted offline, once the remote is back', async () => {
    const site = await outpost({ away: true });
    const answers = await Promise.all(numbers(50).map((n) => site.set('k', n)));
    expect(oldValuesIn(answers)).toEqual([null, ...numbers(49)]);
    site.remote.delay(30, { key: 'k' }, 1);
    await site.goOnline();
    await site.settled();
    expect(valuesIn(site.remote.journalOf(SCOPE, 'k'))).toEqual(numbers(50));
    expect(site.remote.overlaps).toEqual([]);
  });

  it.each([
    ['executed', 'silent'],
    ['not executed', 'drop'],
  ] as const)('across a cut, with the one in flight %s', async (_, fault) => {
    const site = await outpost({ gateway: { patience_ms: 10_000 } });
    const inFlight = site.remote[fault]({ key: 'k', where: () => site.remote.journal.length === 5 }, 1);
    const answers = Promise.all(numbers(20).map((n) => site.set('k', n)));
    await inFlight.met();
    site.remote.cut();
    for (const answer of await answers) resultOf(answer);
    await site.settled();
    expect(valuesIn(site.remote.journalOf(SCOPE, 'k'))).toEqual(numbers(20));
    expect(site.remote.overlaps).toEqual([]);
  });

  it('online ones wait for those accepted before, and never overtake them', async () => {
    const site = await outpost({ away: true });
    for (const n of numbers(5)) await site.setPending('k', n);
    const held = site.remote.late({ key: 'k' }, 1);
    await site.goOnline();
    await held.met();
    const later = numbers(5).map((n) => site.set('k', 5 + n));
    held.release();
    await Promise.all(later);
    await site.settled();
    expect(valuesIn(site.remote.journalOf(SCOPE, 'k'))).toEqual(numbers(10));
    expect(site.remote.overlaps).toEqual([]);
  });

  it('over several cuts, and a restart in between', async () => {
    const site = await outpost({ away: true });
    for (const n of numbers(30)) await site.setPending('k', n);
    const cuts = site.remote.silent({ key: 'k', where: () => site.remote.journal.length % 10 === 9 }, 2);
    await site.goOnline();
    await cuts.met(1);
    site.remote.cut();
    await cuts.met(2);
    site.remote.cut();
    await site.restart();
    await site.settled();
    expect(valuesIn(site.remote.journalOf(SCOPE, 'k'))).toEqual(numbers(30));
    expect(site.remote.overlaps).toEqual([]);
  });

  it('of a program on the SDK', async () => {
    const site = await outpost({ gateway: { patience_ms: 10_000 } });
    const workers = new Workers();
    stopLater({ stop: () => workers.shutdown() });
    const iii = workers.connect(site.gateway.url, 'counter');
    await ready(iii);
    site.remote.delay(30, { key: 'k' }, 1);
    await Promise.all(
      numbers(20).map((value) =>
        iii.trigger({ function_id: 'state::set', payload: { scope: SCOPE, key: 'k', value } }),
      ),
    );
    expect(valuesIn(site.remote.journalOf(SCOPE, 'k'))).toEqual(numbers(20));
  });
});

describe('different keys', () => {
  it('travel in parallel, online', async () => {
    const site = await outpost({ gateway: { patience_ms: 10_000 } });
    const late = site.remote.late({ functionId: 'state::set' });
    const answers = numbers(20).map((n) => site.set(`k${n}`, n));
    await late.met(20); // while none of them is answered
    late.release();
    for (const answer of await Promise.all(answers)) resultOf(answer);
  });

  it('travel in parallel, in the replay', async () => {
    const site = await outpost({ away: true });
    for (const n of numbers(20)) await site.setPending(`k${n % 10}`, n);
    const late = site.remote.late({ functionId: 'state::set' }, 10);
    await site.goOnline();
    await late.met(10);
    expect(new Set(late.calls.map(({ key }) => key)).size).toBe(10);
    late.release();
    await site.settled();
    expect(site.remote.overlaps).toEqual([]);
    expect(site.remote.journal).toHaveLength(20);
  });

  it('do not wait for one that gets no answer', async () => {
    const site = await outpost({ gateway: { patience_ms: 10_000 } });
    const stuck = site.remote.late({ key: 'stuck' }, 1);
    const first = site.set('stuck', 1);
    const second = site.set('stuck', 2);
    await stuck.met();
    for (const n of numbers(20)) resultOf(await site.set('other', n));
    expect(site.remote.callsOf('state::set', SCOPE, 'stuck')).toHaveLength(1);
    stuck.release();
    expect(oldValuesIn([await first, await second])).toEqual([null, 1]);
  });
});
