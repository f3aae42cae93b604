import { GatewayError } from '../errors.js';
import { InvocationIds } from '../protocol/invocation-ids.js';
import type { InvocationResult, InvokeFunction } from '../protocol/messages.js';

export type RemoteCall = Omit<InvokeFunction, 'type' | 'invocation_id'>;

/**
 * Told what became of a sent call after its promise was rejected for its deadline: exactly one of the two, once.
 * Neither may throw.
 */
export interface LateAnswer {
  /** The answer came after all, on the connection that the call was sent on. */
  answered(result: InvocationResult): void;
  /** It will not come: `GATEWAY_OUTCOME_UNKNOWN` with the connection lost, `GATEWAY_TIMEOUT` with it still open. */
  gone(cause: GatewayError): void;
}

interface Waiting {
  call: RemoteCall;
  deadline: number;
  /** When it was sent; `undefined` while it is queued. */
  sentAt: number | undefined;
  late: LateAnswer | undefined;
  resolve(result: InvocationResult): void;
  reject(error: GatewayError): void;
}

/** A call whose promise is rejected and whose answer somebody still wants. */
interface Overdue {
  functionId: string;
  deadline: number;
  late: LateAnswer;
}

/** How late a deadline may be noticed. One timer looks at all calls, because one per call costs more than the call. */
const DEADLINE_STEP_MS = 20;

/** How long after sending a late answer is waited for, unless somebody says otherwise. */
const LATE_MS = 30_000;

/**
 * The calls under way to the remote: at most `window` sent and unanswered, the others wait their turn in order.
 * Whatever happens, every call ends: with the remote's answer or with an error that says whether it was sent.
 * One whose late answer is wanted is remembered beyond its deadline, outside the window.
 */
export class Calls {
  private readonly ids: InvocationIds;
  private readonly inFlight = new Map<number, Waiting>();
  private readonly queue = new Map<number, Waiting>();
  private readonly overdue = new Map<number, Overdue>();
  private sequence = 0;
  private watch: NodeJS.Timeout | undefined;

  constructor(
    randomUuid: string,
    private readonly window: number,
    private readonly now: () => number,
    private readonly send: (invocationId: string, call: RemoteCall) => void,
    /** How long after sending a late answer is waited for. */
    private readonly lateMs = LATE_MS,
  ) {
    this.ids = new InvocationIds(randomUuid);
  }

  /** Calls sent and unanswered, and those that wait for their turn. */
  get underWay(): number {
    return this.inFlight.size + this.queue.size;
  }

  /**
   * Sends a call, or queues it behind a full window.
   * @throws GatewayError `GATEWAY_OFFLINE`: it was not sent, and never will be; `GATEWAY_TIMEOUT`: sent, no answer
   * within `deadlineMs`, and `late` is told of the rest; `GATEWAY_OUTCOME_UNKNOWN`: sent, then the connection was lost.
   */
  start(call: RemoteCall, deadlineMs: number, late?: LateAnswer): Promise<InvocationResult> {
    return new Promise((resolve, reject) => {
      this.sequence += 1;
      const now = this.now();
      const waiting: Waiting = { call, deadline: now + deadlineMs, sentAt: undefined, late, resolve, reject };
      if (this.inFlight.size < this.window) this.dispatch(this.sequence, waiting, now);
      else this.queue.set(this.sequence, waiting);
      this.watch ??= setInterval(() => this.expire(), DEADLINE_STEP_MS).unref();
    });
  }

  /** Takes an answer; foreign ones, and late ones that nobody wants, are dropped. */
  settle(result: InvocationResult): void {
    const sequence = this.ids.sequenceOf(result.invocation_id);
    if (sequence === undefined) return;
    const waiting = this.inFlight.get(sequence);
    if (!waiting) {
      this.settleLate(sequence, result);
      return;
    }
    this.inFlight.delete(sequence);
    waiting.resolve(result);
    this.dispatchNext();
  }

  /** Ends all calls of a connection that is gone. */
  fail(cause: Error): void {
    const ended = [...this.inFlight.values(), ...this.queue.values()];
    const overdue = [...this.overdue.values()];
    this.inFlight.clear();
    this.queue.clear();
    this.overdue.clear();
    for (const waiting of ended) waiting.reject(lost(waiting, cause));
    for (const { functionId, late } of overdue) late.gone(outcomeUnknown(functionId, cause));
    this.rest();
  }

  private settleLate(sequence: number, result: InvocationResult): void {
    const overdue = this.overdue.get(sequence);
    if (!overdue) return;
    this.overdue.delete(sequence);
    overdue.late.answered(result);
  }

  private dispatch(sequence: number, waiting: Waiting, now: number): void {
    waiting.sentAt = now;
    this.inFlight.set(sequence, waiting);
    this.send(this.ids.idOf(sequence), waiting.call);
  }

  private dispatchNext(): void {
    for (const [sequence, waiting] of this.queue) {
      if (this.inFlight.size >= this.window) return;
      this.queue.delete(sequence);
      this.dispatch(sequence, waiting, this.now());
    }
  }

  private expire(): void {
    const now = this.now();
    for (const calls of [this.inFlight, this.queue]) {
      for (const [sequence, waiting] of calls) {
        if (waiting.deadline > now) continue;
        calls.delete(sequence);
        this.giveUp(sequence, waiting);
      }
    }
    for (const [sequence, { functionId, deadline, late }] of this.overdue) {
      if (deadline > now) continue;
      this.overdue.delete(sequence);
      late.gone(unanswered(functionId));
    }
    this.dispatchNext();
    this.rest();
  }

  private giveUp(sequence: number, { call, sentAt, late, reject }: Waiting): void {
    const functionId = call.function_id;
    // What is kept is not the call itself, whose payload may be large.
    if (late && sentAt !== undefined)
      this.overdue.set(sequence, { functionId, deadline: sentAt + this.lateMs, late });
    reject(sentAt === undefined ? tooBusy(functionId) : unanswered(functionId));
  }

  private rest(): void {
    if (this.inFlight.size + this.queue.size + this.overdue.size > 0) return;
    clearInterval(this.watch);
    this.watch = undefined;
  }
}

function tooBusy(functionId: string): GatewayError {
  return new GatewayError('GATEWAY_OFFLINE', `The remote engine is too busy to be sent ${functionId}`);
}

function unanswered(functionId: string): GatewayError {
  return new GatewayError('GATEWAY_TIMEOUT', `The remote engine did not answer ${functionId} in time`);
}

function lost({ sentAt, call }: Waiting, cause: Error): GatewayError {
  if (sentAt !== undefined) return outcomeUnknown(call.function_id, cause);
  return new GatewayError('GATEWAY_OFFLINE', `The link to the remote engine was lost`, { cause });
}

function outcomeUnknown(functionId: string, cause: Error): GatewayError {
  return new GatewayError(
    'GATEWAY_OUTCOME_UNKNOWN',
    `The link to the remote engine was lost before it answered ${functionId}; it may have been executed`,
    { cause },
  );
}
