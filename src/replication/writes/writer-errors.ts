import { GatewayError } from '../../errors.js';
import type { StateInputOf } from '../../operations/calls.js';

/** Why an update that reading cannot tell of is not sent again. */
export const TWICE = 'sending it again could apply it twice';

export function outcomeUnknown(functionId: string, why: string, cause: unknown): GatewayError {
  return new GatewayError(
    'GATEWAY_OUTCOME_UNKNOWN',
    `The remote engine was sent ${functionId} and did not answer: it may or may not have been executed, and it will ` +
      `not be sent again, since ${why}`,
    { cause },
  );
}

export function inLogUnanswered(functionId: string, seq: number): GatewayError {
  return new GatewayError(
    'GATEWAY_OUTCOME_UNKNOWN',
    `The remote engine did not answer ${functionId} in time. It is write ${seq} of this gateway's log and will be executed, but this ` +
      'gateway does not know the value it will meet. The same call with the same idempotency_key tells what came of it',
  );
}

export function onlyTheRemote({ functionId }: StateInputOf<'state::compare-and-set'>): GatewayError {
  return new GatewayError(
    'GATEWAY_OFFLINE',
    `Only the remote engine can answer ${functionId}: it is away, or earlier writes to this key have not reached it yet`,
  );
}
