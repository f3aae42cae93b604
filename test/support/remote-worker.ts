import { randomUUID } from 'node:crypto';
import type { WebSocket } from 'ws';
import type { Change } from '../../src/operations/calls.js';
import { eventOf } from '../../src/operations/results.js';
import { isObject, type Json, type JsonObject, printJson } from '../../src/protocol/json.js';

/** A State trigger of a worker. */
export interface RemoteTrigger {
  id: string;
  functionId: string;
  config: Json;
  metadata: Json | undefined;
}

/** A worker of the remote engine, on the one connection that it has. */
export class RemoteWorker {
  readonly id = randomUUID();
  readonly token = randomUUID();
  /** What it said of itself with `engine::workers::register`. */
  info: JsonObject = {};
  readonly triggers = new Map<string, RemoteTrigger>();
  /** Its place was taken back by a reattach: what it still sends is not read. */
  isEvicted = false;
  private queue: string[] = [];

  constructor(
    private readonly socket: WebSocket,
    /** Whether nothing reaches it at present. */
    private readonly isMuted: () => boolean,
  ) {}

  send(frame: JsonObject): void {
    const text = printJson(frame);
    if (this.isMuted()) this.queue.push(text);
    else this.socket.send(text, () => undefined);
  }

  /** Sends what could not leave. */
  unmute(): void {
    for (const text of this.queue.splice(0)) this.socket.send(text, () => undefined);
  }

  evict(): void {
    this.isEvicted = true;
    this.socket.terminate();
  }

  /** Tells one of its triggers of a change. */
  fire({ functionId, metadata }: RemoteTrigger, change: Change): void {
    this.send({
      type: 'invokefunction',
      invocation_id: randomUUID(),
      function_id: functionId,
      data: { ...eventOf(change) },
      ...(metadata !== undefined && { metadata }),
    });
  }

  /** Its row in `engine::workers::list`; one that told no pid is hidden there. */
  row(): JsonObject | undefined {
    const { name = null, runtime = 'unknown', pid } = this.info;
    return pid === undefined ? undefined : { id: this.id, name, runtime, status: 'connected', pid };
  }
}

/** Whether a trigger is to be told of a change. */
export function watches({ config }: RemoteTrigger, { scope, key }: Change): boolean {
  if (!isObject(config)) return false;
  const fits = (wanted: Json | undefined, is: string) =>
    wanted === undefined || wanted === null || wanted === is;
  return fits(config['scope'], scope) && fits(config['key'], key);
}
