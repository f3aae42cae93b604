import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { GatewayError } from '../../../src/errors.js';
import type { InvocationResult } from '../../../src/protocol/messages.js';
import { Payload } from '../../../src/protocol/payload.js';
import { Breaker, type BreakerOptions } from '../../../src/remote/breaker.js';
import type { RemoteCall } from '../../../src/remote/calls.js';
import type { RemoteLink } from '../../../src/remote/link.js';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const RESET_MS = 1000;
const call = (function_id = 'state::set'): RemoteCall => ({ function_id, data: Payload.of({}) });
const errorWith = (
  code: 'GATEWAY_TIMEOUT' | 'GATEWAY_OUTCOME_UNKNOWN' | 'GATEWAY_OFFLINE' | 'GATEWAY_TOO_LARGE',
) => new GatewayError(code, code);

interface Waiting {
  resolve(result: InvocationResult): void;
  reject(error: Error): void;
}

/** A link that answers as the test says; silent until then. */
class FakeLink extends EventEmitter {
  isWithinReach = true;
  readonly asked: { call: RemoteCall; deadlineMs: number }[] = [];
  private readonly waiting: Waiting[] = [];

  call(call: RemoteCall, deadlineMs: number): Promise<InvocationResult> {
    this.asked.push({ call, deadlineMs });
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  away(): GatewayError {
    return errorWith('GATEWAY_OFFLINE');
  }

  /** What waits now, to be ended by itself. */
  takeWaiting(): Waiting[] {
    return this.waiting.splice(0);
  }

  /** Ends everything that waits. */
  async end(outcome: 'answer' | 'error answer' | Error, waiting = this.takeWaiting()): Promise<void> {
    const result: InvocationResult = { type: 'invocationresult', invocation_id: 'i', function_id: 'f' };
    const refusal = { ...result, error: { code: 'SET_ERROR', message: 'no' } };
    for (const { resolve, reject } of waiting) {
      if (outcome instanceof Error) reject(outcome);
      else resolve(outcome === 'answer' ? result : refusal);
    }
    await vi.advanceTimersByTimeAsync(0);
  }
}

function setUp(wishes: Partial<BreakerOptions> = {}) {
  const link = new FakeLink();
  const breaker = new Breaker(link as unknown as RemoteLink, {
    errorPercent: 50,
    minCalls: 5,
    resetMs: RESET_MS,
    patienceMs: 70,
    random: () => 0.5,
    ...wishes,
  });
  const told: string[] = [];
  breaker.on('state', (state) => told.push(state));
  breaker.on('available', () => told.push('available'));
  const run = async (count: number, outcome: Parameters<FakeLink['end']>[0]) => {
    const calls = Array.from({ length: count }, () => breaker.call(call(), 1000).catch(({ code }) => code));
    await link.end(outcome);
    return Promise.all(calls);
  };
  return { link, breaker, told, run };
}

/** One that has just opened. */
async function opened(wishes: Partial<BreakerOptions> = {}) {
  const parts = setUp(wishes);
  await parts.run(5, errorWith('GATEWAY_TIMEOUT'));
  expect(parts.breaker.state).toBe('open');
  parts.link.asked.length = 0;
  parts.told.length = 0;
  return parts;
}

/** One whose probe is under way. */
async function probing(wishes: Partial<BreakerOptions> = {}) {
  const parts = await opened(wishes);
  await vi.advanceTimersByTimeAsync(RESET_MS * 1.2);
  expect(parts.breaker.state).toBe('half-open');
  expect(parts.link.asked).toHaveLength(1);
  return parts;
}

describe('a breaker opens', () => {
  it.each(['GATEWAY_TIMEOUT', 'GATEWAY_OUTCOME_UNKNOWN'] as const)(
    'when half of the calls end in %s',
    async (code) => {
      const { breaker, run, told } = setUp();
      await run(3, 'answer');
      await run(2, errorWith(code));
      expect(breaker.state).toBe('closed');
      await run(1, errorWith(code));
      expect(breaker.state).toBe('open');
      expect(told).toEqual(['open']);
      expect(breaker.opened).toBe(1);
    },
  );

  it('not for fewer calls than it wants to see', async () => {
    const { breaker, run } = setUp({ minCalls: 6 });
    await run(5, errorWith('GATEWAY_TIMEOUT'));
    expect(breaker.state).toBe('closed');
    await run(1, errorWith('GATEWAY_TIMEOUT'));
    expect(breaker.state).toBe('open');
  });

  it('at a hundred percent only when every call fails', async () => {
    const { breaker, run } = setUp({ errorPercent: 100 });
    await run(1, 'answer');
    await run(50, errorWith('GATEWAY_TIMEOUT'));
    expect(breaker.state).toBe('closed');
    const { breaker: another, run: runAnother } = setUp({ errorPercent: 100 });
    await runAnother(5, errorWith('GATEWAY_TIMEOUT'));
    expect(another.state).toBe('open');
  });

  it('not for what the engine answered, nor for what was never sent', async () => {
    const { breaker, run } = setUp();
    await run(20, 'error answer');
    await run(20, errorWith('GATEWAY_OFFLINE'));
    await run(20, errorWith('GATEWAY_TOO_LARGE'));
    await run(20, new Error('anything else'));
    expect(breaker.state).toBe('closed');
  });

  it('though most calls were never sent because it is silent, and hundreds are under way', async () => {
    const { link, breaker, run } = setUp();
    await run(500, errorWith('GATEWAY_OFFLINE'));
    for (let count = 0; count < 500; count += 1) void breaker.call(call(), 1000);
    link.takeWaiting();
    await run(5, errorWith('GATEWAY_TIMEOUT'));
    expect(breaker.state).toBe('open');
  });

  it('not for failures that are long ago', async () => {
    const { breaker, run } = setUp();
    await run(4, errorWith('GATEWAY_TIMEOUT'));
    await vi.advanceTimersByTimeAsync(6000);
    await run(4, errorWith('GATEWAY_TIMEOUT'));
    expect(breaker.state).toBe('closed');
  });
});

describe('an open breaker', () => {
  it('refuses at once, without touching the link', async () => {
    const { link, breaker } = await opened();
    expect(breaker.available).toBe(false);
    await expect(breaker.call(call(), 1000)).rejects.toMatchObject({ code: 'GATEWAY_OFFLINE' });
    expect(link.asked).toEqual([]);
  });

  it.each<['answer' | Error, string]>([
    ['answer', 'an answer'],
    [errorWith('GATEWAY_TIMEOUT'), 'silence'],
  ])('takes no notice of calls of before (%#: %s)', async (outcome) => {
    const { link, breaker, told } = setUp();
    const earlier = breaker.call(call(), 60_000).catch(() => undefined);
    const underWay = link.takeWaiting();
    const failing = Array.from({ length: 5 }, () => breaker.call(call(), 1000).catch(() => undefined));
    await link.end(errorWith('GATEWAY_TIMEOUT'));
    await link.end(outcome, underWay);
    await Promise.all([earlier, ...failing]);
    expect(told).toEqual(['open']);
  });

  it('stays as it is while the link is down: there is nobody to probe', async () => {
    const { link, breaker, told } = await opened();
    link.isWithinReach = false;
    await vi.advanceTimersByTimeAsync(10 * RESET_MS);
    expect(link.asked).toEqual([]);
    expect(told).toEqual([]);
    expect(breaker.state).toBe('open');
    link.isWithinReach = true;
    await vi.advanceTimersByTimeAsync(RESET_MS * 1.2);
    expect(link.asked).toHaveLength(1);
  });

  it('is closed by a new connection, which begins without its failures', async () => {
    const { link, breaker, told, run } = await opened();
    link.emit('open');
    expect(breaker.available).toBe(true);
    expect(told).toEqual(['closed', 'available']);
    await run(4, errorWith('GATEWAY_TIMEOUT'));
    expect(breaker.state).toBe('closed');
    await vi.advanceTimersByTimeAsync(10 * RESET_MS);
    expect(link.asked).toHaveLength(4); // none of them a probe
  });
});

describe('a half open breaker', () => {
  it('sends one probe of its own after a jittered wait, and nobody else', async () => {
    const { link, breaker, told } = await opened({ metadata: Payload.of({ mark: 1 }) });
    await vi.advanceTimersByTimeAsync(RESET_MS + 90);
    expect(breaker.state).toBe('half-open');
    expect(link.asked).toEqual([]);
    await vi.advanceTimersByTimeAsync(20);
    await expect(breaker.call(call(), 1000)).rejects.toMatchObject({ code: 'GATEWAY_OFFLINE' });
    expect(link.asked).toHaveLength(1);
    const [{ call: probe, deadlineMs } = { call: call(), deadlineMs: 0 }] = link.asked;
    expect(probe.function_id).toBe('state::get');
    expect(probe.data.value).toEqual({ scope: 'iii-state-gateway', key: 'probe' });
    expect(probe.metadata?.value).toEqual({ mark: 1 });
    expect(deadlineMs).toBe(70);
    expect(told).toEqual(['half-open']);
  });

  it.each(['answer', 'error answer'] as const)('is closed by an %s', async (outcome) => {
    const { link, breaker, told, run } = await probing();
    await link.end(outcome);
    expect(breaker.available).toBe(true);
    expect(told).toEqual(['half-open', 'closed', 'available']);
    await run(4, errorWith('GATEWAY_TIMEOUT'));
    expect(breaker.state).toBe('closed'); // what failed before does not count any more
  });

  it('opens again when the probe fails, and probes again, for as long as it takes', async () => {
    const { link, breaker, told } = await probing();
    for (let round = 0; round < 3; round += 1) {
      await link.end(errorWith('GATEWAY_TIMEOUT'));
      expect(breaker.state).toBe('open');
      await vi.advanceTimersByTimeAsync(RESET_MS * 1.2);
      expect(link.asked).toHaveLength(round + 2);
    }
    expect(breaker.opened).toBe(1);
    expect(told).not.toContain('available');
  });

  it.each<['answer' | Error, string]>([
    ['answer', 'an answer'],
    [errorWith('GATEWAY_TIMEOUT'), 'silence'],
    [errorWith('GATEWAY_OFFLINE'), 'never having been sent'],
  ])('waits for its probe, however the calls of before end (%#: %s)', async (outcome) => {
    const { link, breaker, told } = setUp();
    const failing = Array.from({ length: 5 }, () => breaker.call(call(), 1000).catch(() => undefined));
    const failed = link.takeWaiting();
    const earlier = breaker.call(call(), 60_000).catch(() => undefined);
    const underWay = link.takeWaiting();
    await link.end(errorWith('GATEWAY_TIMEOUT'), failed);
    await Promise.all(failing);
    await vi.advanceTimersByTimeAsync(RESET_MS + 50);
    await link.end(outcome, underWay);
    await earlier;
    expect(told).toEqual(['open', 'half-open']);
  });

  it('does not care for its probe any more when a new connection has come', async () => {
    const { link, breaker, told } = await probing();
    link.emit('open');
    await link.end(errorWith('GATEWAY_OUTCOME_UNKNOWN'));
    expect(breaker.state).toBe('closed');
    expect(told).toEqual(['half-open', 'closed', 'available']);
  });
});

it('a breaker that opened again on a new connection is not closed by the probe of the old one', async () => {
  const { link, breaker, run } = await probing();
  const probe = link.takeWaiting();
  link.emit('open');
  await run(5, errorWith('GATEWAY_TIMEOUT'));
  await link.end('answer', probe);
  expect(breaker.state).toBe('open');
});

describe('a link that is known to be down', () => {
  it('refuses by itself, and counts as no failure', async () => {
    const { link, breaker, run } = setUp();
    link.isWithinReach = false;
    expect(breaker.available).toBe(false);
    expect(await run(20, 'answer')).toEqual(Array(20).fill('GATEWAY_OFFLINE'));
    expect(link.asked).toEqual([]);
    expect(breaker.state).toBe('closed');
  });

  it('is told to be available when it opens', () => {
    const { link, told } = setUp();
    link.emit('open');
    expect(told).toEqual(['available']);
  });
});

it('a stopped breaker leaves no timer, and refuses everything', async () => {
  const { link, breaker } = await probing();
  breaker.stop();
  await link.end(errorWith('GATEWAY_TIMEOUT'));
  link.emit('open');
  expect(breaker.available).toBe(false);
  await expect(breaker.call(call(), 1000)).rejects.toMatchObject({ code: 'GATEWAY_OFFLINE' });
  expect(vi.getTimerCount()).toBe(0);
});
