import { describe, expect, it } from 'vitest';
import type { Clock } from '../../../src/replication/clock.js';
import { Fence, type FenceLink } from '../../../src/replication/replay/fence.js';

const SETTLE_MS = 5000;

/** Time passes only by waiting. */
class WaitedTime implements Pick<Clock, 'now' | 'wait'> {
  time = 100_000;
  now = () => this.time;
  wait = async (ms: number) => {
    this.time += ms;
  };
}

const link: FenceLink = {
  workerId: 'new',
  openedAt: undefined,
  fenceable: true,
  answersEndCalls: true,
  hasLeft: async () => true,
  opened: async () => {},
};

async function pass(how: 'lost' | 'late' | 'error', at: number, traits: Partial<FenceLink> = {}) {
  const clock = new WaitedTime();
  const fence = new Fence({ ...link, ...traits }, clock, SETTLE_MS, new AbortController().signal);
  const fenced = await fence.passed({ how, workerId: 'old', at });
  return { fenced, passedAt: clock.time };
}

describe('the fence', () => {
  it('is passed when the old connection is gone and the delay is over', async () => {
    expect(await pass('lost', 99_000)).toEqual({ fenced: true, passedAt: 99_000 + SETTLE_MS });
  });

  it('counts the delay from when the remote heard of us again: what it had not read, it reads only then', async () => {
    const openedAt = 99_500;
    expect(await pass('lost', 10_000, { openedAt })).toEqual({
      fenced: true,
      passedAt: openedAt + SETTLE_MS,
    });
  });

  it('is only likely where the remote cannot be fenced, or nobody knows who we were', async () => {
    expect(await pass('lost', 99_000, { fenceable: false })).toMatchObject({ fenced: false });
    expect(await pass('late', 99_000)).toEqual({ fenced: false, passedAt: 99_000 + SETTLE_MS });
  });

  it('gives up on a connection that does not go', async () => {
    expect(await pass('lost', 99_000, { hasLeft: async () => false })).toMatchObject({ fenced: false });
  });

  it('needs no delay after an error of an engine that does not pass calls on', async () => {
    expect(await pass('error', 100_000)).toEqual({ fenced: true, passedAt: 100_000 });
    expect(await pass('error', 100_000, { answersEndCalls: false })).toEqual({
      fenced: false,
      passedAt: 100_000 + SETTLE_MS,
    });
  });

  it('asks once for all that were sent on one connection', async () => {
    let asked = 0;
    const hasLeft = async () => {
      asked += 1;
      return true;
    };
    const fence = new Fence({ ...link, hasLeft }, new WaitedTime(), SETTLE_MS, new AbortController().signal);
    const unanswered = { how: 'lost', workerId: 'old', at: 0 } as const;
    await Promise.all([fence.passed(unanswered), fence.passed(unanswered)]);
    expect(asked).toBe(1);
  });
});
