import { GatewayError } from '../../src/errors.js';
import type { Change } from '../../src/operations/calls.js';
import type { InvocationResult } from '../../src/protocol/messages.js';
import type { LateAnswer, RemoteCall } from '../../src/remote/calls.js';
import type { CoreRemote } from '../../src/replication/core.js';
import type { RemoteCaller } from '../../src/replication/remote-caller.js';
import type { SimulatedEngine } from './engine.js';
import type { Execution } from './engine-state.js';
import type { Random } from './random.js';
import type { Timeline } from './timeline.js';

/** A call that was sent. */
interface Sent {
  functionId: string;
  late: LateAnswer | undefined;
  /** Its caller has been told that it waits no longer. */
  isOverdue: boolean;
  resolve(answer: InvocationResult): void;
  reject(error: GatewayError): void;
}

interface Connection {
  workerId: string;
  openedAt: number;
  isKnown: boolean;
  followed: Set<string>;
  /** Sent and neither answered nor given up. */
  sent: Set<Sent>;
}

export interface LinkListener {
  opened(epoch: string): void;
  closed(): void;
  /** Calls can go out again. */
  available(): void;
  /** The remote told of a change. */
  told(change: Change): void;
}

export interface LinkOptions {
  /** How long after sending a late answer is waited for. */
  lateMs: number;
  /** Failed calls in a row at which the breaker opens, and for how long. */
  breakerFailures: number;
  breakerMs: number;
  /** How long one way over the network takes at most. */
  networkMs: number;
  earlierWorkerId: string | undefined;
  isAlive: () => boolean;
  /** A new one for every connection. */
  workerId: () => string;
}

const HEARTBEAT_MS = 10_000;
/** How late a change may be told. */
export const FEED_MS = 50;

/** The gateway's place at the remote, and the breaker before it: as the real ones, but of simulated time. */
export class SimulatedLink implements RemoteCaller, CoreRemote {
  listener: LinkListener | undefined;
  private connection: Connection | undefined;
  private tried = false;
  private waitingForFirst: (() => void)[] = [];
  private isStopped = false;
  private failures = 0;
  private isBreakerOpen = false;
  private knownWaiters: (() => void)[] = [];
  wasEverOpen = false;

  constructor(
    private readonly timeline: Timeline,
    private readonly random: Random,
    private readonly engine: SimulatedEngine,
    private readonly options: LinkOptions,
    private readonly trace: (line: () => string) => void,
  ) {}

  start(): void {
    this.later(this.random.between(1, 50), () => this.attempt());
  }

  get available(): boolean {
    return !this.isStopped && !this.isBreakerOpen && (this.connection !== undefined || !this.tried);
  }

  get callsUnderWay(): number {
    return [...(this.connection?.sent ?? [])].filter(({ isOverdue }) => !isOverdue).length;
  }

  get workerId(): string | undefined {
    return this.connection?.workerId;
  }

  get openedAt(): number | undefined {
    return this.connection?.openedAt;
  }

  get earlierWorkerId(): string | undefined {
    return this.options.earlierWorkerId;
  }

  get fenceable(): boolean {
    return this.connection?.isKnown === true && this.engine.manners.adapter === 'kv';
  }

  get answersEndCalls(): boolean {
    return this.fenceable;
  }

  get nullIsAbsent(): boolean {
    return !this.fenceable;
  }

  get knowsReceipts(): boolean {
    return this.connection?.isKnown === true && this.engine.manners.knowsReceipts;
  }

  get comparesAndSets(): boolean {
    return this.connection?.isKnown === true && this.engine.manners.comparesAndSets;
  }

  /** Whether changes of a scope are told over this connection from now on: as by a remote whose adapter is `kv`. */
  follow(scope: string): boolean {
    if (this.fenceable) this.connection?.followed.add(scope);
    return this.fenceable;
  }

  async hasLeft(workerId: string): Promise<boolean> {
    const { connection } = this;
    return new Promise((resolve) => {
      this.later(this.random.between(2, 40), () => {
        resolve(
          connection !== undefined &&
            this.connection === connection &&
            this.engine.answers &&
            !this.engine.knows(workerId),
        );
      });
    });
  }

  /** The remote tells of a change. */
  tell(change: Change): void {
    const { connection } = this;
    if (!connection?.followed.has(change.scope)) return;
    this.later(this.random.between(1, FEED_MS), () => {
      if (this.connection === connection) this.listener?.told(change);
    });
  }

  async opened(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    while (this.connection?.isKnown !== true) {
      await new Promise<void>((resolve, reject) => {
        const abort = () => reject(signal.reason);
        signal.addEventListener('abort', abort);
        this.knownWaiters.push(() => {
          signal.removeEventListener('abort', abort);
          resolve();
        });
      });
    }
  }

  async call(call: RemoteCall, deadlineMs: number, late?: LateAnswer): Promise<InvocationResult> {
    if (!this.available) throw offline();
    if (this.connection) return this.send(this.connection, call, deadlineMs, late);
    await new Promise<void>((resolve) => {
      this.waitingForFirst.push(resolve);
      this.later(deadlineMs, resolve);
    });
    if (!this.connection) throw offline();
    return this.send(this.connection, call, deadlineMs, late);
  }

