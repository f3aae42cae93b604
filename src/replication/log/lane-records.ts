/** How a lane's record changes with its entries. */
import type { LaneRecord } from './layout.js';

/** A new entry at its end. */
export function withLast(record: LaneRecord | undefined, seq: number, fenceFirst: boolean): LaneRecord {
  if (!record) return { count: 1, head: seq, last: seq, fenceFirst, heldBy: 0, losesUpTo: 0 };
  const head = record.count === 0 ? seq : record.head;
  return { ...record, count: record.count + 1, head, last: seq };
}

/** A new entry before all others, which is what the lane was held for. */
export function withFirst(record: LaneRecord, seq: number): LaneRecord {
  const last = record.count === 0 ? seq : record.last;
  return { ...record, count: record.count + 1, head: seq, last, heldBy: 0 };
}

/** What becomes of the entries behind one that leaves. */
export interface Behind {
  /** They wait for an operator to decide about it. */
  held?: boolean;
  /** They lose as it did. */
  lose?: boolean;
}

/** Without its head; undefined: nothing of the lane is left. */
export function withoutHead(
  record: LaneRecord,
  next: number | undefined,
  { held, lose }: Behind,
): LaneRecord | undefined {
  if (record.count === 1 && !held) return undefined;
  const losesUpTo = lose ? Math.max(record.losesUpTo, record.last) : record.losesUpTo;
  const head = next ?? 0;
  return {
    count: record.count - 1,
    head,
    last: record.count === 1 ? 0 : record.last,
    fenceFirst: false,
    heldBy: held ? record.head : 0,
    losesUpTo: losesUpTo >= head ? losesUpTo : 0,
  };
}

/** Nobody has to decide about it any more; undefined: nothing of the lane is left. */
export function released(record: LaneRecord): LaneRecord | undefined {
  return record.count === 0 ? undefined : { ...record, heldBy: 0 };
}
