/** How a lane's record changes with its entries. */
import type { Entry, LaneRecord } from './layout.js';

/** A new entry at its end. Without spreads, which cost a write offline too much. */
export function withLast(record: LaneRecord | undefined, seq: number, fenceFirst: boolean): LaneRecord {
  if (!record) {
    return {
      count: 1,
      head: seq,
      last: seq,
      fenceFirst,
      heldBy: 0,
      losesUpTo: 0,
      parks: false,
      floor: 0,
    };
  }
  const head = record.count === 0 ? seq : record.head;
  return {
    count: record.count + 1,
    head,
    last: seq,
    fenceFirst: record.fenceFirst,
    heldBy: record.heldBy,
    losesUpTo: record.losesUpTo,
    parks: record.parks,
    floor: record.floor,
  };
}

/** A new entry before all others, which is what the lane was held for; what is based on it is so again. */
export function withFirst(record: LaneRecord, seq: number): LaneRecord {
  const last = record.count === 0 ? seq : record.last;
  return { ...record, count: record.count + 1, head: seq, last, heldBy: 0, losesUpTo: 0, parks: false };
}

/** What becomes of the entries behind one that leaves. */
export interface Behind {
  /** They wait for an operator to decide about it. */
  held?: boolean;
  /** They go the way it went. */
  follow?: 'loser' | 'parked' | undefined;
}

/** Without its head; undefined: nothing of the lane is left. */
export function withoutHead(
  record: LaneRecord,
  next: number | undefined,
  { held, follow }: Behind,
): LaneRecord | undefined {
  if (record.count === 1 && !held) return undefined;
  const losesUpTo = follow ? Math.max(record.losesUpTo, record.last) : record.losesUpTo;
  const head = next ?? 0;
  const heldBy = held ? record.head : 0;
  const loses = losesUpTo >= head;
  return {
    count: record.count - 1,
    head,
    last: record.count === 1 ? 0 : record.last,
    fenceFirst: false,
    heldBy,
    losesUpTo: loses ? losesUpTo : 0,
    parks: loses && (follow ? follow === 'parked' : record.parks),
    floor: record.floor || (held ? (next === undefined ? heldBy : Math.min(heldBy, next)) : 0),
  };
}

/** What became of the write that an entry was accepted on top of, if it was not applied; undefined: it was, or there was none. */
export function whomItFollows(
  { losesUpTo, parks }: LaneRecord,
  { seq, follows }: Pick<Entry, 'seq' | 'follows'>,
): Entry['follows'] {
  if (follows) return follows;
  if (seq > losesUpTo) return undefined;
  return parks ? 'parked' : 'loser';
}

/** Nobody has to decide about it any more; undefined: nothing of the lane is left. */
export function released(record: LaneRecord): LaneRecord | undefined {
  return record.count === 0 ? undefined : { ...record, heldBy: 0 };
}
