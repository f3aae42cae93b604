/** Where retained writes lie in the database, and how (the whole layout: README in `src/storage`). */
import { namesIn, type Range, rangeOfSpace, scopedKey } from '../../storage/scoped-keys.js';
import { valueText } from '../log/layout.js';
import { ABSENT, UNKNOWN, type View } from '../view.js';

const RETAINED = 'retain/';
const DIGITS = 12;

/** A key. */
export interface Place {
  scope: string;
  key: string;
}

/** The newest write to a key that the remote has confirmed. */
export interface Retained {
  at: number;
  /** The connection on which it was confirmed; `''`: none was open any more. */
  epoch: string;
  receipt?: string;
  /** What it made of the key; not known: there is nothing to watch any more. */
  after: View;
}

/** Writes are gathered by time, so that old ones go without a look at each. A segment is named by when it began, in ms. */
const segmentSpace = (segment: number): string => `${RETAINED}${segment.toString(16).padStart(DIGITS, '0')}/`;
const newestSpace = (segment: number): string => `${segmentSpace(segment)}newest/`;
const heldSpace = (segment: number): string => `${segmentSpace(segment)}held/`;

export const newestId = (segment: number, { scope, key }: Place): string =>
  scopedKey(newestSpace(segment), scope, key);
/** That the key held, before a write of this segment, a value with this fingerprint. */
export const heldId = (segment: number, { scope, key }: Place, fingerprint: string): string =>
  scopedKey(heldSpace(segment), scope, fingerprint + key);

export const placeIn = (segment: number, id: string): Place => namesIn(newestSpace(segment), id);
export const newestIn = (segment: number): Range => rangeOfSpace(newestSpace(segment));
export const allIn = (segment: number): Range => rangeOfSpace(segmentSpace(segment));
/** All segments after one. */
export const allAfter = (segment: number): Range => ({
  gte: rangeOfSpace(segmentSpace(segment)).lt,
  lt: rangeOfSpace(RETAINED).lt,
});
export const segmentIn = (id: string): number =>
  Number.parseInt(id.slice(RETAINED.length, RETAINED.length + DIGITS), 16);

/** The members are short because there may be many; `a`: JSON text, null for no value, 0 for not known. */
interface Packed {
  t: number;
  e: string;
  r?: string;
  a: string | null | 0;
}

export function encodeRetained({ at, epoch, receipt, after }: Retained): Buffer {
  const packed: Packed = {
    t: at,
    e: epoch,
    ...(receipt !== undefined && { r: receipt }),
    a: after.kind === 'value' ? after.text : after.kind === 'absent' ? null : 0,
  };
  return Buffer.from(JSON.stringify(packed));
}

export function decodeRetained(body: Buffer): Retained {
  const { t, e, r, a } = JSON.parse(body.toString()) as Packed;
  return {
    at: t,
    epoch: e,
    ...(r !== undefined && { receipt: r }),
    after: typeof a === 'string' ? valueText(a) : a === null ? ABSENT : UNKNOWN,
  };
}
