import { GatewayError } from '../../errors.js';
import type { Database } from '../../storage/database.js';
import type { WriteOp } from '../../storage/group-commit.js';
import { openRecord, putRecord } from '../../storage/record.js';
import type {
  Conflict,
  ConflictOutcome,
  ConflictPolicy,
  ConflictWithValues,
  SeenValue,
} from '../operator.js';
import type { View } from '../view.js';
import { effectOf } from '../write.js';
import { afterLast, CONFLICTS, type Entry, seqIn, seqKey } from './layout.js';
import { timeOf } from './receipts.js';

/** What a replayed write met at the remote, and what became of it. */
export interface Met {
  outcome: ConflictOutcome;
  policy: ConflictPolicy;
  /** What the remote held when it was last known: what the write was accepted on. */
  base: View;
  /** What it held instead. */
  other: View;
}

/** Conflicts that are kept; the oldest make room. */
const KEPT = 10_000;

/** Writes that met a value of somebody else, with both values, as far back as is kept. */
export class Conflicts {
  private next = 1;

  constructor(
    private readonly database: Database,
    private readonly receiptOf: (seq: number) => string,
    private readonly now: () => number,
  ) {}

  /** Learns where the numbers go on. */
  async load(): Promise<void> {
    const newest = { gte: CONFLICTS, lt: afterLast(CONFLICTS), reverse: true, limit: 1 };
    const [key] = await this.database.level.keys(newest).all();
    if (key !== undefined) this.next = seqIn(CONFLICTS, key) + 1;
  }

  /** The record of a conflict, and what makes room for it. */
  record({ seq, write }: Entry, { outcome, policy, base, other }: Met): WriteOp[] {
    const number = this.next;
    this.next += 1;
    const { after } = effectOf(write.input, { kind: 'unknown' });
    const conflict: Omit<ConflictWithValues, 'number'> = {
      receipt: this.receiptOf(seq),
      outcome,
      policy,
      scope: write.scope,
      key: write.key,
      function_id: write.functionId,
      at: timeOf(this.now()),
      base: seen(base),
      // What it would do to a key depends on what that held: then the call itself says most.
      local: after.kind === 'unknown' ? { kind: 'input', text: write.payload.text } : seen(after),
      remote: seen(other),
    };
    return [
      putRecord(seqKey(CONFLICTS, number), Buffer.from(JSON.stringify(conflict))),
      ...(number > KEPT ? [{ type: 'del', key: seqKey(CONFLICTS, number - KEPT) } as const] : []),
    ];
  }

  /** By number, those after `after`, without values; damaged ones are passed over. */
  async list(after: number, limit: number): Promise<Conflict[]> {
    const found: Conflict[] = [];
    const range = { gt: seqKey(CONFLICTS, after), lt: afterLast(CONFLICTS) };
    for await (const [key, record] of this.database.level.iterator(range)) {
      const conflict = decode(key, record);
      if (!conflict) continue;
      const { base: _, local: __, remote: ___, ...told } = conflict;
      found.push(told);
      if (found.length === limit) break;
    }
    return found;
  }

  /** @throws GatewayError `GATEWAY_NOT_FOUND`. */
  show(number: number): ConflictWithValues {
    const key = seqKey(CONFLICTS, number);
    const record = this.database.read(key);
    const conflict = record && decode(key, record);
    if (conflict) return conflict;
    throw new GatewayError(
      'GATEWAY_NOT_FOUND',
      `No conflict with the number ${number} is recorded (any more). \`iii-state-gateway conflicts list\` shows those that are`,
    );
  }
}

/** Undefined: it is damaged. */
function decode(key: string, record: Buffer): ConflictWithValues | undefined {
  const body = openRecord(key, record);
  return body && { number: seqIn(CONFLICTS, key), ...JSON.parse(body.toString()) };
}

function seen(view: View): SeenValue {
  return view.kind === 'value' ? { kind: 'value', text: view.text } : { kind: view.kind };
}
