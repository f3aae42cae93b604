import { setImmediate as nextTurn } from 'node:timers/promises';
import { Payload } from '../../src/protocol/payload.js';
import type { Core } from '../../src/replication/core.js';
import type { CallFunction } from '../../src/replication/replay/conflict-function.js';
import { Callers } from './callers.js';
import { SimulatedDisk } from './disk.js';
import { SimulatedEngine } from './engine.js';
import { markOf } from './engine-state.js';
import { GATEWAY_ID, type Ground, SimulatedGateway } from './gateway.js';
import { History } from './history.js';
import { violationsAtTheEnd } from './invariants/all.js';
import { accountsAddUp, HeldLanesWait, mirrorKnowsThePast } from './invariants/now.js';
import { type EndOfRun, type Plan, type PlannedKey, planOf } from './plan.js';
import { Random } from './random.js';
import { RESTART_MS, Storm } from './storm.js';
import { Timeline } from './timeline.js';

export interface Outcome {
  seed: number;
  /** Promises that were not kept; empty: all were. */
  violations: string[];
  /** Filled only when asked for. */
  trace: string[];
  events: number;
  /** Equal for two runs of one seed. */
  digest: string;
}

export interface SimulationOptions {
  isTraced?: boolean;
  /** Changes the parts of each run of the gateway once they are built. */
  plant?: (core: Core) => void;
}

/** How long after the last fault everything must be settled. */
const HEALING_MS = 240_000;
/** How long frames of before may still be executed on some remotes, and what is learnt last waits to be written. */
const COOLING_MS = 60_000;
const OPERATOR_MS = 7000;

