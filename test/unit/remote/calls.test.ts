import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { InvocationResult } from '../../../src/protocol/messages.js';
import { Payload } from '../../../src/protocol/payload.js';
import { Calls, type LateAnswer } from '../../../src/remote/calls.js';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const UUID = 'b6c1c791-8b4d-497d-82af-e0ad45876665';
const call = (function_id = 'f') => ({ function_id, data: Payload.of({}) });

function setUp(window = 10) {
  const sent: { id: string; function_id: string }[] = [];
  const calls = new Calls(UUID, window, Date.now, (id, { function_id }) => sent.push({ id, function_id }));
  const answer = (at: number) =>
    calls.settle({ type: 'invocationresult', invocation_id: sent[at]?.id ?? '', function_id: 'f' });
  return { calls, sent, answer };
}

describe('calls to the remote', () => {
  it('get their own answer, whatever the order', async () => {
    const { calls, sent, answer } = setUp();
    const [first, second] = [calls.start(call(), 1000), calls.start(call(), 1000)];
    answer(1);
    answer(0);
    expect((await first).invocation_id).toBe(sent[0]?.id);
    expect((await second).invocation_id).toBe(sent[1]?.id);
  });

  it('wait for a place in the window, in order', async () => {
    const { calls, sent, answer } = setUp(2);
    for (const id of ['a', 'b', 'c', 'd']) void calls.start(call(id), 1000).catch(() => undefined);
    expect(sent.map(({ function_id }) => function_id)).toEqual(['a', 'b']);
    answer(1);
    expect(sent.map(({ function_id }) => function_id)).toEqual(['a', 'b', 'c']);
  });

  it('end at their deadline, saying whether they were sent', async () => {
    const { calls } = setUp(1);
    const sent = expect(calls.start(call(), 100)).rejects.toMatchObject({ code: 'GATEWAY_TIMEOUT' });
    const queued = expect(calls.start(call(), 50)).rejects.toMatchObject({ code: 'GATEWAY_OFFLINE' });
    await vi.advanceTimersByTimeAsync(200);
    await Promise.all([sent, queued]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('make room when one is given up', async () => {
    const { calls, sent } = setUp(1);
    void calls.start(call('slow'), 50).catch(() => undefined);
    void calls.start(call('next'), 1000).catch(() => undefined);
    await vi.advanceTimersByTimeAsync(100);
    expect(sent.map(({ function_id }) => function_id)).toEqual(['slow', 'next']);
  });

  it('all end when the connection does', async () => {
    const { calls } = setUp(1);
    const sent = expect(calls.start(call(), 1000)).rejects.toMatchObject({ code: 'GATEWAY_OUTCOME_UNKNOWN' });
    const queued = expect(calls.start(call(), 1000)).rejects.toMatchObject({ code: 'GATEWAY_OFFLINE' });
    calls.fail(new Error('gone'));
    await Promise.all([sent, queued]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('drop answers that are late, doubled or not theirs', async () => {
    const { calls, answer } = setUp();
    const first = calls.start(call(), 1000);
    answer(0);
    answer(0);
    calls.settle({ type: 'invocationresult', invocation_id: UUID, function_id: 'f' });
    calls.settle({ type: 'invocationresult', invocation_id: 'rubbish', function_id: 'f' });
    await first;
  });
});

describe('an answer after the deadline', () => {
  const LATE_MS = 30_000;

  /** Notes what it is told. */
  function listener() {
    const told: (InvocationResult | string)[] = [];
    const late: LateAnswer = {
      answered: (result) => told.push(result),
      gone: ({ code }) => told.push(code),
    };
    return { told, late };
  }

  /** One call whose deadline has passed. */
  async function overdue({ deadlineMs = 100, window = 1 } = {}) {
    const parts = { ...setUp(window), ...listener() };
    const call_ = parts.calls.start(call(), deadlineMs, parts.late);
    const rejected = expect(call_).rejects.toMatchObject({ code: 'GATEWAY_TIMEOUT' });
    await vi.advanceTimersByTimeAsync(deadlineMs + 20);
    await rejected;
    return parts;
  }

  it('is told to whoever asked for it, once', async () => {
    const { told, sent, answer, calls } = await overdue();
    expect(told).toEqual([]);
    answer(0);
    answer(0);
    calls.fail(new Error('gone'));
    await vi.advanceTimersByTimeAsync(2 * LATE_MS);
    expect(told).toEqual([expect.objectContaining({ invocation_id: sent[0]?.id })]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is waited for no longer than thirty seconds from sending', async () => {
    const { told } = await overdue();
    await vi.advanceTimersByTimeAsync(LATE_MS - 200);
    expect(told).toEqual([]);
    await vi.advanceTimersByTimeAsync(200);
    expect(told).toEqual(['GATEWAY_TIMEOUT']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('counts from sending, not from asking', async () => {
    const { calls, answer, told, late } = { ...setUp(1), ...listener() };
    void calls.start(call('first'), 10_000).catch(() => undefined);
    const second = calls.start(call('second'), 6000, late).catch(() => undefined);
    await vi.advanceTimersByTimeAsync(5000);
    answer(0);
    await vi.advanceTimersByTimeAsync(LATE_MS - 100);
    await second;
    expect(told).toEqual([]);
    await vi.advanceTimersByTimeAsync(200);
    expect(told).toEqual(['GATEWAY_TIMEOUT']);
  });

  it('cannot come when the connection is gone', async () => {
    const { told, calls, answer } = await overdue();
    calls.fail(new Error('gone'));
    answer(0);
    expect(told).toEqual(['GATEWAY_OUTCOME_UNKNOWN']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('holds no place in the window', async () => {
    const { calls, sent } = await overdue();
    void calls.start(call('next'), 1000).catch(() => undefined);
    expect(sent.map(({ function_id }) => function_id)).toEqual(['f', 'next']);
  });

  it('is none for a call that was answered in time, never sent, or lost in time', async () => {
    const { calls, answer, told, late } = { ...setUp(1), ...listener() };
    const answered = calls.start(call(), 1000, late);
    answer(0);
    await answered;
    const lost = calls.start(call(), 1000, late).catch(() => undefined);
    const neverSent = calls.start(call(), 50, late).catch(() => undefined);
    await vi.advanceTimersByTimeAsync(100);
    await neverSent;
    calls.fail(new Error('gone'));
    await lost;
    await vi.advanceTimersByTimeAsync(2 * LATE_MS);
    expect(told).toEqual([]);
  });
});
