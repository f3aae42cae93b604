import { type ErrorBody, GatewayError } from '../../errors.js';
import type { DamageReport } from '../../storage/damage.js';
import type { Database } from '../../storage/database.js';
import type { WriteOp } from '../../storage/group-commit.js';
import { openRecord, putRecord } from '../../storage/record.js';
import type { QuarantinedInput, QuarantinedWrite, QuarantineReason } from '../operator.js';
import { afterLast, decodeEntry, type Entry, encodeEntry, QUARANTINE, seqIn, seqKey } from './layout.js';
import { timeOf } from './receipts.js';

interface Why {
  reason: QuarantineReason;
  settledAt: number;
  error?: ErrorBody;
}

export interface QuarantinedEntry extends Why {
  entry: Entry;
}

const LENGTH_BYTES = 4;

/** Writes that the remote refused, or whose outcome cannot be established: kept until an operator decides. */
export class Quarantine {
  constructor(
    private readonly database: Database,
    private readonly receiptOf: (seq: number) => string,
    private readonly damage: DamageReport,
  ) {}

  /** Record's body: `length of why (4 bytes) | why (JSON) | body of the entry`. */
  add(entry: Entry, why: Why): WriteOp {
    const whyBytes = Buffer.from(JSON.stringify(why));
    const length = Buffer.allocUnsafe(LENGTH_BYTES);
    length.writeUInt32BE(whyBytes.length, 0);
    return putRecord(seqKey(QUARANTINE, entry.seq), Buffer.concat([length, whyBytes, encodeEntry(entry)]));
  }

  remove(seq: number): WriteOp {
    return { type: 'del', key: seqKey(QUARANTINE, seq) };
  }

  find(seq: number): QuarantinedEntry | undefined {
    const key = seqKey(QUARANTINE, seq);
    const record = this.database.read(key);
    return record && this.decode(seq, key, record);
  }

  /** @throws GatewayError `GATEWAY_NOT_FOUND`. */
  get(seq: number): QuarantinedEntry {
    const found = this.find(seq);
    if (found) return found;
    throw this.notHere(seq);
  }

  notHere(seq: number): GatewayError {
    return new GatewayError(
      'GATEWAY_NOT_FOUND',
      `No write with the number ${seq} is in quarantine. \`iii-state-gateway quarantine list\` shows those that are`,
    );
  }

  /** By number, those after `after`; damaged ones are passed over. */
  async list(after: number, limit: number): Promise<QuarantinedWrite[]> {
    const found: QuarantinedWrite[] = [];
    for await (const entry of this.entries({ gt: seqKey(QUARANTINE, after), lt: afterLast(QUARANTINE) })) {
      found.push(this.describe(entry));
      if (found.length === limit) break;
    }
    return found;
  }

  /** The same with inputs, one by one. */
  async *inputs(after: number): AsyncGenerator<QuarantinedInput> {
    const range = { gt: seqKey(QUARANTINE, after), lt: afterLast(QUARANTINE) };
    for await (const entry of this.entries(range)) yield this.withInput(entry);
  }

  /** How many of a scope (and key) are here, of those up to a sequence number. */
  async count(scope: string | undefined, key: string | undefined, upTo: number): Promise<number> {
    let count = 0;
    const range = { gte: QUARANTINE, lte: seqKey(QUARANTINE, upTo) };
    for await (const { entry } of this.entries(range)) {
      if (scope !== undefined && entry.write.scope !== scope) continue;
      if (key === undefined || entry.write.key === key) count += 1;
    }
    return count;
  }

  describe({ entry, reason, settledAt, error }: QuarantinedEntry): QuarantinedWrite {
    const { seq, acceptedAt, write } = entry;
    return {
      seq,
      receipt: this.receiptOf(seq),
      status: 'quarantined',
      reason,
      scope: write.scope,
      key: write.key,
      function_id: write.functionId,
      accepted_at: timeOf(acceptedAt),
      settled_at: timeOf(settledAt),
      bytes: Buffer.byteLength(write.payload.text),
      ...(error && { error: { code: error.code, message: error.message } }),
    };
  }

  show(seq: number): QuarantinedInput {
    return this.withInput(this.get(seq));
  }

  private withInput(found: QuarantinedEntry): QuarantinedInput {
    return { ...this.describe(found), input: found.entry.write.payload.text };
  }

  private async *entries(range: { gt?: string; gte?: string; lt?: string; lte?: string }) {
    for await (const [key, record] of this.database.level.iterator(range)) {
      const found = this.decode(seqIn(QUARANTINE, key), key, record);
      if (found) yield found;
    }
  }

  private decode(seq: number, key: string, record: Buffer): QuarantinedEntry | undefined {
    const body = openRecord(key, record);
    if (!body) {
      this.damage.found(key, `write ${seq} in quarantine`); // it is counted and logged; the others are told
      return undefined;
    }
    const end = LENGTH_BYTES + body.readUInt32BE(0);
    const why = JSON.parse(body.toString('utf8', LENGTH_BYTES, end)) as Why;
    return { ...why, entry: decodeEntry(seq, body.subarray(end)) };
  }
}
