import type { Database } from '../../storage/database.js';
import type { WriteOp } from '../../storage/group-commit.js';
import { openRecord, putRecord } from '../../storage/record.js';
import { afterLast, seqIn, seqKey } from '../log/layout.js';

const LOST = 'lost/';
/** Lost writes that are kept; the oldest make room. */
const KEPT = 1000;

/** A write that the remote had confirmed and does not hold any more, without its value. */
export interface LostWrite {
  number: number;
  scope: string;
  key: string;
  receipt?: string;
  confirmed_at: string;
  noticed_at: string;
  /** False: the key holds nothing, which may also be because somebody deleted it. */
  certain: boolean;
  /** It was sent again. */
  restored: boolean;
}

/** What the remote was found to have lost, for people, as far back as is kept. */
export class LostWrites {
  private next = 1;

  constructor(private readonly database: Database) {}

  /** Learns where the numbers go on. */
  async load(): Promise<void> {
    const newest = { gte: LOST, lt: afterLast(LOST), reverse: true, limit: 1 };
    const [key] = await this.database.level.keys(newest).all();
    if (key !== undefined) this.next = seqIn(LOST, key) + 1;
  }

  /** A number that no other has. */
  takeNumber(): number {
    return this.next++;
  }

  /** The record, in place of one with the same number, and what makes room for it. */
  record({ number, ...lost }: LostWrite): WriteOp[] {
    const record = putRecord(seqKey(LOST, number), Buffer.from(JSON.stringify(lost)));
    return number > KEPT ? [record, { type: 'del', key: seqKey(LOST, number - KEPT) }] : [record];
  }

  /** By number, those after `after`. */
  async list(after: number, limit: number): Promise<LostWrite[]> {
    const range = { gt: seqKey(LOST, after), lt: afterLast(LOST), limit };
    const records = await this.database.level.iterator(range).all();
    return records.flatMap(([key, record]) => {
      const body = openRecord(key, record);
      return body ? [{ number: seqIn(LOST, key), ...JSON.parse(body.toString()) } as LostWrite] : [];
    });
  }
}
