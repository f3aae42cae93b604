/**
 * Records that are kept under names which others choose, for a while: what was answered to calls that may come again.
 * `repeat/id/<name>` holds the record, `repeat/finished/<family>/<number>` a note for each of the finished, in the order of
 * their end. Of each family the newest are kept; what is not finished stays. Memory holds numbers for each family, no names.
 */
import { familyAmong, type RepeatBounds } from '../operations/repeats.js';
import type { DamageReport } from './damage.js';
import type { Database } from './database.js';
import type { WriteOp } from './group-commit.js';
import { openRecord, sealRecord } from './record.js';

const NAMED = 'repeat/id/';
const FINISHED = 'repeat/finished/';
const HEX_DIGITS = 12;

/** Where a family stands. */
interface Family {
  name: string;
  /** The numbers of its oldest that is kept, and of the next that finishes. */
  first: number;
  next: number;
  /** Bytes of all that finished, ever; and of those that made room: so a lost note puts no later count wrong. */
  bytes: number;
  gone: number;
  /** The first number of this run. */
  started: number;
}

/** Written for each that finishes: its name, and where its family stood then. */
type Note = Pick<Family, 'first' | 'bytes' | 'gone'> & { of: string };

export class NamedRecords<T> {
  private readonly families = new Map<string, Family>();

  constructor(
    private readonly database: Database,
    private readonly damage: Pick<DamageReport, 'found'>,
    private readonly bounds: RepeatBounds,
  ) {}

  /** Learns where each family stands: one look for each, not for each record. */
  async load(): Promise<void> {
    const iterator = this.database.level.iterator({ gte: FINISHED, lt: `${FINISHED}~`, reverse: true });
    try {
      for (let at = await iterator.next(); at !== undefined; at = await iterator.next()) {
        const note = this.noteIn(...at);
        if (note === undefined) continue; // the next that finishes takes its place
        const [family = '', number = ''] = at[0].slice(FINISHED.length).split('/');
        const { first, bytes, gone } = note;
        const next = Number.parseInt(number, 16) + 1;
        const name = decodeURIComponent(family);
        this.families.set(name, { name, first, next, bytes, gone, started: next });
        iterator.seek(`${FINISHED}${family}/`);
      }
    } finally {
      await iterator.close();
    }
  }

  /** @throws GatewayError `GATEWAY_STORAGE` for a damaged one: whether the call was made is not guessed. */
  find(name: string): T | undefined {
    const key = NAMED + name;
    const record = this.database.read(key);
    if (record === undefined) return undefined;
    const body = openRecord(key, record);
    if (body === undefined) throw this.damage.found(key, 'what is known of a call with an idempotency_key');
    return JSON.parse(body.toString()) as T;
  }

  put(name: string, record: T): WriteOp {
    return putJson(NAMED + name, record);
  }

  /** Puts one that is finished, and what makes room for it. What is given has to be written, in the order of the calls. */
  finish(name: string, record: T): WriteOp[] {
    const put = putJson(NAMED + name, record);
    const { next: number, bytes: before, ...family } = this.familyOf(name);
    const grown: Family = { ...family, next: number + 1, bytes: before + put.value.length };
    const room = this.makeRoom(grown);
    this.families.set(grown.name, grown);
    const { first, bytes, gone } = grown;
    const note: Note = { of: name, first, bytes, gone };
    return [...room, put, putJson(finishedKey(grown, number), note)];
  }

  /** The newest stays, however large it is. */
  private makeRoom(family: Family): WriteOp[] {
    const room: WriteOp[] = [];
    while (this.isFull(family) && family.first < family.next - 1) {
      const key = finishedKey(family, family.first);
      const record = this.database.read(key);
      if (record === undefined && family.first >= family.started) break; // still on its way to the disk: it goes later
      const note = record && this.noteIn(key, record);
      room.push({ type: 'del', key });
      if (note) {
        room.push({ type: 'del', key: NAMED + note.of });
        family.gone = note.bytes;
      }
      family.first += 1;
    }
    return room;
  }

  private isFull({ first, next, bytes, gone }: Family): boolean {
    return next - first > this.bounds.calls || bytes - gone > this.bounds.bytes;
  }

  private familyOf(id: string): Family {
    const name = familyAmong(this.families, id);
    return this.families.get(name) ?? { name, first: 1, next: 1, bytes: 0, gone: 0, started: 1 };
  }

  private noteIn(key: string, record: Buffer): Note | undefined {
    const body = openRecord(key, record);
    if (body !== undefined) return JSON.parse(body.toString()) as Note;
    this.damage.found(key, 'the note that a call with an idempotency_key has ended');
    return undefined;
  }
}

function putJson(key: string, content: unknown): WriteOp & { type: 'put' } {
  return { type: 'put', key, value: sealRecord(key, Buffer.from(JSON.stringify(content))) };
}

function finishedKey({ name }: Family, number: number): string {
  return `${FINISHED}${encodeURIComponent(name)}/${number.toString(16).padStart(HEX_DIGITS, '0')}`;
}
