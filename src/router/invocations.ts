import { GatewayError } from '../errors.js';
import { InvocationIds } from '../protocol/invocation-ids.js';
import type { InvocationResult, InvokeFunction } from '../protocol/messages.js';
import type { Worker } from './worker.js';

export type OutgoingCall = Pick<
  InvokeFunction,
  'function_id' | 'data' | 'metadata' | 'traceparent' | 'baggage'
>;

interface Pending {
  executor: Worker;
  caller: Worker | undefined;
  resolve(result: InvocationResult): void;
  reject(error: GatewayError): void;
}

/** Calls that workers are executing for somebody: invocation id to the one who waits. */
export class Invocations {
  private readonly ids: InvocationIds;
  private readonly pending = new Map<number, Pending>();
  private sequence = 0;

  constructor(randomUuid: string) {
    this.ids = new InvocationIds(randomUuid);
  }

  /**
   * Has a worker execute a call. Resolves with its answer, error answers included.
   * @throws GatewayError `invocation_stopped` when the worker leaves first.
   */
  call(executor: Worker, call: OutgoingCall, caller?: Worker): Promise<InvocationResult> {
    return new Promise((resolve, reject) => {
      const sequence = this.next();
      this.pending.set(sequence, { executor, caller, resolve, reject });
      executor.send({
        type: 'invokefunction',
        invocation_id: this.ids.idOf(sequence),
        ...call,
      });
    });
  }

  /** Has a worker execute a call whose answer nobody needs; engines always send an id, so we do. */
  fire(executor: Worker, call: OutgoingCall): void {
    executor.send({
      type: 'invokefunction',
      invocation_id: this.ids.idOf(this.next()),
      ...call,
    });
  }

  /** Takes a worker's answer. Late, doubled and foreign ones are dropped, as on an engine. */
  settle(executor: Worker, result: InvocationResult): void {
    const sequence = this.ids.sequenceOf(result.invocation_id);
    const pending = sequence === undefined ? undefined : this.pending.get(sequence);
    if (sequence === undefined || pending?.executor !== executor) return;
    this.pending.delete(sequence);
    pending.resolve(result);
  }

  /** Answers what a leaving worker was executing, and forgets what it had asked for. */
  dropWorker(worker: Worker): void {
    for (const [sequence, pending] of this.pending) {
      if (pending.executor !== worker && pending.caller !== worker) continue;
      this.pending.delete(sequence);
      pending.reject(new GatewayError('invocation_stopped', 'Invocation stopped'));
    }
  }

  activeOf(worker: Worker): number {
    let active = 0;
    for (const pending of this.pending.values()) if (pending.executor === worker) active += 1;
    return active;
  }

  private next(): number {
    this.sequence += 1;
    return this.sequence;
  }
}
