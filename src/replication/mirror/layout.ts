/** Where the mirror keeps things in the database, and how (the whole layout: README in `src/storage`). */
import { namesIn, scopedKey } from '../../storage/scoped-keys.js';
import { ABSENT, type Known } from '../view.js';

/** Last known values, by scope and key. */
export const VALUES = 'mirror/value/';
/** Last known lists of whole scopes: under the key `''` the list itself, under numbers in hex the changes since. */
const LISTS = 'mirror/list/';
export const GROUPS_KEY = 'mirror/groups';
/** How much there is, and how far the sweep has come. */
export const BOOKMARK_KEY = 'mirror/size';

export const ALL_LISTS = { gte: LISTS, lt: 'mirror/list0' };
/** Everything that is counted, and the bookmark in the midst of it. */
export const ALL_RECORDS = { gte: GROUPS_KEY, lt: 'mirror/value0' };

const CHANGE_DIGITS = 4;

export const valueId = (scope: string, key: string): string => scopedKey(VALUES, scope, key);

/** Where a scope's list lies (0), or one of the changes since (from 1 on). */
export function listId(scope: string, change: number): string {
  return scopedKey(LISTS, scope, change === 0 ? '' : change.toString(16).padStart(CHANGE_DIGITS, '0'));
}

/** What a record of the mirror is about. */
export type MirrorName =
  | { kind: 'value'; scope: string; key: string }
  | { kind: 'list'; scope: string; change: number }
  | { kind: 'other' };

export function nameOf(id: string): MirrorName {
  if (id.startsWith(VALUES)) return { kind: 'value', ...namesIn(VALUES, id) };
  if (!id.startsWith(LISTS)) return { kind: 'other' };
  const { scope, key } = namesIn(LISTS, id);
  return { kind: 'list', scope, change: key === '' ? 0 : Number.parseInt(key, 16) };
}

/** A record in words, for whoever has to be told that it is damaged. */
export function inWords(id: string): string {
  const name = nameOf(id);
  switch (name.kind) {
    case 'value':
      return `the last known value of key ${JSON.stringify(name.key)} in scope ${JSON.stringify(name.scope)}`;
    case 'list':
      return `the last known list of scope ${JSON.stringify(name.scope)}`;
    case 'other':
      return 'the last known list of scopes';
  }
}

/** A value, or its absence, and when we learnt it. */
export interface Learnt {
  known: Known;
  at: number;
}

const AT_BYTES = 6;
const HEADER_BYTES = 1 + AT_BYTES;

/** The body of a record: `1 if there is a value (1 byte) | time in ms (6 bytes, big endian) | JSON text (UTF-8)`. */
export function encodeLearnt({ known, at }: Learnt): Buffer {
  const text = known.kind === 'value' ? known.text : '';
  const body = Buffer.allocUnsafe(HEADER_BYTES + Buffer.byteLength(text));
  body[0] = known.kind === 'value' ? 1 : 0;
  body.writeUIntBE(at, 1, AT_BYTES);
  body.write(text, HEADER_BYTES);
  return body;
}

export function decodeLearnt(body: Buffer): Learnt {
  const known: Known = body[0] === 1 ? { kind: 'value', text: body.toString('utf8', HEADER_BYTES) } : ABSENT;
  return { known, at: learntAt(body) };
}

export function learntAt(body: Buffer): number {
  return body.readUIntBE(1, AT_BYTES);
}
