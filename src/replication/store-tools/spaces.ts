/** The key spaces of a store (README in `src/storage`), what a sound record of each looks like, and its name in words. */
import { decodeIdentity, IDENTITY_KEY } from '../../storage/identity.js';
import { openRecord } from '../../storage/record.js';
import { namesIn } from '../../storage/scoped-keys.js';
import {
  BOOK_KEY,
  CONFLICTS,
  decodeEntry,
  decodeLane,
  decodeSentNote,
  decodeSeq,
  ENTRIES,
  FLOORS,
  LANES,
  LAST_OF_KEY,
  laneAt,
  nextKey,
  QUARANTINE,
  RECEIPTS,
  sentKey,
  seqIn,
} from '../log/layout.js';
import { decodeLearnt, inWords as mirrorInWords } from '../mirror/layout.js';

export const FORMAT_KEY = 'meta/format';
export const MIRROR_SIZE_KEY = 'mirror/size';
export const MIRROR_LISTS = 'mirror/list/';
/** A key of `log/next/` or `log/sent/` without its number. */
export const LINKS = spaceOfSeqKey(nextKey(0));
export const SENT_NOTES = spaceOfSeqKey(sentKey(0));
export const SCOPE_LANES = laneAt('', undefined).replace('\u0000\u0001', '');

function spaceOfSeqKey(key: string): string {
  return key.slice(0, key.lastIndexOf('/') + 1);
}

export interface Space {
  /** As reports call what is in it. */
  readonly name: SpaceName;
  /** Whether the body is what belongs there; may throw instead. */
  readonly isSound: (key: string, body: Buffer) => boolean;
}

export type SpaceName =
  | 'entries'
  | 'lanes'
  | 'links'
  | 'sent_notes'
  | 'book'
  | 'floors'
  | 'last_of_key'
  | 'quarantined'
  | 'receipt_packs'
  | 'conflicts'
  | 'mirror_values'
  | 'mirror_lists'
  | 'mirror_other'
  | 'identity'
  | 'format'
  | 'repeats'
  | 'retained'
  | 'lost'
  | 'other';

const json = (body: Buffer): Record<string, unknown> =>
  JSON.parse(body.toString()) as Record<string, unknown>;
const isJson = (_: string, body: Buffer) => typeof json(body) === 'object';
const isLane = (_: string, body: Buffer) => decodeLane(body).count >= 0;
const isLearnt = (_: string, body: Buffer) => decodeLearnt(body).at >= 0;
const isSeq = (_: string, body: Buffer) => body.length === 6 && decodeSeq(body) > 0;

/** The most numerous ones first: a prefix is looked for in this order. */
const SPACES: readonly (Space & { prefix: string })[] = [
  { prefix: ENTRIES, name: 'entries', isSound: (key, body) => isEntry(seqIn(ENTRIES, key), body) },
  { prefix: LANES, name: 'lanes', isSound: isLane },
  { prefix: 'mirror/value/', name: 'mirror_values', isSound: isLearnt },
  { prefix: LINKS, name: 'links', isSound: isSeq },
  { prefix: LAST_OF_KEY, name: 'last_of_key', isSound: isSeq },
  {
    prefix: SENT_NOTES,
    name: 'sent_notes',
    isSound: (_, body) => body.length === 0 || decodeSentNote(body).marker >= 0,
  },
  { prefix: SCOPE_LANES, name: 'lanes', isSound: isLane },
  { prefix: FLOORS, name: 'floors', isSound: (_, body) => typeof json(body)['scope'] === 'string' },
  { prefix: QUARANTINE, name: 'quarantined', isSound: isQuarantined },
  { prefix: RECEIPTS, name: 'receipt_packs', isSound: (_, body) => Array.isArray(json(body)) },
  { prefix: CONFLICTS, name: 'conflicts', isSound: (_, body) => typeof json(body)['receipt'] === 'string' },
  { prefix: MIRROR_LISTS, name: 'mirror_lists', isSound: isLearnt },
  {
    prefix: MIRROR_SIZE_KEY,
    name: 'mirror_other',
    isSound: (_, body) => Number.isInteger(json(body)['bytes']),
  },
  { prefix: 'mirror/groups', name: 'mirror_other', isSound: isLearnt },
  { prefix: 'repeat/', name: 'repeats', isSound: isJson },
  { prefix: 'retain/', name: 'retained', isSound: (_, body) => body.length === 0 || isJson(_, body) },
  { prefix: 'lost/', name: 'lost', isSound: isJson },
  { prefix: BOOK_KEY, name: 'book', isSound: (_, body) => isBook(json(body)) },
  { prefix: IDENTITY_KEY, name: 'identity', isSound: (_, body) => decodeIdentity(body) !== undefined },
  { prefix: FORMAT_KEY, name: 'format', isSound: () => true },
];

