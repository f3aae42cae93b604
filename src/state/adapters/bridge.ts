import { GatewayError } from '../../errors.js';
import type { StateAnswer, StateCall, StateInput } from '../../operations/calls.js';
import type { Payload } from '../../protocol/payload.js';
import type { RemoteLink } from '../../remote/link.js';
import type { PassageStamp } from '../../remote/passage.js';
import type { StateAdapter } from './adapter.js';

export interface BridgeOptions {
  passage: PassageStamp;
  /** How long one call waits for the remote. */
  patienceMs: number;
}

/**
 * State that lives on a remote engine: every call is the remote's to answer, and its answer goes back unchanged.
 * Changes are not reported here: they come back on the remote's feed, like everybody else's.
 */
export class BridgeAdapter implements StateAdapter {
  readonly name = 'bridge';
  constructor(
    private readonly link: RemoteLink,
    private readonly options: BridgeOptions,
  ) {}

  /** The link is a service of its own. */
  async start(): Promise<void> {}
  async stop(): Promise<void> {}

  /**
   * @throws GatewayError the remote's own error; `GATEWAY_OFFLINE`: not done; `GATEWAY_TIMEOUT`: a read without
   * answer; `GATEWAY_OUTCOME_UNKNOWN`: a write without answer, which may have been executed.
   */
  async answer(call: StateCall): Promise<StateAnswer> {
    const { input, payload, metadata, traceparent, baggage } = call;
    const answer = await this.link
      .call(
        {
          function_id: input.functionId,
          data: payload,
          metadata: this.options.passage.stamp(metadata),
          traceparent,
          baggage,
        },
        this.options.patienceMs,
      )
      .catch((error: unknown) => {
        throw unanswered(input, error);
      });
    if (answer.error) throw GatewayError.fromBody(answer.error);
    return resultOf(answer.result);
  }
}

function resultOf(result: Payload | undefined): StateAnswer {
  return result ? { result } : {};
}

/** Whether a call without answer may have changed something depends on the call. */
function unanswered(input: StateInput, error: unknown): unknown {
  const wasSent =
    error instanceof GatewayError &&
    (error.code === 'GATEWAY_TIMEOUT' || error.code === 'GATEWAY_OUTCOME_UNKNOWN');
  if (!wasSent) return error;
  if (isWrite(input)) {
    return new GatewayError(
      'GATEWAY_OUTCOME_UNKNOWN',
      `The remote engine was sent ${input.functionId} and did not answer: it may or may not have been executed`,
      { cause: error },
    );
  }
  return new GatewayError('GATEWAY_TIMEOUT', `The remote engine did not answer ${input.functionId} in time`, {
    cause: error,
  });
}

function isWrite({ functionId }: StateInput): boolean {
  switch (functionId) {
    case 'state::set':
    case 'state::update':
    case 'state::delete':
    case 'state::compare-and-set':
      return true;
    case 'state::get':
    case 'state::list':
    case 'state::list_groups':
    case 'state::list_keys':
    case 'state::list_entries':
      return false;
  }
}
