import { type ErrorBody, GatewayError } from '../../errors.js';
import type { Database } from '../../storage/database.js';
import type { WriteOp } from '../../storage/group-commit.js';
import { openRecord, putRecord } from '../../storage/record.js';
import type { Receipt, ReceiptStatus } from '../operator.js';
import type { Ending } from './book.js';
import { afterLast, type Entry, RECEIPTS, seqKey } from './layout.js';

/** Receipts of settled writes that are kept, at least. */
const KEPT = 10_000;

/** The members are short because there are many. */
interface Settled {
  n: number;
  e: Ending;
  s: string;
  k: string;
  f: string;
  t: number;
  d: number;
  c?: ErrorBody;
}

/** Receipts that were written together. */
interface Pack {
  key: string;
  first: number;
  last: number;
  count: number;
}

/**
 * What became of writes that have left the log, as far back as is kept. Writes are settled by the thousand and asked
 * after one by one, so the receipts of a group are one record, whose key tells which it holds.
 */
export class Receipts {
  private packs: Pack[] = [];
  private kept = 0;
  private nextPack = 1;
  private forming: Settled[] = [];

  constructor(
    private readonly database: Database,
    private readonly gatewayId: string,
    /** Ids of this gateway before its folder was taken over: their receipts are its own. */
    private readonly formerIds: readonly string[] = [],
  ) {}

  /** Learns which packs there are. */
  async load(): Promise<void> {
    const keys = await this.database.level.keys({ gte: RECEIPTS, lt: afterLast(RECEIPTS) }).all();
    this.packs = keys.map(readPackKey);
    this.kept = this.packs.reduce((sum, { count }) => sum + count, 0);
    const newest = keys.at(-1);
    if (newest !== undefined) this.nextPack = numberOf(newest) + 1;
  }

  /** Notes a write that is being settled; `closing` writes it. */
  settle(entry: Entry, ending: Ending, settledAt: number, error?: ErrorBody): void {
    const { functionId, scope, key } = entry.write;
    const settled: Settled = {
      n: entry.seq,
      e: ending,
      s: scope,
      k: key,
      f: functionId,
      t: entry.acceptedAt,
      d: settledAt,
    };
    if (error) settled.c = { code: error.code, message: error.message };
    this.forming.push(settled);
  }

  /** The receipts noted since the last time, and what makes room for them. */
  closing(): WriteOp[] {
    if (this.forming.length === 0) return [];
    const settled = this.forming;
    this.forming = [];
    const pack = packOf(this.nextPack, settled);
    this.nextPack += 1;
    this.packs.push(pack);
    this.kept += pack.count;
    return [putRecord(pack.key, Buffer.from(JSON.stringify(settled))), ...this.makeRoom()];
  }

  find(seq: number): Receipt | undefined {
    for (const pack of this.packs) {
      if (seq < pack.first || seq > pack.last) continue;
      const found = this.read(pack.key).find(({ n }) => n === seq);
      if (found) return this.describe(found);
    }
    return undefined;
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
    const end = receipt.lastIndexOf('-');
    const [id, digits] = [receipt.slice(0, end), receipt.slice(end + 1)];
    const isOurs = id === this.gatewayId || this.formerIds.includes(id);
    if (!isOurs || !/^[1-9]\d{0,14}$/.test(digits)) throw notFound(receipt);
    return Number(digits);
  }

  private makeRoom(): WriteOp[] {
    const operations: WriteOp[] = [];
    for (let oldest = this.packs[0]; oldest && this.kept - oldest.count >= KEPT; oldest = this.packs[0]) {
      this.packs.shift();
      this.kept -= oldest.count;
      operations.push({ type: 'del', key: oldest.key });
    }
    return operations;
  }

  private read(key: string): Settled[] {
    const record = this.database.read(key);
    const body = record && openRecord(key, record);
    return body ? (JSON.parse(body.toString()) as Settled[]) : [];
  }

  private describe({ n, e, s, k, f, t, d, c }: Settled): Receipt {
    const receipt = receiptOf(this.nameOf(n), e, s, k, f, t);
    return { ...receipt, settled_at: timeOf(d), ...(c && { error: c }) };
  }
}

/** `receipt/<number of the pack>/<first>-<last>/<count>`, all in hex. */
function packOf(number: number, settled: readonly Settled[]): Pack {
  const seqs = settled.map(({ n }) => n);
  const [first, last, count] = [Math.min(...seqs), Math.max(...seqs), settled.length];
  const range = `${first.toString(16)}-${last.toString(16)}/${count.toString(16)}`;
  return { key: `${seqKey(RECEIPTS, number)}/${range}`, first, last, count };
}

function readPackKey(key: string): Pack {
  const [, , range = '', count = ''] = key.split('/');
  const [first = 0, last = 0] = range.split('-').map((hex) => Number.parseInt(hex, 16));
  return { key, first, last, count: Number.parseInt(count, 16) };
}

function numberOf(key: string): number {
  return Number.parseInt(key.split('/')[1] ?? '', 16);
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
