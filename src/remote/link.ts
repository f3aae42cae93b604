import { EventEmitter, once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import pRetry from 'p-retry';
import { GatewayError, toErrorBody } from '../errors.js';
import type { Service } from '../lifecycle.js';
import type { Logger } from '../logger.js';
import type {
  InvocationResult,
  InvokeFunction,
  Message,
  RegistrationRejected,
} from '../protocol/messages.js';
import type { Payload } from '../protocol/payload.js';
import { MAX_MESSAGE_BYTES } from '../protocol/text-frames.js';
import { Calls, type LateAnswer, type RemoteCall } from './calls.js';
import { type Connection, type EngineMessage, openConnection } from './connection.js';
import { helloFrames, type PreviousSession } from './hello.js';
import type { ObserverState } from './observer-state.js';
import { describeStatus, type LinkStatus } from './status.js';
import type { TransportOptions } from './transport.js';

export interface LinkOptions extends TransportOptions {
  /** Our worker name at the remote: unique, and the same after a restart. */
  workerName: string;
  version: string;
  /** Calls sent and unanswered at a time. */
  window: number;
  /** How long after sending a late answer is waited for; 30 000 unless given. */
  lateMs?: number | undefined;
  /** First and longest wait between attempts, in ms; each is jittered. */
  reconnectMs: readonly [first: number, longest: number];
}

/** What the link remembers across connections and restarts, so that it can ask for its place back. */
export interface SessionMemory {
  recall(): PreviousSession | undefined;
  remember(session: PreviousSession): void;
}

/** One successful open of the link. */
export interface Epoch {
  /** New for every open, never the same again. */
  id: string;
  /** Our worker id on this connection. */
  workerId: string;
  /** What the engine says it can do (observe 2.1). */
  features: readonly string[];
  /** The engine gives tokens, so that a later connection can have this one's place made free. */
  reattachable: boolean;
  /** Our worker id on the connection before, whose place we asked for. */
  previousWorkerId?: string;
}

/** A remote that is frozen does not hold up our end for longer than this. */
const GOODBYE_MS = 1000;

/** Answers the remote's call of a function of ours. */
export type Answer = (call: InvokeFunction) => Payload | undefined | Promise<Payload | undefined>;

/**
 * Our place as a worker of the remote engine: it outlives its connections, and reconnects for ever.
 * Emits `status` at every change and `open` once the engine knows us; what hangs on a connection (functions,
 * subscriptions) is registered again by whoever owns it, on `open`. `observer` is what became of an observer.
 */
export class RemoteLink
  extends EventEmitter<{ status: [LinkStatus]; open: [Epoch]; observer: [ObserverState] }>
  implements Service
{
  readonly name = 'link';
  private current: LinkStatus = { state: 'closed' };
  private connection: Connection | undefined;
  private currentEpoch: Epoch | undefined;
  /** The very first attempt to connect is over, well or not. */
  private tried = false;
  private readonly calls: Calls;
  private readonly functions = new Map<string, Answer>();
  private readonly stopping = new AbortController();
  /** Ends the connection without a word, or the attempt to make one. */
  private readonly dropping = new AbortController();
  private running: Promise<void> | undefined;

  constructor(
    private readonly options: LinkOptions,
    private readonly memory: SessionMemory,
    private readonly randomUuid: () => string,
    private readonly logger: Logger,
  ) {
    super();
    this.setMaxListeners(0); // every call that waits for the first connection listens
    this.calls = new Calls(
      randomUuid(),
      options.window,
      () => performance.now(), // a clock that nobody sets
      (id, call) => this.connection?.sendCall(id, call),
      options.lateMs,
    );
  }

  get status(): LinkStatus {
    return this.current;
  }

  /** A call made now has a chance: the link is open, or nobody knows yet because it was never tried before. */
  get isWithinReach(): boolean {
    return this.isOpen || (this.current.state === 'connecting' && !this.tried);
  }

  /** The open connection; undefined: there is none. */
  get epoch(): Epoch | undefined {
    return this.isOpen ? this.currentEpoch : undefined;
  }

  /** Calls that wait for the remote: for its answer, or for their turn. */
  get callsUnderWay(): number {
    return this.calls.underWay;
  }

  /** Begins to connect; it does not wait for the remote, which may be away. */
  async start(): Promise<void> {
    this.running ??= this.run().catch((error: unknown) => {
      if (!this.stopping.signal.aborted)
        this.refuse(error instanceof Error ? error : new Error(String(error)));
    });
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    this.connection?.close();
    const impatient = setTimeout(() => this.dropping.abort(), this.connection ? GOODBYE_MS : 0);
    await this.running;
    clearTimeout(impatient);
    if (this.current.state !== 'refused' && this.current.state !== 'closed') this.become({ state: 'closed' });
  }

  /** Gives the remote up for good: it turned out to be one that we must not talk to. */
  refuse(cause: Error): void {
    this.become({ state: 'refused', cause });
    this.stopping.abort();
    this.dropping.abort();
  }

  /**
   * Calls a function of the remote. Resolves with the remote's answer, error answers included. While the link is
   * known to be down it fails at once; a first attempt to connect is waited for, within the deadline. `late` is told
   * of an answer that comes after the deadline, or that it will not come.
   * @throws GatewayError as `Calls.start` does; `GATEWAY_TOO_LARGE` for one that would cost everybody the connection.
   */
  call(call: RemoteCall, deadlineMs: number, late?: LateAnswer): Promise<InvocationResult> {
    if (isTooLarge(call)) return Promise.reject(tooLarge(call));
    if (this.isOpen) return this.calls.start(call, deadlineMs, late);
    const isFirstAttempt = this.current.state === 'connecting' && this.current.attempt === 1;
    return isFirstAttempt ? this.callOnceOpen(call, deadlineMs, late) : Promise.reject(this.away());
  }

  /** What a call that cannot be sent ends with. */
  away(): GatewayError {
    return new GatewayError('GATEWAY_OFFLINE', `The remote engine is away: ${describeStatus(this.current)}`);
  }

  /** Sends a message that belongs to this connection, such as a registration; it is lost with the connection. */
  send(message: Message): void {
    this.connection?.send(message);
  }

  /** Answers the remote's calls of this function id, until `unserve`. */
  serve(functionId: string, answer: Answer): void {
    this.functions.set(functionId, answer);
  }

  unserve(functionId: string): void {
    this.functions.delete(functionId);
  }

  private get isOpen(): boolean {
    return this.current.state === 'open';
  }

  private async callOnceOpen(
    call: RemoteCall,
    deadlineMs: number,
    late: LateAnswer | undefined,
  ): Promise<InvocationResult> {
    const startedAt = Date.now();
    await once(this, 'status', { signal: AbortSignal.timeout(deadlineMs) }).catch(() => undefined);
    if (!this.isOpen) throw this.away();
    return this.calls.start(call, deadlineMs - (Date.now() - startedAt), late);
  }

  private async run(): Promise<void> {
    const [first, longest] = this.options.reconnectMs;
    const { signal } = this.stopping;
    while (!signal.aborted) {
      const connection = await pRetry((attempt) => this.connect(attempt), {
        retries: Number.POSITIVE_INFINITY,
        minTimeout: first,
        maxTimeout: longest,
        randomize: true,
        signal,
        onFailedAttempt: ({ error, attemptNumber }) => {
          if (!signal.aborted) this.become({ state: 'waiting', attempt: attemptNumber, cause: error });
        },
      });
      const cause = await connection.closed;
      this.connection = undefined;
      // Before the calls end: whoever hears of it and calls again is not to find an open link.
      if (this.isOpen)
        this.become(signal.aborted ? { state: 'closed' } : { state: 'waiting', attempt: 0, cause });
      this.calls.fail(cause);
      if (signal.aborted) return;
      await delay(first * (1 + Math.random()), undefined, { signal });
    }
  }

  private async connect(attempt: number): Promise<Connection> {
    this.become({ state: 'connecting', attempt });
    const connection = await openConnection(
      this.options,
      (message) => this.receive(message),
      this.dropping.signal,
    );
    if (this.stopping.signal.aborted) {
      connection.terminate();
      return connection;
    }
    const { worker_id: workerId, reattach_token: reattachToken, features = [] } = connection.greeting;
    this.connection = connection;
    const { workerName, version } = this.options;
    const previous = this.memory.recall();
    for (const frame of helloFrames(workerName, version, previous)) connection.send(frame);
    this.memory.remember({ workerId, ...(reattachToken !== undefined && { reattachToken }) });
    const epoch: Epoch = {
      id: this.randomUuid(),
      workerId,
      features,
      reattachable: reattachToken !== undefined,
      ...(previous && { previousWorkerId: previous.workerId }),
    };
    this.currentEpoch = epoch;
    this.become({ state: 'open', since: Date.now(), epoch: epoch.id });
    this.emit('open', epoch);
    return connection;
  }

  private receive(message: EngineMessage): void {
    switch (message.type) {
      case 'invocationresult':
        this.calls.settle(message);
        return;
      case 'invokefunction':
        void this.answer(message);
        return;
      case 'registrationrejected':
        this.logger.error(
          { code: message.code, function_id: message.function_id, owner: message.owner_worker_id },
          `the remote engine refused our registration: ${reasonOf(message)}`,
        );
        return;
      case 'triggerregistrationresult':
        if (message.error)
          this.logger.warn({ error: message.error }, 'the remote engine refused a trigger of ours');
        return;
      case 'observerstate':
        if (message.error)
          this.logger.warn({ error: message.error }, 'the remote engine refused an observer of ours');
        this.emit('observer', message);
        return;
      case 'ping':
        this.send({ type: 'pong' });
        return;
      default:
        return;
    }
  }

  private async answer(call: InvokeFunction): Promise<void> {
    const { invocation_id, function_id } = call;
    try {
      const serve = this.functions.get(function_id);
      if (!serve) throw new GatewayError('function_not_found', 'Function not found');
      const result = await serve(call);
      if (invocation_id === undefined) return;
      this.send({ type: 'invocationresult', invocation_id, function_id, ...(result && { result }) });
    } catch (error) {
      if (invocation_id === undefined) return;
      this.send({ type: 'invocationresult', invocation_id, function_id, error: toErrorBody(error) });
    }
  }

  private become(status: LinkStatus): void {
    this.current = status;
    if (status.state !== 'connecting') this.tried = true;
    this.emit('status', status);
  }
}

function reasonOf({ function_id, worker_name }: RegistrationRejected): string {
  if (function_id !== undefined) return `another worker offers ${function_id}`;
  return `another worker is called ${worker_name}. Give this gateway another name`;
}

/** What goes around the texts of a call: member names and ids. */
const MARGIN_BYTES = 1024;

function isTooLarge({ function_id, data, metadata, traceparent = '', baggage = '' }: RemoteCall): boolean {
  const limit = MAX_MESSAGE_BYTES - MARGIN_BYTES;
  const text = data.text.length + (metadata?.text.length ?? 0) + traceparent.length + baggage.length;
  if (text <= limit / 3) return false; // no text has more bytes than that, and nearly every call is done here
  const texts = [data.text, metadata?.text ?? '', function_id, traceparent, baggage];
  return texts.reduce((bytes, part) => bytes + Buffer.byteLength(part), 0) > limit;
}

function tooLarge({ function_id }: RemoteCall): GatewayError {
  return new GatewayError(
    'GATEWAY_TOO_LARGE',
    `This call of ${function_id} is larger than the ${MAX_MESSAGE_BYTES} bytes that the remote engine reads in one message`,
  );
}
