import type { WebSocket } from 'ws';
import { type ErrorBody, toErrorBody } from '../../src/errors.js';
import type { Change, StateFunctionId } from '../../src/operations/calls.js';
import { decodeInput } from '../../src/operations/inputs.js';
import { isObject, type Json, type JsonObject, member, parseJson } from '../../src/protocol/json.js';
import { Payload } from '../../src/protocol/payload.js';
import { type Frame, FrameLog } from './frame-log.js';
import { type FaultOrder, Faults, type ReceivedCall, type Which } from './remote-faults.js';
import { RemoteNetwork } from './remote-network.js';
import { type Executed, type JournalEntry, RemoteState } from './remote-state.js';
import { RemoteWorker, watches } from './remote-worker.js';

export interface UnreliableRemoteOptions {
  /** What `configuration::get` tells; `untold` is an engine without that function. Default `kv`. */
  adapter?: 'kv' | 'redis' | 'bridge' | 'unset' | 'untold';
  /** Default true; false fires no events, as the engine's own setting does. */
  triggersEnabled?: boolean;
}

/** What answers a call. */
type Answer = { result?: Payload | undefined } | { error: ErrorBody };

const STATE_FUNCTIONS: readonly string[] = [
  'state::get',
  'state::set',
  'state::delete',
  'state::update',
  'state::list',
  'state::list_groups',
];

/**
 * A remote engine over real sockets that really keeps state, and fails exactly as it is told: calls by `drop`,
 * `silent`, `delay`, `late`, `executeLate`, `refuse`, `errorButExecute`; connections by `cut`, `die`, `blackHole`;
 * memory by `forget`. Nothing happens by a timer but `delay`: what is held back is released by the test.
 */
export class UnreliableRemote extends FrameLog {
  /** Every call that arrived, in order. */
  readonly calls: ReceivedCall[] = [];
  /** Writes to one key that arrived while an earlier one, on a connection that still stood, had no answer. */
  readonly overlaps: ReceivedCall[] = [];
  /** Whether events leave before the answer to their write. */
  eventsFirst = false;
  private readonly state = new RemoteState();
  private readonly faults = new Faults();
  private readonly network = new RemoteNetwork((socket) => this.welcome(socket));
  private readonly workers = new Set<RemoteWorker>();
  private readonly unanswered = new Map<string, Set<ReceivedCall>>();
  private readonly unread: (() => void)[] = [];
  private readonly timers = new Set<NodeJS.Timeout>();
  private heldEvents: (() => void)[] | undefined;
  private eventsAreLost = false;
  private executions: { count: number; resolve: () => void }[] = [];

  private constructor(private readonly options: UnreliableRemoteOptions) {
    super();
  }

  static async start(options: UnreliableRemoteOptions = {}): Promise<UnreliableRemote> {
    const remote = new UnreliableRemote(options);
    await remote.network.open();
    return remote;
  }

