import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Json } from '../../../src/protocol/json.js';
import { Payload } from '../../../src/protocol/payload.js';
import { ConditionQueue } from '../../../src/relay/condition-queue.js';
import type { Router } from '../../../src/router/router.js';
import type { Trigger } from '../../../src/router/triggers.js';
import { FakeWorker, makeRouter } from '../../support/fake-worker.js';
import { type SilentLogger, silentLogger } from '../../support/silent-logger.js';

let router: Router;
let worker: FakeWorker;
let queue: ConditionQueue;
let logger: SilentLogger;

beforeEach(() => {
  router = makeRouter();
  worker = FakeWorker.connect(router, 'worker');
  for (const id of ['ask', 'watch']) worker.registers(id);
  logger = silentLogger();
  queue = queueFor('ask');
});

afterEach(() => vi.useRealTimers());

function queueFor(conditionFunctionId: string): ConditionQueue {
  const trigger: Trigger = {
    id: 't',
    triggerType: 'state',
    functionId: 'watch',
    namespace: 'default',
    triggerNamespace: undefined,
    config: {},
    metadata: Payload.of({ tenant: 't' }),
    owner: worker,
  };
  return new ConditionQueue(router, trigger, conditionFunctionId, logger);
}

function tell(...numbers: number[]): void {
  for (const n of numbers) queue.tell(Payload.of({ n }));
}

const calls = (functionId: string) =>
  worker.received('invokefunction').filter(({ function_id }) => function_id === functionId);
const asked = () => calls('ask').map(({ data }) => (data.value as { n: number }).n);
const told = () => calls('watch').map(({ data }) => (data.value as { n: number }).n);

/** Answers the condition's latest call, and lets what hangs on the answer happen. */
async function answer(outcome: { result?: Json; error?: { code: string; message: string } }): Promise<void> {
  const { result, error } = outcome;
  worker.says({
    type: 'invocationresult',
    invocation_id: calls('ask').at(-1)?.invocation_id ?? '',
    function_id: 'ask',
    ...(result !== undefined && { result: Payload.of(result) }),
    ...(error && { error }),
  });
  await settled();
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
}

describe('a condition', () => {
  it.each<[string, object, number[]]>([
    ['true', { result: true }, [1]],
    ['null', { result: null }, [1]],
    ['no result', {}, [1]],
    ['0', { result: 0 }, [1]],
    ['"false"', { result: 'false' }, [1]],
    ['an object', { result: { fire: false } }, [1]],
    ['false', { result: false }, []],
    ['an error', { error: { code: 'x', message: 'y' } }, []],
  ])('that answers %s', async (_, outcome, expected) => {
    tell(1);
    await answer(outcome);
    expect(told()).toEqual(expected);
  });

  it('is asked with the event alone, and the handler called with the metadata too', async () => {
    tell(1);
    expect(calls('ask')[0]).not.toHaveProperty('metadata');
    await answer({ result: true });
    expect(calls('watch')[0]?.metadata?.value).toEqual({ tenant: 't' });
  });

  it('that nobody offers lets nothing through, and is told of', async () => {
    queue = queueFor('nobody::offers');
    tell(1);
    await settled();
    expect(told()).toEqual([]);
    expect(logger.lines).toMatchObject([{ level: 'warn', facts: { condition: 'nobody::offers' } }]);
  });

  it('is asked about one event after the other, so that the handler sees them in order', async () => {
    tell(1, 2, 3);
    expect(asked()).toEqual([1]);
    await answer({ result: true });
    expect(asked()).toEqual([1, 2]);
    await answer({ result: false });
    await answer({ result: true });
    expect(told()).toEqual([1, 3]);
    tell(4);
    expect(asked()).toEqual([1, 2, 3, 4]);
  });

  it('that does not answer for 30 seconds lets its event go, and the next one is asked about', async () => {
    vi.useFakeTimers();
    tell(1, 2);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(asked()).toEqual([1, 2]);
    await answer({ result: true });
    expect(told()).toEqual([2]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('that is too slow loses the oldest events, not the newest, and says so', async () => {
    tell(...Array.from({ length: 1003 }, (_, n) => n));
    await answer({ result: true }); // about 0; of the 1002 that waited, 1 and 2 are gone
    expect(asked()).toEqual([0, 3]);
    expect(logger.lines.filter(({ sentence }) => sentence.includes('dropped'))).toHaveLength(2);
  });

  it('whose worker leaves lets nothing through', async () => {
    tell(1);
    const other = FakeWorker.connect(router, 'other');
    router.disconnect(worker);
    other.registers('watch');
    await settled();
    expect(other.received('invokefunction')).toEqual([]);
  });
});
