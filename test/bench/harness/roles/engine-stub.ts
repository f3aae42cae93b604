/**
 * The lean engine behind everything: a Map of values, `state::get`, `state::set` and a little of `state::update`, and
 * state triggers fired with one `JSON.stringify` and one `send` for each delivery. As an engine it is what "direct"
 * means; in the fan-out it is the plain way the gateway is compared with. It tells a gateway what a real engine tells
 * of itself, so that the gateway trusts its feed; it can be away, fall silent, and say how fast writes were executed.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type WebSocket, WebSocketServer } from 'ws';
import { serveCommands } from '../remote-commands.js';
import {
  errorText,
  type InvokeFrame,
  invokeText,
  type Json,
  parseFrame,
  type RegisterTriggerFrame,
  resultText,
} from '../wire.js';

export interface EngineStubCommands {
  /** Listens on a free port of 127.0.0.1, or on the one given. */
  listen(input: { readonly port?: number }): Promise<{ readonly port: number }>;
  /** Ends the connections to a port, and refuses new ones. */
  hangUp(input: { readonly port: number }): Promise<void>;
  /** From now on writes are counted and new keys not kept, so that this process does not grow with what is measured. */
  countWrites(input: { readonly writes: number }): Promise<void>;
  /** Resolves when all writes that `countWrites` was told of are executed; from then on new keys are kept again. */
  counted(input: Record<string, never>): Promise<Executed>;
  /** Resolves when no write has been executed for so long. */
  idle(input: { readonly forMs: number }): Promise<void>;
  /** Calls of State are no longer answered. */
  fallSilent(input: Record<string, never>): Promise<void>;
  /** Resolves when so many calls of State have come in since then. */
  unanswered(input: { readonly calls: number }): Promise<void>;
  speakAgain(input: Record<string, never>): Promise<void>;
}

export interface Executed {
  /** From the first to the last. */
  readonly perSecond: number;
}

interface Address {
  readonly scope: string;
  readonly key: string;
}

interface Change extends Address {
  readonly ops: readonly UpdateOp[];
}

type UpdateOp =
  | { readonly type: 'increment'; readonly path: string; readonly by: number }
  | { readonly type: 'merge'; readonly path: readonly [string]; readonly value: JsonObject };

type JsonObject = { readonly [member: string]: Json };

interface Worker {
  readonly id: string;
  readonly socket: WebSocket;
  name: string;
}

interface Binding {
  readonly worker: Worker;
  readonly trigger: RegisterTriggerFrame;
}

/** Counts to a number, and tells who waits for it. */
class Countdown {
  readonly over: Promise<Executed>;
  #count = 0;
  #firstAt = 0;
  #resolve: (executed: Executed) => void = () => undefined;