  /** One that is away: its port is known, and nobody listens there before `revive`. */
  static async startAway(options: UnreliableRemoteOptions = {}): Promise<UnreliableRemote> {
    const remote = await UnreliableRemote.start(options);
    await remote.die();
    return remote;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.network.port}`;
  }

  /** Every write that was executed, in order. */
  get journal(): readonly JournalEntry[] {
    return this.state.journal;
  }

  journalOf(scope: string, key: string): JournalEntry[] {
    return this.journal.filter((entry) => entry.scope === scope && entry.key === key);
  }

  value(scope: string, key: string): Json | undefined {
    return this.state.value(scope, key);
  }

  /** The calls of a function to a key, executed or not, in order of arrival. */
  callsOf(functionId: string, scope: string, key: string): ReceivedCall[] {
    return this.calls.filter(
      (call) => call.functionId === functionId && call.scope === scope && call.key === key,
    );
  }

  /** Resolves when that many writes were executed in all. */
  executed(count: number): Promise<void> {
    if (this.journal.length >= count) return Promise.resolve();
    return new Promise((resolve) => this.executions.push({ count, resolve }));
  }

  /** How many workers are connected. */
  get connections(): number {
    return this.workers.size;
  }

  /** Somebody else changes a key, through this engine. */
  writesElsewhere(scope: string, key: string, value: Json): void {
    this.execute({ functionId: 'state::set', scope, key, value }, { connection: 'elsewhere' }).tell();
  }

  /** Somebody else deletes a key, through this engine. */
  deletesElsewhere(scope: string, key: string): void {
    this.execute({ functionId: 'state::delete', scope, key }, { connection: 'elsewhere' }).tell();
  }

  // Calls

  /** Calls that are never executed and never answered. */
  drop(which: Which = {}, times = Number.POSITIVE_INFINITY): FaultOrder {
    return this.faults.add({ kind: 'drop' }, which, times);
  }

  /** Calls that are executed and never answered. */
  silent(which: Which = {}, times = Number.POSITIVE_INFINITY): FaultOrder {
    return this.faults.add({ kind: 'silent' }, which, times);
  }

  /** Calls that are executed, and answered, after `ms`. */
  delay(ms: number, which: Which = {}, times = Number.POSITIVE_INFINITY): FaultOrder {
    return this.faults.add({ kind: 'delay', ms }, which, times);
  }

  /** Calls that are executed at once and answered when released. */
  late(which: Which = {}, times = Number.POSITIVE_INFINITY): FaultOrder {
    return this.faults.add({ kind: 'late' }, which, times);
  }

  /** Calls that are executed when released, whatever became of their connection, and never answered. */
  executeLate(which: Which = {}, times = Number.POSITIVE_INFINITY): FaultOrder {
    return this.faults.add({ kind: 'execute-late' }, which, times);
  }

  /** Calls that are answered with an error and not executed. */
  refuse(code: string, which: Which = {}, times = Number.POSITIVE_INFINITY, message?: string): FaultOrder {
    return this.faults.add({ kind: 'refuse', code, message }, which, times);
  }

  /** Calls that are answered with an error and executed all the same. */
  errorButExecute(which: Which = {}, times = Number.POSITIVE_INFINITY, code = 'SET_ERROR'): FaultOrder {
    return this.faults.add({ kind: 'error-but-execute', code }, which, times);
  }

  /** From now on every call is answered normally; what is held stays held. */
  answerNormally(): void {
    this.faults.end();
  }

  // Connections and memory

  /** Ends all connections without a word; new ones are taken. */
  cut(): void {
    this.network.cut();
    for (const worker of this.workers) this.left(worker);
  }

  /** Is gone: connections end, new ones are refused. */
  async die(): Promise<void> {
    await this.network.close();
    for (const worker of this.workers) this.left(worker);
  }

  /** Is back on the same port, with all it held or with nothing. */
  async revive(memory: 'kept' | 'lost' = 'kept'): Promise<void> {
    if (memory === 'lost') this.state.forgetEverything();
    await this.network.open();
  }

  /** Restarts without its newest writes, or without all of them. */
  forget(writes: number | 'everything'): void {
    if (writes === 'everything') this.state.forgetEverything();
    else this.state.forget(writes);
    this.cut();
  }

  /** Connections stand and can be made; nothing is read or answered, pings included. */
  blackHole(): void {
    this.network.blackHole();
  }

  /** Everything that was swallowed arrives. */
  heal(): void {
    this.network.heal();
    for (const read of this.unread.splice(0)) read();
    for (const worker of this.workers) worker.unmute();
  }

  // Events

  /** Keeps events back until `releaseEvents`. */
  holdEvents(): void {
    this.heldEvents ??= [];
  }

  /** Sends the events that were kept back, in the order of their writes or the other way round. */
  releaseEvents(order: 'as-written' | 'reversed' = 'as-written'): void {
    const held = this.heldEvents ?? [];
    this.heldEvents = undefined;
    for (const tell of order === 'reversed' ? held.reverse() : held) tell();
  }

  /** Fires no events though everything else works. */
  loseEvents(lost = true): void {
    this.eventsAreLost = lost;
  }

  /** Ends it; ending it twice is allowed. */
  async stop(): Promise<void> {
    for (const timer of this.timers) clearTimeout(timer);
    await this.die();
  }

  private welcome(socket: WebSocket): void {
    const worker = new RemoteWorker(socket, () => this.network.isBlackHole);
    this.workers.add(worker);
    socket.on('close', () => this.left(worker));
    socket.on('error', () => undefined);
    socket.on('message', (bytes: Buffer) => {
      const frame = parseJson(bytes.toString('utf8')) as Frame & JsonObject;
      const read = () => {
        if (this.workers.has(worker) && !worker.isEvicted) this.hear(worker, frame);
      };
      if (this.network.isBlackHole) this.unread.push(read);
      else read();
    });
    worker.send({ type: 'workerregistered', worker_id: worker.id, reattach_token: worker.token });
  }

  private left(worker: RemoteWorker): void {
    this.workers.delete(worker);
    for (const calls of this.unanswered.values()) {
      for (const call of calls) if (call.connection === worker.id) calls.delete(call);
    }
  }

  private hear(worker: RemoteWorker, frame: Frame & JsonObject): void {
    switch (frame.type) {
      case 'reattach':
        this.reattach(frame);
        break;
      case 'registertrigger':
        if (frame['trigger_type'] === 'state') {
          const [id, functionId] = [String(frame['id']), String(frame['function_id'])];
          const metadata = member(frame, 'metadata');
          worker.triggers.set(id, { id, functionId, config: frame['config'] ?? null, metadata });
        }
        break;
      case 'unregistertrigger':
        worker.triggers.delete(String(frame['id']));
        break;
      case 'ping':
        worker.send({ type: 'pong' });
        break;
      case 'invokefunction':
        this.take(worker, frame);
        break;
    }
    this.arrived(frame);
  }

  private reattach(frame: JsonObject): void {
    for (const worker of this.workers) {
      if (worker.id !== frame['previous_worker_id'] || worker.token !== frame['reattach_token']) continue;
      worker.evict();
      this.left(worker);
    }
  }

  private take(worker: RemoteWorker, frame: JsonObject): void {
    const call = callIn(frame, worker.id);
    const answer = (answer: Answer) => this.answer(worker, frame, call, answer);
    const execute = () => this.run(call, frame);
    this.calls.push(call);
    this.noteArrival(call);
    const order = this.faults.of(call);
    const fault = order?.fault;
    switch (fault?.kind) {
      case undefined:
        execute().answered(answer);
        break;
      case 'drop':
        break;
      case 'silent':
        execute().tell();
        break;
      case 'delay':
        this.timers.add(setTimeout(() => execute().answered(answer), fault.ms));
        break;
      case 'late': {
        const execution = execute();
        execution.tell();
        order?.hold(() => answer(execution.answer));
        break;
      }
      case 'execute-late':
        order?.hold(() => execute().tell());
        break;
      case 'refuse':
        answer(failure(fault.code, call, fault.message));
        break;
      case 'error-but-execute':
        execute().tell();
        answer(failure(fault.code, call));
        break;
    }
  }

  /** Runs a function of the engine; its events and its answer are still to be sent. */
  private run(call: ReceivedCall, frame: JsonObject): Execution {
    const { functionId, connection, receipt, label } = call;
    const data = frame['data'] ?? null;
    if (!STATE_FUNCTIONS.includes(functionId)) return unchanged(this.engineAnswer(call, data));
    try {
      const { input } = decodeInput(functionId as StateFunctionId, Payload.of(data));
      const names = { ...(receipt !== undefined && { receipt }), ...(label !== undefined && { label }) };
      return this.execute(input, { connection, ...names });
    } catch (error) {
      return unchanged({ error: toErrorBody(error) });
    }
  }

  private execute(...[input, origin]: Parameters<RemoteState['execute']>): Execution {
    const { result, change }: Executed = this.state.execute(input, origin);
    if (change) {
      const count = this.journal.length;
      for (const waiting of this.executions) if (count >= waiting.count) waiting.resolve();
      this.executions = this.executions.filter((waiting) => waiting.count > count);
    }
    const tell = () => change && this.tell(change);
    return {
      answer: { result },
      tell,
      answered: (answer) => {
        if (this.eventsFirst) tell();
        answer({ result });
        if (!this.eventsFirst) tell();
      },
    };
  }

  private tell(change: Change): void {
    if (this.eventsAreLost || this.options.triggersEnabled === false) return;
    const fire = () => {
      for (const worker of this.workers) {
        for (const trigger of worker.triggers.values()) {
          if (watches(trigger, change)) worker.fire(trigger, change);
        }
      }
    };
    if (this.heldEvents) this.heldEvents.push(fire);
    else fire();
  }

  private answer(worker: RemoteWorker, frame: JsonObject, call: ReceivedCall, answer: Answer): void {
    this.unanswered.get(laneOf(call))?.delete(call);
    const { invocation_id, function_id = null } = frame;
    if (invocation_id === undefined || isVoid(frame) || !this.workers.has(worker)) return;
    const outcome: JsonObject =
      'error' in answer
        ? { error: { ...answer.error } as JsonObject }
        : answer.result
          ? { result: answer.result.value }
          : {};
    worker.send({ type: 'invocationresult', invocation_id, function_id, ...outcome });
  }

  private noteArrival(call: ReceivedCall): void {
    if (!/^state::(set|update|delete)$/.test(call.functionId)) return;
    const lane = laneOf(call);
    const others = this.unanswered.get(lane) ?? new Set();
    if (others.size > 0) this.overlaps.push(call);
    this.unanswered.set(lane, others.add(call));
  }

  /** Functions of the engine other than State. */
  private engineAnswer(call: ReceivedCall, data: Json): Answer {
    const input = isObject(data) ? data : {};
    switch (call.functionId) {
      case 'engine::workers::register': {
        const worker = [...this.workers].find(({ id }) => id === call.connection);
        if (worker) worker.info = input;
        return { result: Payload.of({ success: true }) };
      }
      case 'engine::workers::list': {
        const workers = [...this.workers].flatMap((worker) => worker.row() ?? []);
        return { result: Payload.of({ workers }) };
      }
      case 'engine::registered-triggers::list':
        return { result: Payload.of({ registered_triggers: this.triggerRows(input) }) };
      case 'engine::functions::info':
        return functionInfo(input);
      case 'configuration::get':
        return this.configuration(input) ?? failure('function_not_found', call);
      default:
        return failure('function_not_found', call);
    }
  }

  private triggerRows({ trigger_type = 'state', function_id }: JsonObject): Json[] {
    if (trigger_type !== 'state') return [];
    return [...this.workers].flatMap((worker) =>
      [...worker.triggers.values()]
        .filter(({ functionId }) => function_id === undefined || function_id === functionId)
        .map(({ id, functionId, config }) => ({
          id,
          trigger_type: 'state',
          function_id: functionId,
          worker_name: 'iii-state',
          config,
          config_summary: JSON.stringify(config).slice(0, 80),
        })),
    );
  }

  private configuration({ id }: JsonObject): Answer | undefined {
    const { adapter = 'kv', triggersEnabled } = this.options;
    if (adapter === 'untold' || id !== 'iii-state') return undefined;
    const value: JsonObject = {
      ...(adapter !== 'unset' && { adapter: { name: adapter } }),
      ...(triggersEnabled !== undefined && { triggers_enabled: triggersEnabled }),
    };
    return { result: Payload.of({ id, value }) };
  }
}

/** A call that was carried out. */
interface Execution {
  answer: Answer;
  /** Sends its events. */
  tell(): void;
  /** Sends its answer and its events. */
  answered(answer: (answer: Answer) => void): void;
}

function unchanged(answer: Answer): Execution {
  return { answer, tell: () => undefined, answered: (send) => send(answer) };
}

function callIn(frame: JsonObject, connection: string): ReceivedCall {
  const data = isObject(frame['data']) ? frame['data'] : {};
  const textOf = (value: Json | undefined) => (typeof value === 'string' ? value : undefined);
  const metadata = isObject(frame['metadata']) ? frame['metadata'] : {};
  const { iii_state_gateway: ours, label } = metadata;
  return {
    functionId: String(frame['function_id']),
    scope: textOf(data['scope']),
    key: textOf(data['key']),
    connection,
    at: performance.now(),
    receipt: isObject(ours) ? textOf(ours['receipt']) : undefined,
    label: textOf(label),
  };
}

function laneOf({ scope, key }: ReceivedCall): string {
  return JSON.stringify([scope, key]);
}

function isVoid({ action }: JsonObject): boolean {
  return isObject(action) && action['type'] === 'void';
}

function failure(code: string, { functionId }: ReceivedCall, message?: string): Answer {
  const said =
    code === 'function_not_found'
      ? `Function ${functionId} not found`
      : `${functionId} failed: as the test told`;
  return { error: { code, message: message ?? said } };
}

function functionInfo({ function_id, function_ids }: JsonObject): Answer {
  const row = (id: Json): JsonObject =>
    STATE_FUNCTIONS.includes(String(id))
      ? { function_id: id, worker_name: 'iii-state' }
      : { function_id: id, error: 'not_found' };
  if (Array.isArray(function_ids)) return { result: Payload.of({ functions: function_ids.map(row) }) };
  return { result: Payload.of(row(function_id ?? null)) };
}
