import { describe, expect, it } from 'vitest';
import { offerGatewayFunctions } from '../../../src/admin/gateway-functions.js';
import type { Json } from '../../../src/protocol/json.js';
import { Payload } from '../../../src/protocol/payload.js';
import type { Operator } from '../../../src/replication/operator.js';
import { Router } from '../../../src/router/router.js';
import { statusFor } from './admin-site.js';
import { MemoryOperator } from './memory-operator.js';

function offered(operator?: Operator) {
  const router = new Router({
    stateIsOurs: true,
    randomUuid: () => 'uuid',
    enqueue: () => Promise.reject(new Error('no queue')),
  });
  offerGatewayFunctions(router, { status: () => statusFor(operator), operator });
  const call = async (id: string, data: Json) =>
    (await router.ask('default', id, Payload.of(data)))?.value as Record<string, unknown>;
  return { router, call };
}

describe('gateway::status', () => {
  it.each([{}, null, { _caller_worker_id: 'w' }])('answers whatever the input is: %j', async (input) => {
    const operator = new MemoryOperator();
    const { call } = offered(operator);
    expect(await call('gateway::status', input)).toEqual(JSON.parse(JSON.stringify(statusFor(operator))));
  });
});

describe('gateway::receipt', () => {
  it('tells a receipt, and waits for it', async () => {
    const operator = new MemoryOperator();
    const seq = operator.accept('k');
    const { call } = offered(operator);
    const input = { receipt: 'gw-1', _caller_worker_id: 'w', more: [1] };
    expect(await call('gateway::receipt', input)).toEqual({
      receipt: 'gw-1',
      status: 'pending',
      scope: 'orders',
      key: 'k',
      function_id: 'state::set',
      accepted_at: expect.any(String),
    });
    const waiting = call('gateway::receipt', { ...input, wait_ms: 60_000 });
    await expect.poll(() => operator.waiters).toBe(1);
    operator.settle(seq, 'committed');
    expect(await waiting).toMatchObject({ status: 'committed' });
  });

  it.each<[Json, string]>([
    [{}, '`receipt`'],
    [{ receipt: 5 }, '`receipt`'],
    [{ receipt: 'gw-1', wait_ms: -1 }, '`wait_ms`'],
    [{ receipt: 'gw-1', wait_ms: 1.5 }, '`wait_ms`'],
    [{ receipt: 'gw-1', wait_ms: '5' }, '`wait_ms`'],
    [{ receipt: 'gw-1', wait_ms: 3_600_001 }, '`wait_ms`'],
    [null, 'object'],
  ])('names what is wrong: %j', async (input, name) => {
    await expect(offered(new MemoryOperator()).call('gateway::receipt', input)).rejects.toMatchObject({
      code: 'deserialization_error',
      message: expect.stringContaining(name),
    });
  });

  it('does not know one of another gateway, nor any without replication', async () => {
    for (const { call } of [offered(new MemoryOperator()), offered()])
      await expect(call('gateway::receipt', { receipt: 'other-1' })).rejects.toMatchObject({
        code: 'GATEWAY_NOT_FOUND',
      });
  });
});

describe('gateway::barrier', () => {
  it('asks for what is meant', async () => {
    const operator = new MemoryOperator();
    operator.quarantine('k');
    const { call } = offered(operator);
    const settled = { settled: true, quarantined: 1, held: 0 };
    expect(await call('gateway::barrier', { _caller_worker_id: 'w' })).toEqual(settled);
    expect(await call('gateway::barrier', { scope: 's', key: 'k', timeout_ms: 0 })).toEqual(settled);
    expect(operator.barriers).toEqual([{}, { scope: 's', key: 'k', timeoutMs: 0 }]);
  });

  it('says what is left when the time is over', async () => {
    const operator = new MemoryOperator();
    operator.accept('k');
    await expect(offered(operator).call('gateway::barrier', {})).rejects.toMatchObject({
      code: 'GATEWAY_TIMEOUT',
      message: '1 writes are left',
    });
  });

  it.each<[Json, string]>([
    [{ key: 'k' }, '`scope`'],
    [{ scope: 1 }, '`scope`'],
    [{ scope: 's', key: [] }, '`key`'],
    [{ timeout_ms: -5 }, '`timeout_ms`'],
    [{ timeout_ms: 1e10 }, '`timeout_ms`'],
  ])('names what is wrong: %j', async (input, name) => {
    const operator = new MemoryOperator();
    await expect(offered(operator).call('gateway::barrier', input)).rejects.toMatchObject({
      code: 'deserialization_error',
      message: expect.stringContaining(name),
    });
    expect(operator.barriers).toEqual([]);
  });

  it('has nothing to wait for without replication', async () => {
    expect(await offered().call('gateway::barrier', {})).toEqual({ settled: true, quarantined: 0, held: 0 });
  });
});

it('are shown to workers with what they take and give', () => {
  const { router } = offered();
  const functions = [...router.functions.all()];
  expect(functions.map(({ id }) => id)).toEqual(['gateway::status', 'gateway::receipt', 'gateway::barrier']);
  for (const entry of functions)
    expect(entry).toMatchObject({
      builtIn: { description: expect.any(String), requestFormat: { type: 'object' }, responseFormat: {} },
    });
});
