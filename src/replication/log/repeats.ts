import type { ErrorBody } from '../../errors.js';
import type { Database } from '../../storage/database.js';
import type { WriteOp } from '../../storage/group-commit.js';
import { openRecord, putRecord } from '../../storage/record.js';
import type { RemoteAnswer } from '../replay/awaited.js';
import type { RepeatAnswers } from '../replay/endings.js';
import { afterLast, seqIn, seqKey } from './layout.js';

const NAMED = 'repeat/id/';
const FINISHED = 'repeat/finished/';

/** Finished calls that are remembered; the oldest make room. Those that are not finished stay. */
const KEPT = 10_000;

/** What is known of a call that may come again. */
export interface NamedCall {
  /** Of what it asked for. */
  fingerprint: string;
  /** Its write in the log. */
  seq: number;
  /** What its caller was told, as JSON text; undefined: nothing ("no value"). */
  result?: string;
  error?: ErrorBody;
  /** The answer is the remote's, and will not change. */
  isFinal?: boolean;
}

/** The calls with an idempotency key, and what they were answered (replication section 7). */
export class Repeats implements RepeatAnswers {
  private nextFinished = 1;

  constructor(private readonly database: Database) {}

  /** Learns where the numbers go on. */
  async load(): Promise<void> {
    const newest = { gte: FINISHED, lt: afterLast(FINISHED), reverse: true, limit: 1 };
    const [key] = await this.database.level.keys(newest).all();
    if (key !== undefined) this.nextFinished = seqIn(FINISHED, key) + 1;
  }

  /** A damaged one counts as not known: its write has a number of its own in the log. */
  find(id: string): NamedCall | undefined {
    const key = NAMED + id;
    const record = this.database.read(key);
    const body = record && openRecord(key, record);
    return body && (JSON.parse(body.toString()) as NamedCall);
  }

  begin(id: string, call: NamedCall): WriteOp {
    return putRecord(NAMED + id, Buffer.from(JSON.stringify(call)));
  }

  finish(id: string, answer: RemoteAnswer | undefined): WriteOp[] {
    const call = this.find(id);
    if (!call) return [];
    const { fingerprint, seq } = call;
    const final: NamedCall = { fingerprint, seq, isFinal: true };
    if (answer?.error) final.error = { code: answer.error.code, message: answer.error.message };
    if (answer?.result) final.result = answer.result.text;
    const number = this.nextFinished;
    this.nextFinished += 1;
    return [
      this.begin(id, answer ? final : call),
      putRecord(seqKey(FINISHED, number), Buffer.from(id)),
      ...this.makeRoom(number - KEPT),
    ];
  }

  private makeRoom(number: number): WriteOp[] {
    if (number < 1) return [];
    const key = seqKey(FINISHED, number);
    const record = this.database.read(key);
    const id = record && openRecord(key, record)?.toString();
    return [key, ...(id === undefined ? [] : [NAMED + id])].map((old) => ({ type: 'del', key: old }));
  }
}
