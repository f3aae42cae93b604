import type { StateFunctionId } from '../../src/operations/calls.js';
import type { Json } from '../../src/protocol/json.js';
import type { InvocationResult } from '../../src/protocol/messages.js';
import type { RemoteCall } from '../../src/remote/calls.js';
import { EngineState, type Execution, markOf } from './engine-state.js';
import type { Random } from './random.js';
import type { Timeline } from './timeline.js';

export interface Manners {
  adapter: 'kv' | 'unknown';
  /** It drops a repeat of a receipt that it has taken, and answers as the first time. */
  knowsReceipts: boolean;
  /** It has `state::compare-and-set`. */
  comparesAndSets: boolean;
  /** Parts of all writes: answered with an error, and executed or not; executed or not, and never answered. */
  errors: number;
  swallows: number;
  /** How long a frame may take to be executed, mostly and at most. */
  usualMs: number;
  mostMs: number;
  /** An error's call is executed up to so many ms later (an engine that passes calls on). */
  ghostMs: number;
}

type Fate =
  | 'answered'
  | 'failed'
  | 'failed-executed'
  | 'swallowed'
  | 'swallowed-executed'
  | 'refused'
  | 'missing';

export type Respond = (
  answer: Pick<InvocationResult, 'result' | 'error'>,
  execution: Execution | undefined,
) => void;

/** The remote engine: it runs every frame as a task of its own, in any order, and never stops one. */
export class SimulatedEngine {
  readonly state: EngineState;
  /** Writes that it never answered. */
  readonly swallowed = new Set<Json | undefined>();
  private readonly workers = new Set<string>();
  /** Counts its starts: tasks die with the process. */
  private start = 0;
  isFrozen = false;
  isDown = false;
  /** The function is not there: State is being restarted. */
  isMissing = false;
  /** Due while it is frozen: first what it was at, then what has arrived. */
  private due: (() => void)[] = [];
  private arrived: (() => void)[] = [];

  constructor(
    private readonly timeline: Timeline,
    private readonly random: Random,
    readonly manners: Manners,
    trace: (line: () => string) => void,
  ) {
    this.state = new EngineState(timeline, manners.knowsReceipts, trace);
  }

  get answers(): boolean {
    return !this.isFrozen && !this.isDown;
  }

  welcome(workerId: string): void {
    this.workers.add(workerId);
  }

  /** It notices the end of a connection a little later, and not while it is frozen. */
  connectionEnded(workerId: string): void {
    this.timeline.after(this.random.between(0, 1500), () =>
      this.whenAwake(() => this.workers.delete(workerId)),
    );
  }

  knows(workerId: string): boolean {
    return this.workers.has(workerId);
  }

  freeze(): void {
    this.isFrozen = true;
  }

  thaw(): void {
    this.isFrozen = false;
    const waited = [...this.due, ...this.arrived];
    this.due = [];
    this.arrived = [];
    for (const go of waited) go();
  }

  /** The process ends, and its newest writes with it; nothing that it was at goes on. */
  stop(forgets: number): void {
    this.isDown = true;
    this.start += 1;
    this.workers.clear();
    this.due = [];
    this.arrived = [];
    this.isFrozen = false;
    this.state.forget(forgets);
  }

  restart(): void {
    this.isDown = false;
  }

  /** A frame has arrived. */
  receive(call: RemoteCall, respond: Respond, wasHeldUp = false): void {
    if (this.isFrozen) {
      this.arrived.push(() => this.receive(call, respond, true));
      return;
    }
    const { start } = this;
    const { usualMs, mostMs, ghostMs } = this.manners;
    const isRead = call.function_id === 'state::get';
    const fate = isRead ? 'answered' : this.fateOf(call);
    const run = (ms: number, action: () => void) =>
      this.timeline.after(ms, () => {
        if (this.start === start) this.whenAwake(() => this.start === start && action());
      });
    const execute = () => this.state.execute(call);
    const isLate = wasHeldUp || this.random.chance(0.2);
    const lateness = isLate ? this.random.between(0, mostMs) : this.random.between(0, usualMs);
    switch (fate) {
      case 'answered':
        run(lateness, () => {
          const { answer, execution } = execute();
          respond(answer, execution);
        });
        return;
      case 'swallowed':
        this.swallowed.add(markOf(call, 'write'));
        return;
      case 'swallowed-executed':
        this.swallowed.add(markOf(call, 'write'));
        run(lateness, execute);
        return;
      case 'failed':
        run(lateness, () => respond({ error: { code: 'SET_ERROR', message: 'simulated' } }, undefined));
        return;
      case 'failed-executed': {
        const later = ghostMs > 0 ? this.random.between(0, ghostMs) : 0;
        run(lateness, () => {
          if (later === 0) execute();
          respond({ error: { code: 'SET_ERROR', message: 'simulated' } }, undefined);
        });
        if (later > 0) run(lateness + later, execute);
        return;
      }
      case 'refused':
        run(lateness, () => respond({ error: { code: 'VALUE_TOO_LARGE', message: 'simulated' } }, undefined));
        return;
      case 'missing':
        run(lateness, () =>
          respond({ error: { code: 'function_not_found', message: 'simulated' } }, undefined),
        );
    }
  }

  /** Somebody else writes. */
  writeElsewhere(functionId: StateFunctionId, payload: RemoteCall['data']): void {
    if (!this.answers) return;
    this.state.execute({ function_id: functionId, data: payload });
  }

  private fateOf(call: RemoteCall): Fate {
    if (this.isMissing) return 'missing';
    if (markOf(call, 'refuse') === true) return 'refused';
    const { errors, swallows } = this.manners;
    if (this.random.chance(errors)) return this.random.chance(0.5) ? 'failed' : 'failed-executed';
    if (this.random.chance(swallows)) return this.random.chance(0.5) ? 'swallowed' : 'swallowed-executed';
    return 'answered';
  }

  private whenAwake(action: () => void): void {
    if (this.isFrozen) this.due.push(action);
    else action();
  }
}
