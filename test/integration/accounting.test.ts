import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Frame } from '../support/frame-log.js';
import { expectExactAccounts, numbers, Outpost, type OutpostOptions, SCOPE } from '../support/outpost.js';
import { stopsAfterEach } from '../support/running.js';

const stopLater = stopsAfterEach();
const outpost = async (options: OutpostOptions = {}) => stopLater(await Outpost.start(options));

/** What goes wrong while twelve writes to six keys are on their way, offline or not. */
const RUNS: [what: string, run: (site: Outpost) => Promise<void>][] = [
  ['nothing', async () => undefined],
  [
    'the remote is away',
    async (site) => {
      await site.goOffline();
      await write(site);
      expectExactAccounts(await site.status());
      await site.goOnline();
    },
  ],
  [
    'answers get lost with the link',
    async (site) => {
      const silent = site.remote.silent({}, 5);
      const writes = write(site);
      await silent.met(3);
      site.remote.cut();
      await writes;
    },
  ],
  [
    'calls get lost and the link stays',
    async (site) => {
      site.remote.drop({}, 5);
      await write(site);
    },
  ],
  [
    'some are refused',
    async (site) => {
      await site.goOffline();
      site.remote.refuse('VALUE_TOO_LARGE', { functionId: 'state::set' }, 4);
      await write(site);
      await site.goOnline();
    },
  ],
  [
    'errors come and the writes are executed',
    async (site) => {
      await site.goOffline();
      site.remote.errorButExecute({ where: ({ functionId }) => functionId !== 'state::get' }, 4);
      await write(site);
      await site.goOnline();
    },
  ],
  [
    'the link flaps',
    async (site) => {
      await site.goOffline();
      await write(site);
      await site.remote.revive();
      for (const more of [2, 4]) {
        await site.remote.executed(site.remote.journal.length + more);
        site.remote.cut();
      }
    },
  ],
  [
    'the remote forgets',
    async (site) => {
      await write(site);
      await site.goOffline();
      await write(site);
      await site.remote.revive('lost');
    },
  ],
  [
    'the gateway is restarted in between',
    async (site) => {
      await site.goOffline();
      await write(site);
      await site.restart();
      expectExactAccounts(await site.status());
      await write(site);
      const silent = site.remote.silent({ functionId: 'state::set' }, 2);
      await site.remote.revive();
      await silent.met(2);
      await site.restart();
    },
  ],
];

/** Twelve writes of all kinds; what comes of them is not looked at. */
async function write(site: Outpost): Promise<void> {
  await Promise.all(
    numbers(6).flatMap((n) => [
      site.set(`k${n}`, { id: nextId() }),
      n % 3 === 0 ? site.delete(`k${n}`) : site.increment(`k${n}`, nextId()),
    ]),
  );
}

/** By which each set and each increment is known again in the remote's journal. */
let ids = 0;
function nextId(): number {
  ids += 1;
  return ids;
}

/** The ids of what was executed, in order. */
function executedIds(site: Outpost, key?: string): number[] {
  const journal = key === undefined ? site.remote.journal : site.remote.journalOf(SCOPE, key);
  return journal.flatMap(({ value, ops }) => {
    const [op] = ops ?? [];
    if (op?.type === 'increment') return Number(op.by);
    return value === undefined ? [] : (value as { id: number }).id;
  });
}

interface Told {
  key: string;
  id: number;
  answer: Frame;
}

/** Sixty steps by a seed: bursts of writes, faults of calls, and of the link; nothing is waited for but the last. */
async function misfortunes(site: Outpost, seed: number): Promise<Told[]> {
  const random = randomOf(seed);
  const below = (bound: number) => Math.floor(random() * bound);
  const told: Promise<Told>[] = [];
  const write = () => {
    const [key, id] = [`k${below(5)}`, nextId()];
    const answer = random() < 0.6 ? site.set(key, { id }) : site.increment(key, id);
    told.push(answer.then((answer) => ({ key, id, answer })));
  };
  const faults = [
    () => site.remote.cut(),
    () => site.remote.silent({ where: ({ functionId }) => functionId !== 'state::get' }, 1 + below(3)),
    () => site.remote.drop({}, 1 + below(3)),
    () => site.remote.errorButExecute({ functionId: 'state::set' }, 1),
    () => site.remote.refuse('function_not_found', {}, 1),
    () => site.remote.blackHole(),
    () => site.remote.die(),
  ];
  const comeBack = async () => {
    site.remote.heal();
    await site.remote.revive();
  };
  for (const step of numbers(60)) {
    for (const _ of numbers(below(6))) write();
    await site.status(); // so that they were read before anything else goes wrong
    if (step % 2 === 0) await faults[below(faults.length)]?.();
    else if (random() < 0.7) await comeBack();
    await delay(below(120)); // for the gateway to notice, and to come back, or not
  }
  await comeBack();
  site.remote.answerNormally();
  return Promise.all(told);
}

