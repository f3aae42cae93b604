import { EventEmitter } from 'node:events';
import CircuitBreaker from 'opossum';
import { GatewayError } from '../errors.js';
import type { InvocationResult } from '../protocol/messages.js';
import { Payload } from '../protocol/payload.js';
import type { LateAnswer, RemoteCall } from './calls.js';
import type { RemoteLink } from './link.js';

export type BreakerState = 'closed' | 'open' | 'half-open';

export interface BreakerOptions {
  /** The share of failed calls, in percent, at which it opens. */
  errorPercent: number;
  /** Calls below which it never opens. */
  minCalls: number;
  /** How long it stays open before the remote is probed. */
  resetMs: number;
  /** How long the probe waits for its answer. */
  patienceMs: number;
  /** What the probe carries: the mark of this gateway. */
  metadata?: Payload | undefined;
  /** 0 up to 1: how much of its share a probe is put off, so that gateways do not probe at once. */
  random: () => number;
}

/** The calls of this long, up to now, decide. */
const WINDOW_MS = 5000;
/** Up to this share of `resetMs` a probe is put off. */
const JITTER = 0.2;

type Outcome = 'answered' | 'failed';

/**
 * Keeps calls from a remote that does not answer: while it is open they fail at once, and never touch the link.
 *
 * It counts outcomes, not calls: the circuit is told how each call ended, and callers get the link's own promise. So
 * calls still under way do not thin out the failures, and what says nothing about the remote is not counted at all.
 * Only silence and a lost connection are failures; an error that the engine answered is an answer.
 *
 * Emits `state` at every change, and `available` when calls can go out again.
 */
export class Breaker extends EventEmitter<{ state: [BreakerState]; available: [] }> {
  private circuit: CircuitBreaker<[Outcome], void>;
  private current: BreakerState = 'closed';
  private timesOpened = 0;
  private stopped = false;
  private jitter: NodeJS.Timeout | undefined;
  private readonly onLinkOpen = () => this.close();

  constructor(
    private readonly link: Pick<RemoteLink, 'call' | 'away' | 'isWithinReach' | 'on' | 'off'>,
    private readonly options: BreakerOptions,
  ) {
    super();
    this.circuit = this.createCircuit();
    link.on('open', this.onLinkOpen); // a new connection is proof of life
  }

  get state(): BreakerState {
    return this.current;
  }

  /** How often it opened; a probe that failed does not open it anew. */
  get opened(): number {
    return this.timesOpened;
  }

  /** A call made now would go out. */
  get available(): boolean {
    return this.current === 'closed' && !this.stopped && this.link.isWithinReach;
  }

  /**
   * Calls a function of the remote, as the link does.
   * @throws GatewayError as `RemoteLink.call` does; `GATEWAY_OFFLINE` at once while it is not closed, or the link is
   * known to be down.
   */
  call(call: RemoteCall, deadlineMs: number, late?: LateAnswer): Promise<InvocationResult> {
    if (!this.link.isWithinReach) return Promise.reject(this.link.away());
    if (this.current !== 'closed' || this.stopped) return Promise.reject(notAnswering());
    const answer = this.link.call(call, deadlineMs, late);
    answer.then(this.noteAnswer, this.noteError);
    return answer;
  }

  /** For good: nothing is probed any more, and no timer is left. */
  stop(): void {
    this.stopped = true;
    clearTimeout(this.jitter);
    this.link.off('open', this.onLinkOpen);
    this.circuit.shutdown();
  }

  private readonly noteAnswer = (): void => {
    if (this.circuit.closed) void this.circuit.fire('answered');
  };

  private readonly noteError = (error: unknown): void => {
    if (this.circuit.closed && saysThatTheRemoteIsSilent(error)) this.circuit.fire('failed').catch(() => {});
  };

  /** A fresh circuit, which knows nothing of failures before. */
  private createCircuit(): CircuitBreaker<[Outcome], void> {
    const { errorPercent, minCalls, resetMs } = this.options;
    const circuit = new CircuitBreaker<[Outcome], void>(settle, {
      timeout: false,
      rollingPercentilesEnabled: false, // they copy and sort every call's time at every failure
      enableSnapshots: false,
      rollingCountTimeout: WINDOW_MS,
      errorThresholdPercentage: errorPercent - 0.001, // it opens above its threshold, we at ours
      volumeThreshold: minCalls,
      resetTimeout: resetMs,
    });
    circuit.on('open', () => this.hasOpened());
    circuit.on('halfOpen', () => this.probeSoon());
    return circuit;
  }

  private hasOpened(): void {
    if (this.current === 'closed') this.timesOpened += 1;
    this.become('open');
  }

  private close(): void {
    clearTimeout(this.jitter);
    this.circuit.shutdown();
    this.circuit = this.createCircuit();
    this.become('closed');
    if (this.available) this.emit('available');
  }

  private probeSoon(): void {
    if (!this.link.isWithinReach) {
      this.circuit.open(); // there is nobody to probe; the next connection closes it
      return;
    }
    this.become('half-open');
    const delayMs = this.options.random() * JITTER * this.options.resetMs;
    this.jitter = setTimeout(() => void this.probe(), delayMs).unref();
  }

  /** Any answer is proof of life. */
  private async probe(): Promise<void> {
    const { circuit } = this;
    const answered = await this.link.call(probeCall(this.options.metadata), this.options.patienceMs).then(
      () => true,
      () => false,
    );
    if (this.stopped || circuit !== this.circuit) return; // a new connection has answered the question
    if (answered) this.close();
    else circuit.open();
  }

  private become(state: BreakerState): void {
    if (this.current === state) return;
    this.current = state;
    this.emit('state', state);
  }
}

const settled = Promise.resolve();
const failure = new Error('failed');

/** What the circuit guards: it is over already. A failure is thrown, so that the circuit opens within the call. */
function settle(outcome: Outcome): Promise<void> {
  if (outcome === 'failed') throw failure;
  return settled;
}

function saysThatTheRemoteIsSilent(error: unknown): boolean {
  if (!(error instanceof GatewayError)) return false;
  return error.code === 'GATEWAY_TIMEOUT' || error.code === 'GATEWAY_OUTCOME_UNKNOWN';
}

function probeCall(metadata: Payload | undefined): RemoteCall {
  return {
    function_id: 'state::get',
    data: Payload.of({ scope: 'iii-state-gateway', key: 'probe' }),
    metadata,
  };
}

function notAnswering(): GatewayError {
  return new GatewayError(
    'GATEWAY_OFFLINE',
    'The remote engine does not answer: nothing is sent to it until a probe is answered',
  );
}
