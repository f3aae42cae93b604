import type { JsonObject } from '../protocol/json.js';
import type { Message } from '../protocol/messages.js';

/** What a worker says about itself in `engine::workers::register` (wire protocol 9.1). */
export interface WorkerInfo {
  name: string;
  description?: string;
  runtime: string;
  version: string;
  os: string;
  pid?: number;
  isolation: string | null;
  features: string[];
  telemetry?: JsonObject;
}

/** One connected worker, as the router sees it. The listener makes it; nothing here knows of sockets. */
export interface Worker {
  readonly id: string;
  readonly reattachToken: string;
  readonly ipAddress: string;
  readonly connectedAtMs: number;
  /** Undefined until the worker has introduced itself; older ones do so last. */
  info: WorkerInfo | undefined;
  /** Where its functions live; `default` unless it declared another. */
  namespace: string;
  send(message: Message): void;
  /** Ends a connection whose worker has come back on another. */
  evict(): void;
}