/** Numbers from 0 to 1, the same for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

describe.each([12, 15, 20, 33])('a run of misfortunes, seed %i', (seed) => {
  it('leaves nothing lost, nothing twice, nothing out of order, and no ghost', async () => {
    const site = await outpost();
    const told = await misfortunes(site, seed);
    await site.settled();
    const status = await site.status();
    expectExactAccounts(status);
    expect(status.writes).toMatchObject({ pending: 0, sent: 0 });

    const executed = executedIds(site);
    expect(executed, 'nothing twice').toHaveLength(new Set(executed).size);
    for (const key of new Set(told.map((write) => write.key))) {
      const ids = executedIds(site, key);
      expect(ids, `${key} in order`).toEqual([...ids].sort((a, b) => a - b));
      expect((await site.get(key))['result'], key).toEqual(site.remote.value(SCOPE, key));
    }
    for (const { id, answer } of told) {
      const { code } = (answer['error'] ?? {}) as { code?: string };
      const { receipt } = (answer['result'] ?? {}) as { receipt?: string };
      const ending = receipt === undefined ? undefined : (await site.ending(receipt)).status;
      const isKnown = code?.startsWith('GATEWAY_')
        ? code !== 'GATEWAY_OUTCOME_UNKNOWN'
        : code !== 'SET_ERROR';
      if (!isKnown || ending === 'superseded' || ending === 'quarantined') continue;
      expect(executed.includes(id), `${id}: ${code ?? ending ?? 'answered'}`).toBe(code === undefined);
    }
  });
});

describe('each accepted write is in exactly one state', () => {
  it.each(RUNS)('when %s', async (_, run) => {
    const site = await outpost();
    await write(site);
    await run(site);
    expectExactAccounts(await site.status());
    await site.settled();
    const status = await site.status();
    expectExactAccounts(status);
    const { pending, sent, quarantined } = status.writes;
    expect([pending, sent, status.log.entries]).toEqual([0, 0, 0]);
    const inQuarantine = Object.values(status.quarantine).reduce((sum, count) => sum + count, 0);
    expect(inQuarantine).toBe(quarantined);

    await site.restart();
    expect((await site.status()).writes).toEqual(status.writes);
  });

  it('in the middle of a drain, at every look', async () => {
    const site = await outpost({ away: true });
    for (const n of numbers(40)) await site.set(`k${n % 8}`, n);
    const held = site.remote.late({ functionId: 'state::set' });
    await site.goOnline();
    for (const round of numbers(5)) {
      await held.met(8 * (round + 1));
      const status = await site.status();
      expectExactAccounts(status);
      expect(status.writes).toMatchObject({ accepted: 40, committed: 8 * round });
      held.release();
    }
    await site.settled();
    expect((await site.status()).writes).toMatchObject({ accepted: 40, committed: 40 });
    expect(site.remote.journal).toHaveLength(40);
  });

  it('no write that the remote answered itself is among them', async () => {
    const site = await outpost();
    await write(site);
    expect((await site.status()).writes.accepted).toBe(0);
    expect(site.remote.journal).toHaveLength(12);
  });

  it('each was executed at most once, after all that', async () => {
    const site = await outpost();
    for (const [, run] of RUNS) {
      await write(site);
      await run(site);
      await site.settled();
      site.remote.answerNormally();
    }
    const executed = executedIds(site);
    expect(executed.length).toBeGreaterThan(100);
    expect(executed).toHaveLength(new Set(executed).size);
    expectExactAccounts(await site.status());
  });
});
