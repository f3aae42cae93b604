/**
 * Records that are kept under names which others choose, for a while: what was answered to calls that may come again.
 * `repeat/id/<name>` holds the record, `repeat/finished/<family>/<number>` the names of the finished in the order of their
 * end. Of each family the newest are kept; what is not finished stays.
 */
import type { Database } from './database.js';
import type { WriteOp } from './group-commit.js';
import { openRecord, putRecord } from './record.js';

const NAMED = 'repeat/id/';
const FINISHED = 'repeat/finished/';
const HEX_DIGITS = 12;
/** Families come from outside, so there is a bound on them; those beyond it share one. */
const MOST_FAMILIES = 10_000;
const OTHERS = 'others';

export class NamedRecords<T> {
  /** The number of the next that finishes, by family. */
  private readonly next = new Map<string, number>();

  constructor(
    private readonly database: Database,
    /** Finished ones of a family that are kept. */
    private readonly kept: number,
    private readonly familyOf: (name: string) => string,
  ) {}

  /** Learns where the numbers of each family go on: one look for each, not for each record. */
  async load(): Promise<void> {
    const iterator = this.database.level.keys({ gte: FINISHED, lt: `${FINISHED}~`, reverse: true });
    try {
      for (let at = await iterator.next(); at !== undefined; at = await iterator.next()) {
        const [family = '', number = ''] = at.slice(FINISHED.length).split('/');
        this.next.set(family, Number.parseInt(number, 16) + 1);
        iterator.seek(`${FINISHED}${family}/`);
      }
    } finally {
      await iterator.close();
    }
  }

  /** A damaged one counts as not there. */
  find(name: string): T | undefined {
    const key = NAMED + name;
    const record = this.database.read(key);
    const body = record && openRecord(key, record);
    return body && (JSON.parse(body.toString()) as T);
  }

  put(name: string, record: T): WriteOp {
    return putRecord(NAMED + name, Buffer.from(JSON.stringify(record)));
  }

  /** Puts one that is finished, and what makes room for it. */
  finish(name: string, record: T): WriteOp[] {
    const family = this.boundedFamilyOf(name);
    const number = this.next.get(family) ?? 1;
    this.next.set(family, number + 1);
    const finished = putRecord(finishedKey(family, number), Buffer.from(name));
    return [this.put(name, record), finished, ...this.makeRoom(family, number - this.kept)];
  }

  private makeRoom(family: string, number: number): WriteOp[] {
    if (number < 1) return [];
    const key = finishedKey(family, number);
    const record = this.database.read(key);
    const name = record && openRecord(key, record)?.toString();
    return [key, ...(name === undefined ? [] : [NAMED + name])].map((old) => ({ type: 'del', key: old }));
  }

  private boundedFamilyOf(name: string): string {
    const family = encodeURIComponent(this.familyOf(name));
    return this.next.has(family) || this.next.size < MOST_FAMILIES ? family : OTHERS;
  }
}

function finishedKey(family: string, number: number): string {
  return `${FINISHED}${family}/${number.toString(16).padStart(HEX_DIGITS, '0')}`;
}