/** Runs what follows from a seed, and checks all promises. */
export async function simulate(seed: number, options: SimulationOptions = {}): Promise<Outcome> {
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => unhandled.push(reason);
  const others = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection').on('unhandledRejection', note);
  try {
    const outcome = await new Simulation(planOf(seed), options).run();
    await nextTurn(); // what nobody handles is told only when nothing else is to be done
    outcome.violations.push(...unhandled.map((reason) => `no error is thrown: ${stackOf(reason)}`));
    return outcome;
  } finally {
    process.off('unhandledRejection', note);
    for (const other of others) process.on('unhandledRejection', other);
  }
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

class Simulation {
  private readonly random: Random;
  private readonly timeline: Timeline;
  private readonly disk: SimulatedDisk;
  private readonly engine: SimulatedEngine;
  private readonly history: History;
  private readonly storm: Storm;
  private readonly heldLanes: HeldLanesWait;
  private readonly callers: Callers;
  private readonly ground: Ground;
  private readonly trace: string[] = [];
  private violations: string[] = [];
  private gateway: SimulatedGateway | undefined;
  /** It is starting or stopping. */
  private isChanging = false;
  private runs = 0;
  private workers = 0;
  /** Entries that the disk failed to take, and may hold all the same. */
  private readonly doubtful = new Map<number, number>();
  private lastWorkerId: string | undefined;

  constructor(
    private readonly plan: Plan,
    private readonly options: SimulationOptions,
  ) {
    this.random = new Random(plan.seed ^ 0x5eed);
    this.timeline = new Timeline(this.random.fork());
    this.disk = new SimulatedDisk(this.timeline, this.random.fork());
    const trace = (line: () => string) => {
      if (options.isTraced) this.trace.push(`${String(this.timeline.elapsed).padStart(7)} ms  ${line()}`);
    };
    this.engine = new SimulatedEngine(this.timeline, this.random.fork(), plan.manners, trace);
    this.history = new History(plan, this.engine);
    this.storm = new Storm({
      engine: this.engine,
      disk: this.disk,
      timeline: this.timeline,
      gateway: () => this.gateway,
      end: (how, ms) => void this.end(how, ms),
      forgets: () => {
        this.history.hasForgotten = true;
      },
    });
    this.engine.state.executed = (change) => {
      this.gateway?.link.tell(change);
      this.storm.hasExecuted();
    };
    this.heldLanes = new HeldLanesWait(this.history);
    const present = () => {
      const { gateway, isChanging, runs } = this;
      return gateway && !isChanging ? { running: gateway, run: runs } : undefined;
    };
    this.callers = new Callers(this.timeline, this.history, present, trace);
    this.ground = {
      plan,
      timeline: this.timeline,
      random: this.random,
      disk: this.disk,
      engine: this.engine,
      trace,
      decide: this.decide,
      touch: (core) => this.touch(core),
    };
  }

  async run(): Promise<Outcome> {
    const { plan, timeline, history } = this;
    this.ground.trace(() => `the plan: ${JSON.stringify(plan)}`);
    for (const { scope, key, initial: value } of plan.keys) {
      if (value !== undefined) this.engine.writeElsewhere('state::set', Payload.of({ scope, key, value }));
    }
    await this.start();
    for (const fault of plan.faults)
      this.later(fault.at, `fault: ${JSON.stringify(fault)}`, () => this.storm.strike(fault));
    for (const { at, key } of plan.elsewhere) timeline.after(at, () => this.writeElsewhere(key));
    this.later(plan.stormMs, 'the storm is over', () => this.storm.heal());
    timeline.after(OPERATOR_MS, () => void this.operate());
    let areCallersDone = false;
    Promise.all(plan.callers.map((steps) => this.callers.play(steps))).then(() => {
      areCallersDone = true;
    });
    await this.until(() => areCallersDone && this.isSettled, plan.stormMs + HEALING_MS);
    if (this.violations.length === 0) await this.finish();
    this.gateway?.crash();
    return {
      seed: plan.seed,
      violations: this.violations,
      trace: this.trace,
      events: timeline.events,
      digest: `${timeline.events} ${timeline.elapsed} ${history.executions.length} ${this.random.next()}`,
    };
  }

  private later(ms: number, what: string, action: () => void): void {
    this.timeline.after(ms, () => {
      this.ground.trace(() => what);
      action();
    });
  }

  /** Everything is settled, and every key takes a write again; then all is judged. */
  private async finish(): Promise<void> {
    const { plan, timeline, history } = this;
    for (const key of plan.keys) {
      let isDone = false;
      this.callers.write(key, 'set').then(() => {
        isDone = true;
      });
      await this.until(() => isDone && this.isSettled, HEALING_MS);
    }
    const cooled = timeline.elapsed + COOLING_MS;
    await this.until(() => timeline.elapsed >= cooled, Number.POSITIVE_INFINITY);
    const { gateway } = this;
    if (this.violations.length > 0 || !gateway) return;
    for (const { told, number, hasFailed } of history.writes.slice(-plan.keys.length)) {
      const isWell = told?.kind === 'result' || hasFailed; // a write to the disk that was under way may fail yet
      if (!isWell) this.violations.push(`liveness: write ${number} is ${JSON.stringify(told)}`);
    }
    history.conflictsWon = gateway.core.log.book.conflictsWon;
    for (const write of history.writes) {
      // The last that is known: a crash may have taken what an operator had just sent again.
      for (const seq of write.seqs) {
        const receipt = await gateway.control.receipt(`${GATEWAY_ID}-${seq}`).catch(() => undefined);
        // What was never on the disk may be another write's number by now.
        const isIts = receipt?.scope === write.key.scope && receipt.key === write.key.key;
        if (isIts) write.receipt = receipt;
      }
    }
    this.violations.push(...violationsAtTheEnd(history, gateway));
  }

  private get isSettled(): boolean {
    const { gateway, isChanging, timeline, plan } = this;
    if (!gateway || isChanging || timeline.elapsed <= plan.stormMs || !this.engine.answers) return false;
    return gateway.core.log.isEmpty && gateway.core.log.book.held === 0 && !gateway.isBroken;
  }

  /** Lets things happen until it is so, or a promise is broken. */
  private async until(isSo: () => boolean, withinMs: number): Promise<void> {
    const { timeline } = this;
    const deadline = timeline.elapsed + withinMs;
    while (!isSo() && this.violations.length === 0) {
      if (timeline.elapsed > deadline) {
        const left = this.gateway?.core.log.book.entries;
        this.violations.push(
          `drains-by-itself: after ${withinMs} ms ${left} writes are in the log, or callers wait`,
        );
        return;
      }
      try {
        await timeline.step();
        this.check();
      } catch (error) {
        this.violations.push(`no error is thrown: ${stackOf(error)}`);
      }
    }
  }

  private check(): void {
    const { gateway, history } = this;
    if (!gateway || gateway.isOver) return;
    this.violations = [
      ...accountsAddUp(gateway),
      ...mirrorKnowsThePast(history, gateway),
      ...this.heldLanes.check(gateway),
    ];
  }

  private async start(): Promise<void> {
    this.isChanging = true;
    this.runs += 1;
    this.ground.trace(() => `the gateway starts, run ${this.runs}`);
    this.gateway = await SimulatedGateway.start(this.ground, this.runs, this.lastWorkerId, () => {
      this.workers += 1;
      this.lastWorkerId = `worker-${this.workers}`;
      return this.lastWorkerId;
    });
    this.isChanging = false;
  }

  /** Notes which entry of the log is which write. */
  private touch(core: Core): void {
    this.options.plant?.(core);
    const { log } = core;
    for (const [seq, number] of this.doubtful) {
      const entry = log.entry(seq);
      if (entry && markOf(entry.write, 'write') === number) this.history.enter(number, seq);
    }
    this.doubtful.clear();
    for (const method of ['append', 'putFirst'] as const) {
      const append = log[method].bind(log);
      log[method] = (...given) => {
        const appended = append(...given);
        const { seq, sent, write } = appended.entry;
        const number = Number(markOf(write, 'write'));
        this.history.enter(number, seq);
        this.ground.trace(() => `write ${number} goes into the log as ${seq}${sent ? ', sent' : ''}`);
        appended.durable.catch(() => {
          this.history.leave(number, seq);
          this.doubtful.set(seq, number);
        });
        return appended;
      };
    }
  }

  private async end(how: EndOfRun, ms: number): Promise<void> {
    const { gateway } = this;
    if (!gateway || gateway.isOver || this.isChanging) return;
    this.isChanging = true;
    this.ground.trace(() => `the gateway ends: ${how}`);
    if (how === 'stopped')
      await gateway.stop().catch(() => undefined); // the disk has failed
    else gateway.crash();
    this.disk.crash(how === 'power-cut' ? 'power-cut' : 'killed');
    this.history.ends.push({ at: this.timeline.now, how });
    this.gateway = undefined;
    this.timeline.after(ms, () => void this.start());
  }

  /** An operator decides about what is in quarantine, now and then. */
  private async operate(): Promise<void> {
    this.timeline.after(OPERATOR_MS, () => void this.operate());
    const { gateway } = this;
    if (gateway?.isBroken) void this.end('stopped', RESTART_MS);
    if (!gateway || this.isChanging || gateway.core.log.book.held === 0) return;
    for (const { seq, reason } of await gateway.control.listQuarantine()) {
      const isRetried = reason !== 'unknown' && this.random.chance(0.3);
      this.ground.trace(() => `an operator ${isRetried ? 'retries' : 'drops'} ${seq}`);
      const decided = isRetried
        ? gateway.control.retryQuarantined(seq)
        : gateway.control.dropQuarantined(seq);
      await decided.catch(() => undefined); // the disk has failed
    }
  }

  private writeElsewhere({ scope, key }: PlannedKey): void {
    const value = { id: -this.timeline.elapsed, n: 0, list: [] };
    if (this.random.chance(0.2)) this.engine.writeElsewhere('state::delete', Payload.of({ scope, key }));
    else this.engine.writeElsewhere('state::set', Payload.of({ scope, key, value }));
  }

  /** A worker's function that decides about a conflict, badly at times. */
  private readonly decide: CallFunction = async () => {
    const { random, timeline } = this;
    const thinksMs = random.pick([1, 500, 20_000]);
    await new Promise<void>((resolve) => timeline.after(thinksMs, resolve));
    if (random.chance(0.1)) throw new Error('simulated');
    const decision = random.pick(['local', 'remote', 'park', 'value']);
    return Payload.of(
      decision === 'value' ? { value: { id: -timeline.elapsed, n: 0, list: [] } } : { decision },
    );
  };
}
