import type { Repeat } from '../../operations/repeats.js';
import type { DamageReport } from '../../storage/damage.js';
import type { Database } from '../../storage/database.js';
import type { WriteOp } from '../../storage/group-commit.js';
import { openRecord, putRecord } from '../../storage/record.js';
import {
  ALL_CALL_NOTES,
  callNoteKey,
  decodeCallNote,
  decodeFirstCall,
  encodeCallNote,
  encodeFirstCall,
  firstCallKey,
  numberIn,
} from './kv-layout.js';
import type { RepeatWindow } from './kv-repeat-window.js';
import type { FirstCall } from './kv-store.js';

/**
 * The calls with a name, on the disk: what each was and found, and in which order they came. Memory holds their ids only,
 * each with its number in that order.
 */
export class Calls {
  private nextNumber = 1;

  private constructor(
    private readonly database: Database,
    private readonly damage: DamageReport,
    private readonly window: RepeatWindow<number>,
  ) {}

  static async load(database: Database, damage: DamageReport, window: RepeatWindow<number>): Promise<Calls> {
    const calls = new Calls(database, damage, window);
    for await (const [key, record] of database.level.iterator(ALL_CALL_NOTES)) calls.restore(key, record);
    return calls;
  }

  /**
   * Asks the disk, whatever is in memory: a call whose place in the order cannot be read is still known.
   * @throws GatewayError `GATEWAY_STORAGE` when the record is damaged: whether the call was made is not guessed.
   */
  firstOf(id: string): FirstCall | undefined {
    if (this.window.isExpired(id)) return undefined;
    const key = firstCallKey(id);
    const record = this.database.read(key);
    if (record === undefined) return undefined;
    const body = openRecord(key, record);
    if (body === undefined) throw this.damage.found(key, 'what is known of a call with an idempotency_key');
    return decodeFirstCall(body);
  }

  /** Adds to `operations` what is to be written together with the call's own write. */
  remember({ id, fingerprint }: Repeat, before: string | undefined, operations: WriteOp[]): void {
    const number = this.nextNumber;
    this.nextNumber += 1;
    const { at, forgotten } = this.window.add(id, number);
    for (const old of forgotten) operations.push(...this.forget(old.id, old.content));
    // Behind what is forgotten: that may be an older call of the same name.
    operations.push(putRecord(firstCallKey(id), encodeFirstCall({ fingerprint, before })));
    operations.push(putRecord(callNoteKey(number), encodeCallNote({ at, id })));
  }

  private forget(id: string, number: number): WriteOp[] {
    return [firstCallKey(id), callNoteKey(number)].map((key) => ({ type: 'del', key }));
  }

  private restore(key: string, record: Buffer): void {
    const number = numberIn(key);
    this.nextNumber = number + 1;
    const body = openRecord(key, record);
    if (body === undefined) {
      this.damage.found(key, 'the note when a call with an idempotency_key was made');
      return;
    }
    const { id, at } = decodeCallNote(body);
    this.window.restore(id, number, at);
  }
}
