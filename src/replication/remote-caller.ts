import type { InvocationResult } from '../protocol/messages.js';
import type { LateAnswer, RemoteCall } from '../remote/calls.js';

/** The way to the remote, behind the breaker. */
export interface RemoteCaller {
  /** Whether a call made now would go out. */
  readonly available: boolean;
  /**
   * Resolves with the remote's answer, error answers included.
   * @throws GatewayError `GATEWAY_OFFLINE`: it was not sent and never will be; `GATEWAY_TIMEOUT`: sent, and `late` will be
   * told what comes; `GATEWAY_OUTCOME_UNKNOWN`: sent, and its connection ended; `GATEWAY_TOO_LARGE`.
   */
  call(call: RemoteCall, deadlineMs: number, late?: LateAnswer): Promise<InvocationResult>;
}
