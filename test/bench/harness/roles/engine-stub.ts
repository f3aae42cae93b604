/**
 * The lean engine behind everything: a Map of values, `state::get` and `state::set`, and state triggers fired with
 * one `JSON.stringify` and one `send` for each delivery. As an engine it is what "direct" means; in the fan-out it
 * is the plain way the gateway is compared with.
 */
import { randomUUID } from 'node:crypto';
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
}

interface Address {
  readonly scope: string;
  readonly key: string;
}

interface Binding {
  readonly socket: WebSocket;
  readonly trigger: RegisterTriggerFrame;
}

const values = new Map<string, Json>();
const bindings = new Map<string, Binding>();
const unansweredDeliveries = new Set<string>();

serveCommands<EngineStubCommands>({
  listen: ({ port = 0 }) =>
    new Promise((resolve, reject) => {
      const server = new WebSocketServer({ host: '127.0.0.1', port, perMessageDeflate: false });
      server.on('error', reject);
      server.on('connection', serve);
      server.on('listening', () => {
        const address = server.address();
        if (typeof address === 'object' && address) resolve({ port: address.port });
      });
    }),
});

function serve(socket: WebSocket): void {
  socket.send(JSON.stringify({ type: 'workerregistered', worker_id: randomUUID() }));
  socket.on('error', () => socket.terminate());
  socket.on('close', () => forgetBindingsOf(socket));
  socket.on('message', (text) => {
    const frame = parseFrame(String(text));
    if (frame.type === 'invokefunction') answer(socket, frame);
    else if (frame.type === 'invocationresult') unansweredDeliveries.delete(frame.invocation_id);
    else if (frame.type === 'registertrigger') bindings.set(frame.id, { socket, trigger: frame });
    else if (frame.type === 'unregistertrigger') bindings.delete(frame.id);
    else if (frame.type === 'ping') socket.send('{"type":"pong"}');
  });
}

function answer(socket: WebSocket, { invocation_id: id, function_id: functionId, data }: InvokeFrame): void {
  if (functionId === 'state::get') {
    if (id) socket.send(resultText(id, functionId, values.get(placeOf(data as unknown as Address))));
  } else if (functionId === 'state::set') {
    const { oldValue, newValue } = store(data as unknown as Address & { readonly value: Json });
    if (id) socket.send(resultText(id, functionId, { old_value: oldValue, new_value: newValue }));
  } else if (functionId === 'engine::workers::register') {
    if (id) socket.send(resultText(id, functionId, { success: true }));
  } else if (id) {
    socket.send(errorText(id, functionId, 'function_not_found', `Function ${functionId} not found`));
  }
}

function store(input: Address & { readonly value: Json }): { oldValue: Json; newValue: Json } {
  const place = placeOf(input);
  const before = values.get(place);
  values.set(place, input.value);
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

function fire(event: {
  readonly scope: string;
  readonly key: string;
  readonly [member: string]: Json;
}): void {
  for (const { socket, trigger } of bindings.values()) {
    const { scope = event.scope, key = event.key } = trigger.config;
    if (trigger.trigger_type !== 'state' || scope !== event.scope || key !== event.key) continue;
    const id = randomUUID();
    unansweredDeliveries.add(id);
    socket.send(invokeText(id, trigger.function_id, event));
  }
}

function forgetBindingsOf(socket: WebSocket): void {
  for (const [id, binding] of bindings) if (binding.socket === socket) bindings.delete(id);
}

function placeOf({ scope, key }: Address): string {
  return `${scope}\n${key}`;
}
