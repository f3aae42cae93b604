import { once } from 'node:events';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { describe, expect, it } from 'vitest';
import { Payload } from '../../src/protocol/payload.js';
import { Breaker } from '../../src/remote/breaker.js';
import { FakeEngine } from '../support/fake-engine.js';
import { stopsAfterEach } from '../support/running.js';
import { linkTo, nextOpen, open } from '../unit/remote/link-to.js';

const stopLater = stopsAfterEach();

const IN_FLIGHT = 512;
const call = (function_id: string) => ({ function_id, data: Payload.of({ scope: 's', key: 'k' }) });

async function start() {
  const engine = stopLater(await FakeEngine.start());
  engine.reply('state::get', () => ({ result: 1 }));
  const link = stopLater(linkTo(engine.url));
  const breaker = new Breaker(link, {
    errorPercent: 50,
    minCalls: 5,
    resetMs: 50,
    patienceMs: 200,
    random: Math.random,
  });
  stopLater({ stop: async () => breaker.stop() });
  await open(link);
  return { engine, link, breaker };
}

describe('a breaker around a real link', () => {
  it('ends 512 calls at once when the link is lost, after 100 000 good ones', {
    timeout: 60_000,
  }, async () => {
    const { engine, link, breaker } = await start();
    for (let done = 0; done < 100_000; done += IN_FLIGHT) {
      await Promise.all(Array.from({ length: IN_FLIGHT }, () => breaker.call(call('state::get'), 30_000)));
      engine.frames.length = 0;
      engine.texts.length = 0;
    }
    const calls = Array.from({ length: IN_FLIGHT }, () => breaker.call(call('state::set'), 30_000));
    const ended = Promise.allSettled(calls);
    await expect.poll(() => engine.frames.length).toBe(IN_FLIGHT);
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const startedAt = performance.now();
    engine.drop();
    const outcomes = await ended;
    const tookMs = performance.now() - startedAt;
    await nextOpen(link);
    delay.disable();
    const longestMs = delay.max / 1e6;
    console.log(
      `512 calls ended ${tookMs.toFixed(1)} ms after the drop; longest stall ${longestMs.toFixed(1)} ms`,
    );
    const codes = outcomes.map((outcome) =>
      outcome.status === 'rejected' ? outcome.reason.code : 'answered',
    );
    expect(codes).toEqual(Array(IN_FLIGHT).fill('GATEWAY_OUTCOME_UNKNOWN'));
    expect(longestMs).toBeLessThan(200);
    expect((await breaker.call(call('state::get'), 1000)).result?.value).toBe(1);
  });

  it('opens on silence, and closes when its own probe is answered', async () => {
    const { engine, breaker } = await start();
    engine.silence('state::get');
    const calls = Array.from({ length: 5 }, () => breaker.call(call('state::set'), 30));
    for (const outcome of await Promise.allSettled(calls))
      expect(outcome).toMatchObject({ reason: { code: 'GATEWAY_TIMEOUT' } });
    expect(breaker.state).toBe('open');
    const probe = await engine.received(({ function_id }) => function_id === 'state::get');
    expect(breaker.state).toBe('half-open');
    expect(probe['data']).toEqual({ scope: 'iii-state-gateway', key: 'probe' });
    const available = once(breaker, 'available');
    engine.answer(probe, { error: { code: 'GET_ERROR', message: 'no' } });
    await available;
    expect(breaker.state).toBe('closed');
  });

  it('closes as soon as a new connection stands, and fails at once in between', async () => {
    const { engine, link, breaker } = await start();
    const calls = Array.from({ length: 10 }, () => breaker.call(call('state::set'), 5000));
    const ended = Promise.allSettled(calls);
    await expect
      .poll(() => engine.frames.filter(({ function_id }) => function_id === 'state::set').length)
      .toBe(10);
    const again = nextOpen(link);
    engine.drop();
    await ended;
    expect(breaker.opened).toBe(1);
    await expect(breaker.call(call('state::get'), 5000)).rejects.toMatchObject({ code: 'GATEWAY_OFFLINE' });
    await again;
    expect(breaker.available).toBe(true);
    expect((await breaker.call(call('state::get'), 1000)).result?.value).toBe(1);
  });
});
