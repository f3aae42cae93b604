import { type ErrorBody, GatewayError } from '../errors.js';
import type { Database } from '../storage/database.js';
import type { WriteOp } from '../storage/group-commit.js';
import { openRecord } from '../storage/record.js';
import type { Ending } from './book.js';
import { type Entry, RECEIPTS, seqKey } from './log-layout.js';
import type { Receipt, ReceiptStatus } from './operator.js';
import { put } from './write-ahead-log.js';

/** Receipts of settled writes are kept for this many writes back. */
const KEPT = 10_000;

/** The members are short because there are many. */
interface Settled {
  e: Ending;
  s: string;
  k: string;
  f: string;
  t: number;
  d: number;
  c?: ErrorBody;
}

/** What became of writes that have left the log, as far back as is kept. */
export class Receipts {
  constructor(
    private readonly database: Database,
    private readonly gatewayId: string,
  ) {}

  /** Forgets those that are too old; they are passed over one by one while writes are settled in order. */
  async prune(next: number): Promise<void> {
    await this.database.level.clear({ gte: RECEIPTS, lt: seqKey(RECEIPTS, Math.max(0, next - KEPT)) });
  }

  /** Operations that keep the receipt of a write which has just been settled. */
  settle(entry: Entry, ending: Ending, settledAt: number, error?: ErrorBody): WriteOp[] {
    const { functionId, scope, key } = entry.write;
    const settled: Settled = {
      e: ending,
      s: scope,
      k: key,
      f: functionId,
      t: entry.acceptedAt,
      d: settledAt,
    };
    if (error) settled.c = { code: error.code, message: error.message };
    const kept = put(seqKey(RECEIPTS, entry.seq), Buffer.from(JSON.stringify(settled)));
    if (entry.seq <= KEPT) return [kept];
    return [kept, { type: 'del', key: seqKey(RECEIPTS, entry.seq - KEPT) }];
  }

  find(seq: number): Receipt | undefined {
    const key = seqKey(RECEIPTS, seq);
    const record = this.database.read(key);
    const body = record && openRecord(key, record);
    if (!body) return undefined;
    const { e, s, k, f, t, d, c } = JSON.parse(body.toString()) as Settled;
    const receipt = receiptOf(this.nameOf(seq), e, s, k, f, t);
    return { ...receipt, settled_at: timeOf(d), ...(c && { error: c }) };
  }

  /** The receipt of a write that is still in the log. */
  unsettled({ seq, acceptedAt, write }: Entry, status: 'pending' | 'sent'): Receipt {
    return receiptOf(this.nameOf(seq), status, write.scope, write.key, write.functionId, acceptedAt);
  }

  nameOf(seq: number): string {
    return `${this.gatewayId}-${seq}`;
  }

  /** @throws GatewayError `GATEWAY_NOT_FOUND` for a receipt that no write of this gateway has. */
  seqOf(receipt: string): number {
    const prefix = `${this.gatewayId}-`;
    const digits = receipt.startsWith(prefix) ? receipt.slice(prefix.length) : '';
    if (!/^[1-9]\d{0,14}$/.test(digits)) throw notFound(receipt);
    return Number(digits);
  }
}

export function notFound(receipt: string): GatewayError {
  return new GatewayError(
    'GATEWAY_NOT_FOUND',
    `This gateway knows no write with the receipt ${receipt}: it is of another gateway, or older than what is kept`,
  );
}

export function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}

function receiptOf(
  receipt: string,
  status: ReceiptStatus,
  scope: string,
  key: string,
  functionId: string,
  acceptedAt: number,
): Receipt {
  return { receipt, status, scope, key, function_id: functionId, accepted_at: timeOf(acceptedAt) };
}
