/** Where the file store keeps things in the database (the whole layout: README in `src/storage`). */
import {
  namesIn as namesInKey,
  type Range,
  rangeOfScope,
  rangeOfSpace,
  scopedKey,
} from '../../storage/scoped-keys.js';

const VALUES = 'kv/value/';

/** The insertion place that no key has taken yet; see `Places`. */
export const NEXT_PLACE_KEY = 'kv/next-place';

export const ALL_VALUES: Range = rangeOfSpace(VALUES);

export const valueKey = (scope: string, key: string): string => scopedKey(VALUES, scope, key);

export const valuesOf = (scope: string): Range => rangeOfScope(VALUES, scope);

/** The names in a value's database key. */
export const namesIn = (valueKey: string): { scope: string; key: string } => namesInKey(VALUES, valueKey);

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
