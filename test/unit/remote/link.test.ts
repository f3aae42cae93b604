import { describe, expect, it } from 'vitest';
import { Payload } from '../../../src/protocol/payload.js';
import type { LateAnswer } from '../../../src/remote/calls.js';
import { FakeEngine } from '../../support/fake-engine.js';
import { stopsAfterEach } from '../../support/running.js';
import { linkTo, nextOpen, open } from './link-to.js';

const stopLater = stopsAfterEach();

const call = (function_id = 'slow') => ({ function_id, data: Payload.of({}) });

/** What a late answer came to, as it is awaited. */
function awaited() {
  let late!: LateAnswer;
  const outcome = new Promise<unknown>((resolve) => {
    late = { answered: ({ result }) => resolve(result?.value), gone: ({ code }) => resolve(code) };
  });
  return { late, outcome };
}

describe('a call that is not answered in time', () => {
  it('is answered late, on the same connection', async () => {
    const engine = stopLater(await FakeEngine.start());
    const link = stopLater(linkTo(engine.url));
    await open(link);
    const { late, outcome } = awaited();
    await expect(link.call(call(), 30, late)).rejects.toMatchObject({ code: 'GATEWAY_TIMEOUT' });
    const sent = await engine.received(({ function_id }) => function_id === 'slow');
    engine.answer(sent, { result: 7 });
    expect(await outcome).toBe(7);
  });

  it('is unknown for good when the connection goes', async () => {
    const engine = stopLater(await FakeEngine.start());
    const link = stopLater(linkTo(engine.url));
    await open(link);
    const { late, outcome } = awaited();
    await expect(link.call(call(), 30, late)).rejects.toMatchObject({ code: 'GATEWAY_TIMEOUT' });
    engine.drop();
    expect(await outcome).toBe('GATEWAY_OUTCOME_UNKNOWN');
  });

  it('is waited for as long as the options say', async () => {
    const engine = stopLater(await FakeEngine.start());
    const link = stopLater(linkTo(engine.url, { lateMs: 60 }));
    await open(link);
    const { late, outcome } = awaited();
    await expect(link.call(call(), 30, late)).rejects.toMatchObject({ code: 'GATEWAY_TIMEOUT' });
    expect(await outcome).toBe('GATEWAY_TIMEOUT');
  });
});

describe('the end of a connection', () => {
  it('finds the link closed to whoever calls again at once: nothing is said to be sent that was not', async () => {
    const engine = stopLater(await FakeEngine.start());
    const link = stopLater(linkTo(engine.url));
    await open(link);
    const again: Promise<unknown>[] = [];
    const late: LateAnswer = {
      answered: () => {},
      gone: () => again.push(link.call(call('again'), 1000).catch(({ code }) => code)),
    };
    await expect(link.call(call(), 30, late)).rejects.toMatchObject({ code: 'GATEWAY_TIMEOUT' });
    engine.drop();
    await expect.poll(() => again.length).toBe(1);
    expect(await again[0]).toBe('GATEWAY_OFFLINE');
    expect(engine.frames.some(({ function_id }) => function_id === 'again')).toBe(false);
  });

  it('that we made leaves the link closed, with every call ended', async () => {
    const engine = stopLater(await FakeEngine.start());
    const link = linkTo(engine.url);
    await open(link);
    const states: string[] = [];
    link.on('status', ({ state }) => states.push(state));
    const ended = expect(link.call(call(), 5000)).rejects.toMatchObject({ code: 'GATEWAY_OUTCOME_UNKNOWN' });
    await link.stop();
    await ended;
    expect(states).toEqual(['closed']);
  });
});

describe('an epoch', () => {
  it('tells who we were before, and whether the engine can make that place free', async () => {
    const engine = stopLater(await FakeEngine.start());
    const link = stopLater(linkTo(engine.url));
    const first = await open(link);
    expect(first).toMatchObject({ workerId: 'worker-1', reattachable: true });
    expect(first).not.toHaveProperty('previousWorkerId');
    engine.drop();
    expect(await nextOpen(link)).toMatchObject({ workerId: 'worker-2', previousWorkerId: 'worker-1' });
  });
});

describe('a link is within reach', () => {
  it('in its very first attempt and when it is open, not in a later attempt', async () => {
    const engine = stopLater(await FakeEngine.start({ greets: false }));
    const link = stopLater(linkTo(engine.url, { connectTimeoutMs: 100 }));
    expect(link.isWithinReach).toBe(false);
    await link.start();
    expect(link.isWithinReach).toBe(true);
    await expect.poll(() => link.status.state).toBe('waiting');
    expect(link.isWithinReach).toBe(false);
    await expect.poll(() => link.status.state).toBe('connecting');
    expect(link.isWithinReach).toBe(false);
  });
});
