/**
 * Where the file store keeps things in the database (the whole layout: README in `src/storage`).
 *
 * A value's database key is `kv/value/`, the scope, an end mark, and the key. A NUL in the scope is followed by U+FFFF,
 * the end mark is NUL and U+0001: no two names meet, and UTF-8's byte order of the scopes is kept.
 */
const VALUES = 'kv/value/';
const END_OF_SCOPE = '\u0000\u0001';
const AFTER_SCOPE = '\u0000\u0002';

/** The insertion place that no key has taken yet; see `Places`. */
export const NEXT_PLACE_KEY = 'kv/next-place';

/** A half-open range of database keys. */
export interface Range {
  gte: string;
  lt: string;
}

export const ALL_VALUES: Range = { gte: VALUES, lt: 'kv/value0' }; // "0" follows "/"

export function valueKey(scope: string, key: string): string {
  return `${VALUES}${escapeScope(scope)}${END_OF_SCOPE}${key}`;
}

export function valuesOf(scope: string): Range {
  const start = VALUES + escapeScope(scope);
  return { gte: start + END_OF_SCOPE, lt: start + AFTER_SCOPE };
}

/** The names in a value's database key. */
export function namesIn(valueKey: string): { scope: string; key: string } {
  const end = valueKey.indexOf(END_OF_SCOPE);
  const scope = valueKey.slice(VALUES.length, end).replaceAll('\u0000\uffff', '\u0000');
  return { scope, key: valueKey.slice(end + END_OF_SCOPE.length) };
}

function escapeScope(scope: string): string {
  return scope.includes('\u0000') ? scope.replaceAll('\u0000', '\u0000\uffff') : scope;
}

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