/** What a later version keeps: all that can be said of it is whether its checksum is right. */
const OTHER: Space = { name: 'other', isSound: () => true };

export function spaceOf(key: string): Space {
  return SPACES.find(({ prefix }) => key.startsWith(prefix)) ?? OTHER;
}

/** The body of a record if it is what belongs there; undefined: it is damaged. */
export function soundBody(key: string, record: Buffer, space = spaceOf(key)): Buffer | undefined {
  const body = openRecord(key, record);
  try {
    return body && space.isSound(key, body) ? body : undefined;
  } catch {
    return undefined;
  }
}

function isEntry(seq: number, body: Buffer): boolean {
  const { write, acceptedAt } = decodeEntry(seq, body);
  return (
    seq > 0 &&
    typeof write.scope === 'string' &&
    typeof write.key === 'string' &&
    write.functionId.startsWith('state::') &&
    Number.isFinite(acceptedAt)
  );
}

function isBook(book: Record<string, unknown>): boolean {
  const counts = ['next', 'acknowledged', 'sentUpTo', 'entries', 'bytes', 'accepted'];
  return counts.every((count) => Number.isSafeInteger(book[count])) && typeof book['ended'] === 'object';
}

function isQuarantined(key: string, body: Buffer): boolean {
  const end = 4 + body.readUInt32BE(0);
  const { reason } = json(body.subarray(4, end));
  return typeof reason === 'string' && isEntry(seqIn(QUARANTINE, key), body.subarray(end));
}

/** A damaged record as a person needs it: what it is, and whose, as far as that can still be read. Never a value. */
export interface DamagedRecord {
  record: string;
  scope?: string;
  key?: string;
  seq?: number;
}

export function describeDamaged(key: string, record: Buffer): DamagedRecord {
  if (key.startsWith(ENTRIES)) {
    const seq = seqIn(ENTRIES, key);
    return { record: `entry ${seq} of the log`, seq, ...namesOfEntry(record.subarray(5)) };
  }
  if (key.startsWith(QUARANTINE)) {
    const seq = seqIn(QUARANTINE, key);
    return { record: `write ${seq} in quarantine`, seq, ...namesOfQuarantined(record.subarray(5)) };
  }
  if (key.startsWith(LANES)) return { record: 'a lane of the log', ...namesIn(LANES, key) };
  if (key.startsWith(SCOPE_LANES)) {
    return { record: 'the lane of a scope', scope: namesIn(SCOPE_LANES, key).scope };
  }
  if (key.startsWith(LAST_OF_KEY)) {
    return { record: 'the note on a key in the lane of its scope', ...namesIn(LAST_OF_KEY, key) };
  }
  if (key.startsWith(LINKS)) return { record: `the link behind entry ${seqIn(LINKS, key)} of the log` };
  if (key.startsWith(SENT_NOTES)) return { record: `the note on entry ${seqIn(SENT_NOTES, key)} of the log` };
  if (key.startsWith('mirror/')) return { record: mirrorInWords(key) };
  return { record: WORDS[spaceOf(key).name] ?? 'a record that this version does not know' };
}

const WORDS: Partial<Record<SpaceName, string>> = {
  book: 'the book of the log',
  floors: 'the note where scans begin for the sake of a lane',
  receipt_packs: 'a pack of receipts of settled writes',
  conflicts: 'the record of a conflict',
  identity: 'the identity of the gateway',
  format: 'the format of the store',
};

/** The head of an entry may be whole although its value is not. */
function namesOfEntry(body: Buffer): { scope?: string; key?: string } {
  try {
    const { scope, key } = decodeEntry(0, body).write;
    return typeof scope === 'string' && typeof key === 'string' ? { scope, key } : {};
  } catch {
    return {};
  }
}

function namesOfQuarantined(body: Buffer): { scope?: string; key?: string } {
  const end = body.length >= 4 ? 4 + body.readUInt32BE(0) : body.length;
  return namesOfEntry(body.subarray(end));
}