  constructor(readonly target: number) {
    this.over = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  get isOver(): boolean {
    return this.#count >= this.target;
  }

  note(): void {
    if (this.#count++ === 0) this.#firstAt = performance.now();
    if (this.#count !== this.target) return;
    this.#resolve({ perSecond: ((this.target - 1) * 1_000) / (performance.now() - this.#firstAt) });
  }
}

const STATE_FUNCTIONS = new Set(['state::get', 'state::set', 'state::update']);

const servers = new Map<number, WebSocketServer>();
const workers = new Set<Worker>();
const values = new Map<string, Json>();
const bindings = new Map<string, Binding>();
const unansweredDeliveries = new Set<string>();
let counting = new Countdown(0);
let writes = 0;
/** Not undefined while silent. */
let silence: { calls: number; waiting: { readonly calls: number; resolve(): void }[] } | undefined;

serveCommands<EngineStubCommands>({
  listen: ({ port = 0 }) =>
    new Promise((resolve, reject) => {
      const server = new WebSocketServer({ host: '127.0.0.1', port, perMessageDeflate: false });
      server.on('error', reject);
      server.on('connection', serve);
      server.on('listening', () => {
        const address = server.address();
        if (typeof address !== 'object' || !address) return;
        servers.set(address.port, server);
        resolve({ port: address.port });
      });
    }),
  hangUp: ({ port }) =>
    new Promise((resolve) => {
      const server = servers.get(port);
      servers.delete(port);
      for (const socket of server?.clients ?? []) socket.terminate();
      if (server) server.close(() => resolve());
      else resolve();
    }),
  countWrites: async ({ writes: target }) => {
    counting = new Countdown(target);
  },
  counted: () => counting.over,
  idle: async ({ forMs }) => {
    for (let before = -1; before !== writes; await sleep(forMs)) before = writes;
  },
  fallSilent: async () => {
    silence = { calls: 0, waiting: [] };
  },
  unanswered: ({ calls }) =>
    new Promise((resolve) => {
      if (!silence || silence.calls >= calls) resolve();
      else silence.waiting.push({ calls, resolve });
    }),
  speakAgain: async () => {
    silence = undefined;
  },
});

function serve(socket: WebSocket): void {
  const worker: Worker = { id: randomUUID(), socket, name: '' };
  workers.add(worker);
  socket.send(
    JSON.stringify({ type: 'workerregistered', worker_id: worker.id, reattach_token: randomUUID() }),
  );
  socket.on('error', () => socket.terminate());
  socket.on('close', () => forget(worker));
  socket.on('message', (text) => {
    const frame = parseFrame(String(text));
    if (frame.type === 'invokefunction') answer(worker, frame);
    else if (frame.type === 'invocationresult') unansweredDeliveries.delete(frame.invocation_id);
    else if (frame.type === 'registertrigger') bindings.set(frame.id, { worker, trigger: frame });
    else if (frame.type === 'unregistertrigger') bindings.delete(frame.id);
    else if (frame.type === 'ping') socket.send('{"type":"pong"}');
  });
}

function answer(worker: Worker, { invocation_id: id, function_id: functionId, data }: InvokeFrame): void {
  const { socket } = worker;
  if (silence && functionId.startsWith('state::')) {
    countSilence(silence);
  } else if (functionId === 'state::get') {
    if (id) socket.send(resultText(id, functionId, values.get(placeOf(data as unknown as Address))));
  } else if (functionId === 'state::set') {
    const { oldValue, newValue } = store(data as unknown as Address & { readonly value: Json });
    if (id) socket.send(resultText(id, functionId, { old_value: oldValue, new_value: newValue }));
  } else if (functionId === 'state::update') {
    const { oldValue, newValue } = update(data as unknown as Change);
    if (id) socket.send(resultText(id, functionId, { old_value: oldValue, new_value: newValue }));
  } else {
    const told = tell(worker, functionId, data);
    if (!id) return;
    if (told !== undefined) socket.send(resultText(id, functionId, told));
    else socket.send(errorText(id, functionId, 'function_not_found', `Function ${functionId} not found`));
  }
}

/** What the engine tells of itself; undefined where it has no such function. */
function tell(worker: Worker, functionId: string, data: Json): Json | undefined {
  const input = data as { readonly [member: string]: Json | undefined };
  switch (functionId) {
    case 'engine::workers::register':
      worker.name = String(input['name']);
      return { success: true };
    case 'engine::workers::list':
      return { workers: [...workers].map(({ id, name }) => ({ id, name, status: 'connected' })) };
    case 'engine::functions::info':
      // Of others, a gateway would conclude that it may compare and set, or that receipts are known here.
      if (!STATE_FUNCTIONS.has(String(input['function_id']))) return undefined;
      return { function_id: input['function_id'] ?? null, worker_name: 'iii-state' };
    case 'configuration::get':
      return { id: input['id'] ?? null, value: { adapter: { name: 'kv' }, triggers_enabled: true } };
    case 'engine::registered-triggers::list':
      return { registered_triggers: triggerRows(input['function_id']) };
    default:
      return undefined;
  }
}

function triggerRows(functionId: Json | undefined): Json[] {
  return [...bindings.values()]
    .filter(({ trigger }) => functionId === undefined || trigger.function_id === functionId)
    .map(({ worker, trigger: { id, trigger_type, function_id, config } }) => ({
      id,
      trigger_type,
      function_id,
      worker_name: worker.name,
      config: config as Json,
      config_summary: JSON.stringify(config),
    }));
}

function store(input: Address & { readonly value: Json }): { oldValue: Json; newValue: Json } {
  const place = placeOf(input);
  const before = values.get(place);
  writes++;
  if (counting.isOver || before !== undefined) values.set(place, input.value);
  if (!counting.isOver) counting.note();
  const oldValue = before ?? null;
  if (bindings.size > 0) {
    fire({
      type: 'state',
      event_type: before === undefined ? 'state:created' : 'state:updated',
      scope: input.scope,
      key: input.key,
      old_value: oldValue,
      new_value: input.value,
    });
  }
  return { oldValue, newValue: input.value };
}

/** Operations on one member of an object, which is all that the benchmarks and markers send. */
function update({ ops, ...address }: Change): { oldValue: Json; newValue: Json } {
  const value = { ...(values.get(placeOf(address)) as JsonObject | undefined) };
  for (const op of ops) {
    if (op.type === 'increment') value[op.path] = Number(value[op.path] ?? 0) + op.by;
    else value[op.path[0]] = { ...(value[op.path[0]] as JsonObject | undefined), ...op.value };
  }
  return store({ ...address, value });
}

function fire(event: {
  readonly scope: string;
  readonly key: string;
  readonly [member: string]: Json;
}): void {
  for (const { worker, trigger } of bindings.values()) {
    const { scope = event.scope, key = event.key } = trigger.config;
    if (trigger.trigger_type !== 'state' || scope !== event.scope || key !== event.key) continue;
    const id = randomUUID();
    unansweredDeliveries.add(id);
    worker.socket.send(invokeText(id, trigger.function_id, event));
  }
}

function countSilence(now: NonNullable<typeof silence>): void {
  now.calls++;
  for (const { calls, resolve } of now.waiting) if (now.calls === calls) resolve();
}

function forget(worker: Worker): void {
  workers.delete(worker);
  for (const [id, binding] of bindings) if (binding.worker === worker) bindings.delete(id);
}

function placeOf({ scope, key }: Address): string {
  return `${scope}\n${key}`;
}
