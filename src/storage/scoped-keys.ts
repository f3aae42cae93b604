/**
 * Database keys that hold a scope and a key, within a key space (the whole layout: README of this folder).
 *
 * Such a key is the space, the scope, an end mark, and the key. A NUL in the scope is followed by U+FFFF, the end mark
 * is NUL and U+0001: no two names meet, and UTF-8's byte order of the scopes is kept.
 */
const END_OF_SCOPE = '\u0000\u0001';
const AFTER_SCOPE = '\u0000\u0002';

/** A half-open range of database keys. */
export interface Range {
  gte: string;
  lt: string;
}

/** @param space a name and a slash */
export function scopedKey(space: string, scope: string, key: string): string {
  return space + escapeScope(scope) + END_OF_SCOPE + key;
}

/** All keys of one scope. */
export function rangeOfScope(space: string, scope: string): Range {
  const start = space + escapeScope(scope);
  return { gte: start + END_OF_SCOPE, lt: start + AFTER_SCOPE };
}

/** Everything in a key space. */
export function rangeOfSpace(space: string): Range {
  return { gte: space, lt: `${space.slice(0, -1)}0` }; // "0" follows "/"
}

/** The names in a database key that `scopedKey` made. */
export function namesIn(space: string, databaseKey: string): { scope: string; key: string } {
  const end = databaseKey.indexOf(END_OF_SCOPE, space.length);
  const scope = databaseKey.slice(space.length, end).replaceAll('\u0000\uffff', '\u0000');
  return { scope, key: databaseKey.slice(end + END_OF_SCOPE.length) };
}

function escapeScope(scope: string): string {
  return scope.includes('\u0000') ? scope.replaceAll('\u0000', '\u0000\uffff') : scope;
}
