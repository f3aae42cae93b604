import { describe, expect, it } from 'vitest';
import type { InvocationResult } from '../../../src/protocol/messages.js';
import { Payload } from '../../../src/protocol/payload.js';
import { Invocations } from '../../../src/router/invocations.js';
import { FakeWorker, makeRouter } from '../../support/fake-worker.js';

const UUID = '5f0c7a52-0000-4000-8000-000000000000';

function setUp() {
  const router = makeRouter();
  return {
    invocations: new Invocations(UUID),
    caller: new FakeWorker(router, 'caller'),
    executor: new FakeWorker(router, 'executor'),
    stranger: new FakeWorker(router, 'stranger'),
  };
}

const call = { function_id: 'svc::one', data: Payload.of({ a: 1 }) };

function answerOf(executor: FakeWorker, value: number, place = 0): InvocationResult {
  const invocation_id = executor.received('invokefunction')[place]?.invocation_id ?? 'none';
  return { type: 'invocationresult', invocation_id, function_id: 'svc::one', result: Payload.of(value) };
}

describe('invocations', () => {
  it('are sent with an id of their own that has the shape of a UUID', () => {
    const { invocations, executor } = setUp();
    void invocations.call(executor, call);
    invocations.fire(executor, call);

    const ids = executor.received('invokefunction').map(({ invocation_id }) => invocation_id);
    expect(new Set(ids).size).toBe(2);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  });

  it('resolve with the answer of the worker that executes them', async () => {
    const { invocations, executor, caller } = setUp();
    const answer = invocations.call(executor, call, caller);
    expect(invocations.activeOf(executor)).toBe(1);

    invocations.settle(executor, answerOf(executor, 7));

    expect((await answer).result?.value).toBe(7);
    expect(invocations.activeOf(executor)).toBe(0);
  });

  it('take an answer only from that worker, only once, and none that nobody waits for', async () => {
    const { invocations, executor, stranger } = setUp();
    const answer = invocations.call(executor, call);
    invocations.fire(executor, call);

    invocations.settle(stranger, answerOf(executor, 1));
    invocations.settle(executor, { ...answerOf(executor, 2), invocation_id: 'not one of ours' });
    invocations.settle(executor, answerOf(executor, 3, 1));
    invocations.settle(executor, answerOf(executor, 4));
    invocations.settle(executor, answerOf(executor, 5));

    expect((await answer).result?.value).toBe(4);
  });

  it('are stopped when the worker that executes them leaves', async () => {
    const { invocations, executor, caller } = setUp();
    const answer = invocations.call(executor, call, caller);

    invocations.dropWorker(executor);

    await expect(answer).rejects.toMatchObject({ code: 'invocation_stopped', message: 'Invocation stopped' });
  });

  it('are forgotten when the worker that asked leaves: a late answer finds nobody', async () => {
    const { invocations, executor, caller } = setUp();
    const answer = invocations.call(executor, call, caller);

    invocations.dropWorker(caller);
    invocations.settle(executor, answerOf(executor, 1));

    await expect(answer).rejects.toMatchObject({ code: 'invocation_stopped' });
    expect(invocations.activeOf(executor)).toBe(0);
  });

  it('of other workers are not touched by one that leaves', async () => {
    const { invocations, executor, caller, stranger } = setUp();
    const answer = invocations.call(executor, call, caller);

    invocations.dropWorker(stranger);
    invocations.settle(executor, answerOf(executor, 1));

    expect((await answer).result?.value).toBe(1);
  });
});
