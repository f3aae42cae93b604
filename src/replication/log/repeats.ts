import type { ErrorBody } from '../../errors.js';
import { familyOf, REPEATS_KEPT } from '../../operations/repeats.js';
import type { Database } from '../../storage/database.js';
import type { WriteOp } from '../../storage/group-commit.js';
import { NamedRecords } from '../../storage/named-records.js';
import type { RemoteAnswer } from '../replay/awaited.js';
import type { RepeatAnswers } from '../replay/endings.js';

/** What is known of a call that may come again. */
export interface NamedCall {
  /** Of what it asked for. */
  fingerprint: string;
  /** Its write in the log. */
  seq: number;
  /** What was answered when it was accepted; an undefined result is "no value". */
  first: { result?: string | undefined; isBlind: boolean };
  ended?: NamedEnd;
}

/** How its write ended. */
export type NamedEnd =
  | { kind: 'answered'; result?: string | undefined; error?: ErrorBody | undefined }
  /** Without an answer of the remote. */
  | { kind: 'given-up'; error?: ErrorBody | undefined };

/** The calls with an idempotency key or a receipt, and what they were answered (replication section 7). */
export class Repeats implements RepeatAnswers {
  private readonly records: NamedRecords<NamedCall>;

  constructor(database: Database) {
    this.records = new NamedRecords(database, REPEATS_KEPT, familyOf);
  }

  load(): Promise<void> {
    return this.records.load();
  }

  find(id: string): NamedCall | undefined {
    return this.records.find(id);
  }

  begin(id: string, call: NamedCall): WriteOp {
    return this.records.put(id, call);
  }

  finish(id: string, answer: RemoteAnswer | undefined, error?: ErrorBody): WriteOp[] {
    const call = this.find(id);
    if (!call) return [];
    const ended: NamedEnd = answer
      ? { kind: 'answered', result: answer.result?.text, error: bodyOf(answer.error) }
      : { kind: 'given-up', error: bodyOf(error) };
    return this.records.finish(id, { ...call, ended });
  }
}

/** What a caller is shown of an error. */
function bodyOf(error: ErrorBody | undefined): ErrorBody | undefined {
  return error && { code: error.code, message: error.message };
}
