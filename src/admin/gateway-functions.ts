/** What the gateway tells workers of itself and of their writes (gateway-api section 3). */
import { GatewayError } from '../errors.js';
import type { JsonObject } from '../protocol/json.js';
import { Malformed, type Members, present } from '../protocol/members.js';
import { Payload } from '../protocol/payload.js';
import type { BarrierRequest, BarrierResult, Operator, Receipt } from '../replication/operator.js';
import { count, readInput } from '../router/engine-functions/input.js';
import type { BuiltIn } from '../router/functions.js';
import type { Router } from '../router/router.js';
import type { GatewayStatus } from './status.js';
import { LONGEST_WAIT_MS } from './waits.js';

export interface GatewayFunctionsContext {
  status: () => GatewayStatus;
  /** Undefined where this gateway replicates nothing. */
  operator: Operator | undefined;
}

/** Offers `gateway::status`, `gateway::receipt` and `gateway::barrier`. */
export function offerGatewayFunctions(router: Router, { status, operator }: GatewayFunctionsContext): void {
  const functions: Record<string, BuiltIn> = {
    'gateway::status': tellStatus(status),
    'gateway::receipt': tellReceipt(operator),
    'gateway::barrier': barrier(operator),
  };
  for (const [id, builtIn] of Object.entries(functions)) router.offer(id, builtIn);
}

const TEXT: JsonObject = { type: 'string' };
const COUNT: JsonObject = { type: 'integer', minimum: 0 };
const FLAG: JsonObject = { type: 'boolean' };
const WAIT: JsonObject = { ...COUNT, maximum: LONGEST_WAIT_MS };
const SOME: JsonObject = { type: 'object' };

function object(properties: JsonObject, required: string[] = []): JsonObject {
  return { type: 'object', properties, required };
}

const ERROR = object({ code: TEXT, message: TEXT }, ['code', 'message']);

/** Whatever its input is: there is nothing to say. */
function tellStatus(status: () => GatewayStatus): BuiltIn {
  return {
    description: 'Tells how this gateway is: its link, its log, and what became of the writes it accepted',
    requestFormat: object({}),
    responseFormat: object(
      {
        gateway: SOME,
        listener: SOME,
        state: TEXT,
        degraded: FLAG,
        reasons: { type: 'array', items: TEXT },
        link: SOME,
        breaker: SOME,
        log: SOME,
        writes: SOME,
        conflicts_won: COUNT,
        quarantine: SOME,
        held: SOME,
        replay: SOME,
        mirror: SOME,
        retain: SOME,
      },
      ['gateway', 'listener', 'state', 'degraded', 'reasons'],
    ),
    call: async () => printed(status()),
  };
}

function tellReceipt(operator: Operator | undefined): BuiltIn {
  const answer = {
    receipt: TEXT,
    status: TEXT,
    scope: TEXT,
    key: TEXT,
    function_id: TEXT,
    accepted_at: TEXT,
    settled_at: TEXT,
    reason: TEXT,
    error: ERROR,
  };
  return {
    description: 'Tells what became of an accepted write; waits up to wait_ms for it to be settled',
    requestFormat: object({ receipt: TEXT, wait_ms: WAIT }, ['receipt']),
    responseFormat: object(answer, ['receipt', 'status', 'scope', 'key', 'function_id', 'accepted_at']),
    call: async (call) => {
      const { receipt, waitMs } = readInput(call, (input) => ({
        receipt: input.string('receipt'),
        waitMs: wait(input, 'wait_ms'),
      }));
      return printed(await receiptOf(operator, receipt, waitMs));
    },
  };
}

/** @throws GatewayError `GATEWAY_NOT_FOUND`. */
export function receiptOf(
  operator: Operator | undefined,
  receipt: string,
  waitMs: number | undefined,
): Promise<Receipt> {
  if (operator) return operator.receipt(receipt, waitMs);
  throw new GatewayError('GATEWAY_NOT_FOUND', 'This gateway queues no writes, so there are no receipts');
}

function barrier(operator: Operator | undefined): BuiltIn {
  return {
    description: 'Waits until all writes accepted so far, of all or of one scope or key, are settled',
    requestFormat: object({ scope: TEXT, key: TEXT, timeout_ms: WAIT }),
    responseFormat: object({ settled: FLAG, quarantined: COUNT, held: COUNT }, [
      'settled',
      'quarantined',
      'held',
    ]),
    call: async (call) => {
      const request = readInput(call, readBarrier);
      // Without replication every write is settled once it is answered.
      const nothing: BarrierResult = { settled: true, quarantined: 0, held: 0 };
      return printed(operator ? await operator.barrier(request) : nothing);
    },
  };
}

function readBarrier(input: Members): BarrierRequest {
  const scope = input.optional('scope');
  const key = input.optional('key');
  if (key !== undefined && scope === undefined) throw new Malformed('`key` needs `scope`');
  return {
    ...present('scope', scope),
    ...present('key', key),
    ...present('timeoutMs', wait(input, 'timeout_ms')),
  };
}

function wait(input: Members, name: string): number | undefined {
  const ms = count(input, name);
  if (ms !== undefined && ms > LONGEST_WAIT_MS)
    throw new Malformed(`\`${name}\` is more than ${LONGEST_WAIT_MS}`);
  return ms;
}

/** An answer as JSON has it, absent members left out. */
function printed(answer: GatewayStatus | Receipt | BarrierResult): Payload {
  return Payload.fromText(JSON.stringify(answer));
}
