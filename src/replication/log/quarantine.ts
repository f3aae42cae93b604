import { type ErrorBody, GatewayError } from '../../errors.js';
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

  async list(after: number, limit: number): Promise<QuarantinedWrite[]> {
    const records = await this.database.level
      .iterator({ gt: seqKey(QUARANTINE, after), lt: afterLast(QUARANTINE), limit })
      .all();
    return records.flatMap(([key, record]) => {
      const found = this.decode(seqIn(QUARANTINE, key), key, record);
      return found ? [this.describe(found)] : [];
    });
  }

  /** How many of a scope (and key) are here, of those up to a sequence number. */
  async count(scope: string | undefined, key: string | undefined, upTo: number): Promise<number> {
    let count = 0;
    const range = { gte: QUARANTINE, lte: seqKey(QUARANTINE, upTo) };
    for await (const [at, record] of this.database.level.iterator(range)) {
      const write = this.decode(seqIn(QUARANTINE, at), at, record)?.entry.write;
      if (!write || (scope !== undefined && write.scope !== scope)) continue;
      if (key === undefined || write.key === key) count += 1;
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
    const found = this.get(seq);
    return { ...this.describe(found), input: found.entry.write.payload.text };
  }

  private decode(seq: number, key: string, record: Buffer): QuarantinedEntry | undefined {
    const body = openRecord(key, record);
    if (!body) return undefined;
    const end = LENGTH_BYTES + body.readUInt32BE(0);
    const why = JSON.parse(body.toString('utf8', LENGTH_BYTES, end)) as Why;
    return { ...why, entry: decodeEntry(seq, body.subarray(end)) };
  }
}
