import { GatewayError } from '../errors.js';
import { InvocationIds } from '../protocol/invocation-ids.js';
import type { InvocationResult, InvokeFunction } from '../protocol/messages.js';

export type RemoteCall = Omit<InvokeFunction, 'type' | 'invocation_id'>;

interface Waiting {
  call: RemoteCall;
  deadline: number;
  sent: boolean;
  resolve(result: InvocationResult): void;
  reject(error: GatewayError): void;
}

/** How late a deadline may be noticed. One timer looks at all calls, because one per call costs more than the call. */
const DEADLINE_STEP_MS = 20;

/**
 * The calls under way to the remote: at most `window` sent and unanswered, the others wait their turn in order.
 * Whatever happens, every call ends: with the remote's answer or with an error that says whether it was sent.
 */
export class Calls {
  private readonly ids: InvocationIds;
  private readonly inFlight = new Map<number, Waiting>();
  private readonly queue = new Map<number, Waiting>();
  private sequence = 0;
  private watch: NodeJS.Timeout | undefined;

  constructor(
    randomUuid: string,
    private readonly window: number,
    private readonly now: () => number,
    private readonly send: (invocationId: string, call: RemoteCall) => void,
  ) {
    this.ids = new InvocationIds(randomUuid);
  }

  /**
   * Sends a call, or queues it behind a full window.
   * @throws GatewayError `GATEWAY_OFFLINE`: it was not sent, and never will be; `GATEWAY_TIMEOUT`: sent, no answer
   * within `deadlineMs`; `GATEWAY_OUTCOME_UNKNOWN`: sent, then the connection was lost.
   */
  start(call: RemoteCall, deadlineMs: number): Promise<InvocationResult> {
    return new Promise((resolve, reject) => {
      this.sequence += 1;
      const waiting: Waiting = { call, deadline: this.now() + deadlineMs, sent: false, resolve, reject };
      if (this.inFlight.size < this.window) this.dispatch(this.sequence, waiting);
      else this.queue.set(this.sequence, waiting);
      this.watch ??= setInterval(() => this.expire(), DEADLINE_STEP_MS).unref();
    });
  }

  /** Takes an answer; late and foreign ones are dropped. */
  settle(result: InvocationResult): void {
    const sequence = this.ids.sequenceOf(result.invocation_id);
    const waiting = sequence === undefined ? undefined : this.inFlight.get(sequence);
    if (sequence === undefined || !waiting) return;
    this.inFlight.delete(sequence);
    waiting.resolve(result);
    this.dispatchNext();
  }

  /** Ends all calls of a connection that is gone. */
  fail(cause: Error): void {
    const ended = [...this.inFlight.values(), ...this.queue.values()];
    this.inFlight.clear();
    this.queue.clear();
    for (const waiting of ended) waiting.reject(lost(waiting, cause));
    this.rest();
  }

  private dispatch(sequence: number, waiting: Waiting): void {
    waiting.sent = true;
    this.inFlight.set(sequence, waiting);
    this.send(this.ids.idOf(sequence), waiting.call);
  }

  private dispatchNext(): void {
    for (const [sequence, waiting] of this.queue) {
      if (this.inFlight.size >= this.window) return;
      this.queue.delete(sequence);
      this.dispatch(sequence, waiting);
    }
  }

  private expire(): void {
    const now = this.now();
    for (const calls of [this.inFlight, this.queue]) {
      for (const [sequence, waiting] of calls) {
        if (waiting.deadline > now) continue;
        calls.delete(sequence);
        waiting.reject(late(waiting));
      }
    }
    this.dispatchNext();
    this.rest();
  }

  private rest(): void {
    if (this.inFlight.size + this.queue.size > 0) return;
    clearInterval(this.watch);
    this.watch = undefined;
  }
}

function late({ sent, call }: Waiting): GatewayError {
  return sent
    ? new GatewayError('GATEWAY_TIMEOUT', `The remote engine did not answer ${call.function_id} in time`)
    : new GatewayError('GATEWAY_OFFLINE', `The remote engine is too busy to be sent ${call.function_id}`);
}

function lost({ sent, call }: Waiting, cause: Error): GatewayError {
  return sent
    ? new GatewayError(
        'GATEWAY_OUTCOME_UNKNOWN',
        `The link to the remote engine was lost before it answered ${call.function_id}; it may have been executed`,
        { cause },
      )
    : new GatewayError('GATEWAY_OFFLINE', `The link to the remote engine was lost`, { cause });
}
