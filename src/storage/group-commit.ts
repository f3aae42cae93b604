import { GatewayError } from '../errors.js';
import type { Database, Store } from './database.js';
import { syncLogs } from './sync-logs.js';

export type WriteOp = { type: 'put'; key: string; value: Buffer } | { type: 'del'; key: string };

/** Calls `action` once after `ms`; the returned function calls it off. */
export type Schedule = (action: () => void, ms: number) => () => void;

export interface GroupCommitOptions {
  /** `every-write`: each group is on the disk before it is answered. A number: at most so many ms later. */
  sync: 'every-write' | number;
  /** Handed in by tests; by default a timer that does not keep the process alive. */
  schedule?: Schedule;
  /** Asked once for each group when it is complete: what it gives is written with it, as of all its operations. */
  closing?: () => readonly WriteOp[];
}

/**
 * Writes to a database together what arrives together: while one group is being written, the next one forms.
 * One `fdatasync` then serves all writers of a group, and groups are written in the order they formed.
 */
export class GroupCommit {
  private forming: Group | undefined;
  private writing: Promise<void> | undefined;
  private callOffSync: (() => void) | undefined;
  private syncing: Promise<void> = Promise.resolve();
  private closed = false;
  private readonly schedule: Schedule;

  constructor(
    private readonly database: Database,
    private readonly options: GroupCommitOptions,
  ) {
    this.schedule = options.schedule ?? afterMs;
  }

  /**
   * Writes the operations as one: all of them or, if the process dies before, none.
   * Resolves when they survive the death of the process and, under `every-write`, a power cut.
   * @throws GatewayError `GATEWAY_STORAGE` when writing failed, now or earlier. A failed write may be there after a restart.
   */
  commit(operations: readonly WriteOp[]): Promise<void> {
    return this.add(operations, this.options.sync === 'every-write');
  }

  /**
   * The same for what a power cut may take: in order with the other commits, and on the disk together with the next
   * of them. Resolves when it survives the death of the process.
   * @throws GatewayError `GATEWAY_STORAGE` as `commit` does.
   */
  commitLater(operations: readonly WriteOp[]): Promise<void> {
    return this.add(operations, false);
  }

  /** All of a group get the same promise: there may be thousands of them. */
  private add(operations: readonly WriteOp[], isUrgent: boolean): Promise<void> {
    const refusal = this.refusal();
    if (refusal) return Promise.reject(refusal);
    this.forming ??= newGroup();
    const { forming } = this;
    if (isUrgent) forming.isUrgent = true;
    for (const operation of operations) forming.operations.push(operation);
    // Not at once: all who write in this turn, most of them woken by one finished group, share the next.
    this.writing ??= Promise.resolve().then(() => this.writeGroups());
    return forming.written;
  }

  /**
   * Brings everything committed so far to the disk.
   * @throws GatewayError `GATEWAY_STORAGE` when that failed, now or earlier.
   */
  async flush(): Promise<void> {
    await this.writing;
    if (this.callOffSync !== undefined) this.sync();
    await this.syncing;
    if (this.database.writeFailure !== undefined) throw this.database.writeFailure;
  }

  /** Flushes, and takes no more commits. @throws GatewayError `GATEWAY_STORAGE` as `flush` does. */
  close(): Promise<void> {
    this.closed = true;
    return this.flush();
  }

  private refusal(): GatewayError | undefined {
    if (this.database.writeFailure !== undefined) return this.database.writeFailure;
    if (!this.closed) return undefined;
    return new GatewayError('GATEWAY_STORAGE', `The storage in ${this.database.folder} is closed.`);
  }

  private async writeGroups(): Promise<void> {
    while (this.forming !== undefined) {
      const group = this.forming;
      this.forming = undefined;
      try {
        if (this.database.writeFailure !== undefined) throw this.database.writeFailure;
        for (const operation of this.options.closing?.() ?? []) group.operations.push(operation);
        await writeBatch(this.database.level, group.operations, group.isUrgent);
        this.syncLater();
        group.resolve();
      } catch (error) {
        group.reject(this.database.refuseWrites(error));
      }
    }
    this.writing = undefined;
  }

  private syncLater(): void {
    if (this.options.sync === 'every-write' || this.callOffSync !== undefined) return;
    this.callOffSync = this.schedule(() => this.sync(), this.options.sync);
  }

  private sync(): void {
    this.callOffSync?.();
    this.callOffSync = undefined; // a group written from now on needs a sync of its own
    this.syncing = this.syncing
      .then(() => syncLogs(this.database.folder))
      .catch((error: unknown) => void this.database.refuseWrites(error));
  }
}

interface Group {
  /** It is to be on the disk before it is answered. */
  isUrgent: boolean;
  operations: WriteOp[];
  written: Promise<void>;
  resolve(): void;
  reject(error: unknown): void;
}

function newGroup(): Group {
  let resolve: Group['resolve'] = () => undefined;
  let reject: Group['reject'] = () => undefined;
  const written = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { isUrgent: false, operations: [], written, resolve, reject };
}

/** Chained, because a batch from an array costs two to three times as much. */
async function writeBatch(store: Store, operations: readonly WriteOp[], sync: boolean): Promise<void> {
  const batch = store.batch();
  for (const operation of operations) {
    if (operation.type === 'put') batch.put(operation.key, operation.value);
    else batch.del(operation.key);
  }
  await batch.write({ sync });
}

/** A timer that does not keep the process alive. */
export function afterMs(action: () => void, ms: number): () => void {
  const timer = setTimeout(action, ms);
  timer.unref();
  return () => clearTimeout(timer);
}
