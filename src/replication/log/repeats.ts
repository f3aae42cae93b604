import type { ErrorBody } from '../../errors.js';
import { REPEATS_KEPT } from '../../operations/repeats.js';
import type { DamageReport } from '../../storage/damage.js';
import type { Database } from '../../storage/database.js';
import type { WriteOp } from '../../storage/group-commit.js';
import { NamedRecords } from '../../storage/named-records.js';
import type { RemoteAnswer } from '../replay/awaited.js';
import type { RepeatAnswers } from '../replay/endings.js';
import type { Ending } from './book.js';

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
  /** The remote has it, which reading told. */
  | { kind: 'committed' }
  | { kind: 'answered'; result?: string | undefined; error?: ErrorBody | undefined }
  /** Without an answer of the remote. */
  | { kind: 'given-up'; error?: ErrorBody | undefined };

/** The calls with an idempotency key or a receipt, and what they were answered (replication section 7). */
export class Repeats implements RepeatAnswers {
  private readonly records: NamedRecords<NamedCall>;

  constructor(database: Database, damage: DamageReport) {
    this.records = new NamedRecords(database, damage, REPEATS_KEPT);
  }

  load(): Promise<void> {
    return this.records.load();
  }

  /** @throws GatewayError `GATEWAY_STORAGE` when the record is damaged. */
  find(id: string): NamedCall | undefined {
    return this.records.find(id);
  }

  begin(id: string, call: NamedCall): WriteOp {
    return this.records.put(id, call);
  }

  finish(id: string, ended: NamedEnd): WriteOp[] {
    const call = this.readable(id);
    return call ? this.records.finish(id, { ...call, ended }) : [];
  }

  /** A write leaves the log whatever is damaged of its name; repeats are refused then. */
  private readable(id: string): NamedCall | undefined {
    try {
      return this.find(id);
    } catch {
      return undefined;
    }
  }
}

/** How a write ended, as whoever asks again is told. */
export function namedEnd(
  ending: Ending | 'refused',
  answer: RemoteAnswer | undefined,
  error: ErrorBody | undefined,
): NamedEnd {
  if (answer) return { kind: 'answered', result: answer.result?.text, error: bodyOf(answer.error) };
  return ending === 'committed' ? { kind: 'committed' } : { kind: 'given-up', error: bodyOf(error) };
}

/** What a caller is shown of an error. */
function bodyOf(error: ErrorBody | undefined): ErrorBody | undefined {
  return error && { code: error.code, message: error.message };
}
