import type { Database } from '../../storage/database.js';
import type { WriteOp } from '../../storage/group-commit.js';
import { openRecord, putRecord } from '../../storage/record.js';
import { syncLogs } from '../../storage/sync-logs.js';

/** How much is gathered before it is written. */
const MOST_BYTES = 2 * 2 ** 20;

/** Writes a new store from end to end. Nothing is on the disk for sure before `finish`. */
export class Filler {
  private readonly waiting = new Map<string, Buffer>();
  private bytes = 0;

  constructor(private readonly database: Database) {}

  put(key: string, body: Buffer): void {
    this.add(putRecord(key, body));
  }

  add(operation: WriteOp): void {
    if (operation.type === 'del') throw new TypeError('a new store is filled, and nothing is deleted in it');
    this.waiting.set(operation.key, operation.value);
    this.bytes += operation.key.length + operation.value.length;
  }

  /** What was put under a key. */
  read(key: string): Buffer | undefined {
    const record = this.waiting.get(key) ?? this.database.read(key);
    return record && openRecord(key, record);
  }

  async flushIfFull(): Promise<void> {
    if (this.bytes >= MOST_BYTES) await this.flush();
  }

  async finish(): Promise<void> {
    await this.flush();
    await syncLogs(this.database.folder);
  }

  private async flush(): Promise<void> {
    const batch = this.database.level.batch();
    for (const [key, record] of this.waiting) batch.put(key, record);
    await batch.write();
    this.waiting.clear();
    this.bytes = 0;
  }
}