  /** The connection ends without a word. What is on its way may arrive or not. */
  cut(): void {
    const { connection } = this;
    if (!connection) return;
    this.trace(() => `connection ${connection.workerId} ends`);
    this.connection = undefined;
    this.engine.connectionEnded(connection.workerId);
    this.listener?.closed();
    for (const { functionId, isOverdue, late, reject } of connection.sent) {
      const error = outcomeUnknown(functionId);
      if (isOverdue) late?.gone(error);
      else reject(error);
      this.count(true);
    }
    connection.sent.clear();
    this.later(this.random.between(100, 3000), () => this.attempt());
  }

  stop(): void {
    this.isStopped = true;
    this.cut();
  }

  /** The process is gone. */
  died(): void {
    if (this.connection) this.engine.connectionEnded(this.connection.workerId);
  }

  private attempt(): void {
    if (this.isStopped || this.connection) return;
    if (!this.engine.answers) {
      this.later(this.random.between(500, 4000), () => this.attempt());
      this.firstTried();
      return;
    }
    const workerId = this.options.workerId();
    const connection: Connection = {
      workerId,
      openedAt: this.timeline.now,
      isKnown: false,
      followed: new Set(),
      sent: new Set(),
    };
    this.connection = connection;
    this.wasEverOpen = true;
    this.engine.welcome(workerId);
    this.trace(() => `connection ${workerId} opens`);
    this.firstTried();
    this.listener?.opened(workerId);
    this.closeBreaker();
    this.later(this.random.between(2, 60), () => this.learn(connection));
    this.watch(connection);
  }

  private firstTried(): void {
    this.tried = true;
    const { waitingForFirst } = this;
    this.waitingForFirst = [];
    for (const go of waitingForFirst) go();
  }

  private learn(connection: Connection): void {
    if (this.connection !== connection) return;
    connection.isKnown = true;
    const { knownWaiters } = this;
    this.knownWaiters = [];
    for (const go of knownWaiters) go();
  }

  /** Heartbeats: a remote that is silent for long is given up. */
  private watch(connection: Connection, silentMs = 0): void {
    const stepMs = HEARTBEAT_MS / 4;
    this.later(stepMs, () => {
      if (this.connection !== connection) return;
      const silent = this.engine.answers ? 0 : silentMs + stepMs;
      if (silent >= HEARTBEAT_MS) this.cut();
      else this.watch(connection, silent);
    });
  }

  private send(
    connection: Connection,
    call: RemoteCall,
    deadlineMs: number,
    late: LateAnswer | undefined,
  ): Promise<InvocationResult> {
    if (!this.options.isAlive()) throw new Error('a gateway that has ended sends something');
    return new Promise((resolve, reject) => {
      const functionId = call.function_id;
      const sent: Sent = { functionId, late, isOverdue: false, resolve, reject };
      connection.sent.add(sent);
      this.later(deadlineMs, () => this.overdue(connection, sent));
      const { networkMs } = this.options;
      this.timeline.after(this.random.between(1, networkMs), () => {
        const arrives = this.connection === connection || this.random.chance(0.5);
        if (!arrives || this.engine.isDown) return;
        this.engine.receive(call, (answer, execution) => {
          this.later(this.random.between(1, networkMs), () =>
            this.answered(connection, sent, answer, execution),
          );
        });
      });
    });
  }

  private overdue(connection: Connection, sent: Sent): void {
    if (!connection.sent.has(sent)) return;
    sent.isOverdue = true;
    if (!sent.late) connection.sent.delete(sent);
    this.count(true);
    sent.reject(unanswered(sent.functionId));
    this.later(this.options.lateMs, () => {
      if (connection.sent.delete(sent)) sent.late?.gone(unanswered(sent.functionId));
    });
  }

  private answered(
    connection: Connection,
    sent: Sent,
    answer: Pick<InvocationResult, 'result' | 'error'>,
    execution: Execution | undefined,
  ): void {
    if (!connection.sent.delete(sent)) return;
    if (execution) execution.answered = true;
    const result: InvocationResult = {
      type: 'invocationresult',
      invocation_id: '',
      function_id: sent.functionId,
      ...answer,
    };
    this.count(false);
    if (sent.isOverdue) sent.late?.answered(result);
    else sent.resolve(result);
  }

  private count(isFailure: boolean): void {
    this.failures = isFailure ? this.failures + 1 : 0;
    if (this.failures < this.options.breakerFailures || this.isBreakerOpen || !this.connection) return;
    this.isBreakerOpen = true;
    this.trace(() => 'the breaker opens');
    this.probeLater();
  }

  private probeLater(): void {
    this.later(this.options.breakerMs, () => {
      if (!this.isBreakerOpen) return;
      if (this.connection && this.engine.answers) this.closeBreaker();
      else this.probeLater();
    });
  }

  private closeBreaker(): void {
    this.isBreakerOpen = false;
    this.failures = 0;
    this.listener?.available();
  }

  /** Something of this run of the gateway, which ends with it. */
  private later(ms: number, action: () => void): void {
    this.timeline.after(ms, () => {
      if (this.options.isAlive()) action();
    });
  }
}

function offline(): GatewayError {
  return new GatewayError('GATEWAY_OFFLINE', 'simulated: not sent');
}

function unanswered(functionId: string): GatewayError {
  return new GatewayError('GATEWAY_TIMEOUT', `simulated: ${functionId} was not answered`);
}

function outcomeUnknown(functionId: string): GatewayError {
  return new GatewayError(
    'GATEWAY_OUTCOME_UNKNOWN',
    `simulated: connection lost before ${functionId} was answered`,
  );
}
