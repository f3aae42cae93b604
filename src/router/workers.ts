import { EventEmitter } from 'node:events';
import type { Worker } from './worker.js';

export type WorkerEvent = 'worker_connected' | 'worker_disconnected' | 'worker_metadata_updated';

/** Who is connected. */
export class Workers extends EventEmitter<{ change: [WorkerEvent, Worker] }> {
  private readonly byId = new Map<string, Worker>();

  add(worker: Worker): void {
    this.byId.set(worker.id, worker);
    this.emit('change', 'worker_connected', worker);
  }

  /** Whether the worker was still there. */
  remove(worker: Worker): boolean {
    return this.byId.delete(worker.id);
  }

  /** To be called when a removed worker has left nothing behind: its own triggers must not fire for it. */
  left(worker: Worker): void {
    this.emit('change', 'worker_disconnected', worker);
  }

  /** To be called when a worker has introduced itself. */
  introduced(worker: Worker): void {
    this.emit('change', 'worker_metadata_updated', worker);
  }

  find(id: string): Worker | undefined {
    return this.byId.get(id);
  }

  all(): Iterable<Worker> {
    return this.byId.values();
  }

  get size(): number {
    return this.byId.size;
  }
}
