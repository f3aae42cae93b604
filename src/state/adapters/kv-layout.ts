/** Where the file store keeps things in the database (the whole layout: README in `src/storage`). */
import {
  namesIn as namesInKey,
  type Range,
  rangeOfScope,
  rangeOfSpace,
  scopedKey,
} from '../../storage/scoped-keys.js';
import type { FirstCall } from './kv-store.js';

const VALUES = 'kv/value/';

/** The insertion place that no key has taken yet; see `Places`. */
export const NEXT_PLACE_KEY = 'kv/next-place';

export const ALL_VALUES: Range = rangeOfSpace(VALUES);

export const valueKey = (scope: string, key: string): string => scopedKey(VALUES, scope, key);

export const valuesOf = (scope: string): Range => rangeOfScope(VALUES, scope);

/** The names in a value's database key. */
export const namesIn = (valueKey: string): { scope: string; key: string } => namesInKey(VALUES, valueKey);

const FIRST_CALLS = 'kv/repeat/';
const CALL_ORDER = 'kv/repeat-order/';
const NUMBER_DIGITS = 12;

/** The calls that have a name, in the order in which they were made. */
export const ALL_CALL_NOTES: Range = rangeOfSpace(CALL_ORDER);

export const firstCallKey = (id: string): string => FIRST_CALLS + id;

export const callNoteKey = (number: number): string =>
  CALL_ORDER + number.toString(16).padStart(NUMBER_DIGITS, '0');

/** The number in a call note's database key. */
export const numberIn = (callNoteKey: string): number =>
  Number.parseInt(callNoteKey.slice(CALL_ORDER.length), 16);

/** A value as it is kept: its place in the insertion order of all keys, and its JSON text. */
export interface Entry {
  place: number;
  text: string;
}

const PLACE_BYTES = 6; // 2^48 places

/** The body of a value's record: `place (6 bytes, big endian) | JSON text (UTF-8)`. */
export function encodeEntry({ place, text }: Entry): Buffer {
  const body = Buffer.allocUnsafe(PLACE_BYTES + Buffer.byteLength(text));
  body.writeUIntBE(place, 0, PLACE_BYTES);
  body.write(text, PLACE_BYTES);
  return body;
}

export function decodeEntry(body: Buffer): Entry {
  return { place: body.readUIntBE(0, PLACE_BYTES), text: body.toString('utf8', PLACE_BYTES) };
}

export function encodePlace(place: number): Buffer {
  return encodeEntry({ place, text: '' });
}

/** The body of a first call's record: `characters of the fingerprint (1 byte) | fingerprint | 1 or 0 (1 byte) | JSON text`. */
export function encodeFirstCall({ fingerprint, before }: FirstCall): Buffer {
  const head = Buffer.from(`${String.fromCharCode(fingerprint.length)}${fingerprint}`, 'latin1');
  return Buffer.concat([head, Buffer.of(before === undefined ? 0 : 1), Buffer.from(before ?? '')]);
}

export function decodeFirstCall(body: Buffer): FirstCall {
  const end = 1 + body.readUInt8(0);
  const before = body.readUInt8(end) === 1 ? body.toString('utf8', end + 1) : undefined;
  return { fingerprint: body.toString('latin1', 1, end), before };
}

/** When a call was made, and its name. */
export interface CallNote {
  at: number;
  id: string;
}

const TIME_BYTES = 6;

/** The body of a call note's record: `ms since 1970 (6 bytes, big endian) | id (UTF-8)`. */
export function encodeCallNote({ at, id }: CallNote): Buffer {
  const time = Buffer.alloc(TIME_BYTES);
  time.writeUIntBE(at, 0, TIME_BYTES);
  return Buffer.concat([time, Buffer.from(id)]);
}

export function decodeCallNote(body: Buffer): CallNote {
  return { at: body.readUIntBE(0, TIME_BYTES), id: body.toString('utf8', TIME_BYTES) };
}
