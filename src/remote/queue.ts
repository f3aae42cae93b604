import { GatewayError } from '../errors.js';
import type { InvokeFunction } from '../protocol/messages.js';
import type { Payload } from '../protocol/payload.js';
import type { RemoteLink } from './link.js';
import type { PassageStamp } from './passage.js';

/**
 * Hands calls that ask for a queue to the remote, whose queues then hold them. Resolves with its receipt.
 * @throws GatewayError the remote's error (`enqueue_error` …), `GATEWAY_LOOP`, or as `Calls.start` does.
 */
export function enqueueOnRemote(link: RemoteLink, passage: PassageStamp, deadlineMs: number) {
  return async ({ type, invocation_id, ...call }: InvokeFunction): Promise<Payload | undefined> => {
    passage.check(call.metadata);
    const answer = await link.call({ ...call, metadata: passage.stamp(call.metadata) }, deadlineMs);
    if (answer.error) throw GatewayError.fromBody(answer.error);
    return answer.result;
  };
}
