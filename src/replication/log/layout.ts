/**
 * Where the write-ahead log keeps things in the database, and how (the whole layout: README in `src/storage`).
 * Records of a write are named by its sequence number in hex, so that their order is the order of acceptance.
 */
import type { StateFunctionId } from '../../operations/calls.js';
import { decodeInput } from '../../operations/inputs.js';
import { Payload } from '../../protocol/payload.js';
import { scopedKey } from '../../storage/scoped-keys.js';
import { ABSENT, type Known, type View } from '../view.js';
import { classOf, type Write, type WriteClass, type WriteInput } from '../write.js';

export const ENTRIES = 'log/entry/';
/** The lanes of single keys. */
export const LANES = 'log/lane/';
/** The lanes of scopes that have one order as a whole. */
const SCOPE_LANES = 'log/scope-lane/';
/** In such a lane: the last entry of each key. */
export const LAST_OF_KEY = 'log/last-of-key/';
/** Lanes that wait for an operator, or have entries out of their order since they did. */
export const FLOORS = 'log/floor/';
export const BOOK_KEY = 'log/book';
const NEXT = 'log/next/';
const SENT = 'log/sent/';
export const QUARANTINE = 'quarantine/';
export const RECEIPTS = 'receipt/';
export const CONFLICTS = 'conflict/';

const HEX_DIGITS = 12; // 2^48 sequence numbers

export const seqKey = (space: string, seq: number): string =>
  space + seq.toString(16).padStart(HEX_DIGITS, '0');
export const seqIn = (space: string, databaseKey: string): number =>
  Number.parseInt(databaseKey.slice(space.length), 16);
export const afterLast = (space: string): string => `${space}g`; // sorts after every hex digit
export const entryKey = (seq: number): string => seqKey(ENTRIES, seq);
/** The entry that follows in the same lane. */
export const nextKey = (seq: number): string => seqKey(NEXT, seq);
/** That this entry's frame may have left. */
export const sentKey = (seq: number): string => seqKey(SENT, seq);

/** Where the record of a lane lies, which is also its name: the lane of a key, or without one that of a whole scope. */
export function laneAt(scope: string, key: string | undefined): string {
  return key === undefined ? scopedKey(SCOPE_LANES, scope, '') : scopedKey(LANES, scope, key);
}

export const lastOfKeyAt = (scope: string, key: string): string => scopedKey(LAST_OF_KEY, scope, key);
export const floorAt = (seq: number): string => seqKey(FLOORS, seq);

/** An accepted write in the log. */
export interface Entry {
  seq: number;
  acceptedAt: number;
  write: LoggedWrite;
  /** Its lane is that of the whole scope. */
  inScopeOrder: boolean;
  /** It had been sent and not answered when it was logged. */
  sent: boolean;
  /** It began its lane, and waits for nothing but its turn: until the scanner meets it, it is the lane's head. */
  isAlone: boolean;
  /** For a write of which reading cannot tell: what the key held before, and what it would hold after. */
  expected?: Expected | undefined;
  /** The name under which its caller may ask for it again. */
  repeatId?: string | undefined;
  /** In the lane of a scope: it was accepted on top of a write to its key that has lost to the remote's value. */
  follows?: 'loser' | 'parked' | undefined;
  /** The receipt that its frame carried when it went out before it was logged. */
  sentAs?: string | undefined;
  /** Size of its record. */
  bytes: number;
}

export interface Expected {
  before: View;
  after: View;
}

/** A write as it lies in the log; its input is parsed when somebody needs more than its text. */
export class LoggedWrite implements Write {
  private parsed: WriteInput | undefined;

  constructor(
    readonly functionId: WriteInput['functionId'],
    readonly scope: string,
    readonly key: string,
    readonly payload: Payload,
    readonly metadata: Payload | undefined,
    readonly traceparent: string | undefined,
    readonly baggage: string | undefined,
  ) {}

  get input(): WriteInput {
    this.parsed ??= decodeInput(this.functionId as StateFunctionId, this.payload).input as WriteInput;
    return this.parsed;
  }

  /** Without looking into its input where its function tells. */
  get kind(): WriteClass {
    return this.functionId === 'state::update' ? classOf(this.input) : 'absolute';
  }

  static of({ input, payload, metadata, traceparent, baggage }: Write): LoggedWrite {
    const logged = new LoggedWrite(
      input.functionId,
      input.scope,
      input.key,
      payload,
      metadata,
      traceparent,
      baggage,
    );
    logged.parsed = input;
    return logged;
  }
}

/** The members are short because a log may hold a million of them. */
interface Head {
  f: WriteInput['functionId'];
  s: string;
  k: string;
  t: number;
  x?: 1;
  o?: 1;
  w?: 1;
  i?: string;
  r?: string;
  y?: 'loser' | 'parked';
  b?: Packed;
  a?: Packed;
  m?: string;
  p?: string;
  g?: string;
}

const LENGTH_BYTES = 4;

/** The body of an entry's record: `length of the head (4 bytes) | head (JSON) | input as received (JSON)`. */
export function encodeEntry(entry: Omit<Entry, 'seq' | 'bytes'>): Buffer {
  const { acceptedAt, write, inScopeOrder, sent, isAlone, expected, repeatId, sentAs } = entry;
  const { functionId, scope, key, payload, metadata, traceparent, baggage } = write;
  const head: Head = { f: functionId, s: scope, k: key, t: acceptedAt };
  if (sent) head.x = 1;
  if (isAlone) head.o = 1;
  if (inScopeOrder) head.w = 1;
  if (repeatId !== undefined) head.i = repeatId;
  if (sentAs !== undefined) head.r = sentAs;
  if (entry.follows !== undefined) head.y = entry.follows;
  if (expected) {
    head.b = packView(expected.before);
    head.a = packView(expected.after);
  }
  if (metadata) head.m = metadata.text;
  if (traceparent !== undefined) head.p = traceparent;
  if (baggage !== undefined) head.g = baggage;
  const headText = JSON.stringify(head);
  const headBytes = Buffer.byteLength(headText);
  const body = Buffer.allocUnsafe(LENGTH_BYTES + headBytes + Buffer.byteLength(payload.text));
  body.writeUInt32BE(headBytes, 0);
  body.write(headText, LENGTH_BYTES);
  body.write(payload.text, LENGTH_BYTES + headBytes);
  return body;
}

export function decodeEntry(seq: number, body: Buffer): Entry {
  const end = LENGTH_BYTES + body.readUInt32BE(0);
  const head = JSON.parse(body.toString('utf8', LENGTH_BYTES, end)) as Head;
  const write = new LoggedWrite(
    head.f,
    head.s,
    head.k,
    Payload.fromText(body.toString('utf8', end)),
    head.m === undefined ? undefined : Payload.fromText(head.m),
    head.p,
    head.g,
  );
  const entry: Entry = {
    seq,
    acceptedAt: head.t,
    write,
    inScopeOrder: head.w === 1,
    sent: head.x === 1,
    isAlone: head.o === 1,
    bytes: body.length,
  };
  if (head.a !== undefined) entry.expected = { before: unpackView(head.b), after: unpackView(head.a) };
  if (head.i !== undefined) entry.repeatId = head.i;
  if (head.r !== undefined) entry.sentAs = head.r;
  if (head.y !== undefined) entry.follows = head.y;
  return entry;
}

/** What is noted before the frame of an update leaves, so that a crash does not take it for one that was never sent. */
export interface SentNote {
  /** What the key held then, as the remote last told, and what it would hold afterwards. */
  expected: Expected;
  /** The number of the marker it carries; 0: none. */
  marker: number;
  /** It carries its receipt, for a remote that drops repeats. */
  withReceipt: boolean;
}

export function encodeSentNote({ expected: { before, after }, marker, withReceipt }: SentNote): Buffer {
  const note = { b: packView(before), a: packView(after), n: marker, r: withReceipt };
  return Buffer.from(JSON.stringify(note));
}

export function decodeSentNote(body: Buffer): SentNote {
  const { b, a, n, r } = JSON.parse(body.toString()) as { b: Packed; a: Packed; n: number; r: boolean };
  return { expected: { before: unpackView(b), after: unpackView(a) }, marker: n, withReceipt: r };
}

type Packed = string | null | 0;

function packView(view: View): Packed {
  if (view.kind === 'value') return view.text;
  return view.kind === 'absent' ? null : 0;
}

function unpackView(packed: Packed | undefined): View {
  if (typeof packed === 'string') return valueText(packed);
  return packed === null ? ABSENT : { kind: 'unknown' };
}

export function valueText(text: string): Known {
  return { kind: 'value', text };
}

/** One lane: its entries, from the one whose turn it is to the newest. */
export interface LaneRecord {
  /** 0 only in a lane that is held. */
  count: number;
  head: number;
  last: number;
  /** A write before the head was sent and could not be kept: nothing leaves before a fence. */
  fenceFirst: boolean;
  /** The write in quarantine that those behind it wait for; 0: none. */
  heldBy: number;
  /** Entries up to this one were accepted on top of a write that lost to the remote's value; 0: none. */
  losesUpTo: number;
  /** That write went to quarantine, and so do they. */
  parks: boolean;
  /** Scans begin before this entry as long as there is anything in the lane; 0: nothing is out of its order. */
  floor: number;
}

const SEQ_BYTES = 6;
const PLAIN_LANE_BYTES = 4 + SEQ_BYTES + SEQ_BYTES + 1;
const LANE_BYTES = PLAIN_LANE_BYTES + SEQ_BYTES + SEQ_BYTES + SEQ_BYTES;
const FENCE_FIRST = 1;
const PARKS = 2;

/** Most lanes are neither held nor losing, and their records are shorter. */
export function encodeLane(lane: LaneRecord): Buffer {
  const { count, head, last, fenceFirst, heldBy, losesUpTo, parks, floor } = lane;
  const isPlain = heldBy === 0 && losesUpTo === 0 && floor === 0;
  const body = Buffer.allocUnsafe(isPlain ? PLAIN_LANE_BYTES : LANE_BYTES);
  body.writeUInt32BE(count, 0);
  body.writeUIntBE(head, 4, SEQ_BYTES);
  body.writeUIntBE(last, 4 + SEQ_BYTES, SEQ_BYTES);
  body[PLAIN_LANE_BYTES - 1] = (fenceFirst ? FENCE_FIRST : 0) | (parks ? PARKS : 0);
  if (isPlain) return body;
  for (const [index, seq] of [heldBy, losesUpTo, floor].entries()) {
    body.writeUIntBE(seq, PLAIN_LANE_BYTES + index * SEQ_BYTES, SEQ_BYTES);
  }
  return body;
}

export function decodeLane(body: Buffer): LaneRecord {
  const more = (index: number) =>
    body.length === PLAIN_LANE_BYTES ? 0 : body.readUIntBE(PLAIN_LANE_BYTES + index * SEQ_BYTES, SEQ_BYTES);
  const flags = body[PLAIN_LANE_BYTES - 1] ?? 0;
  return {
    count: body.readUInt32BE(0),
    head: body.readUIntBE(4, SEQ_BYTES),
    last: body.readUIntBE(4 + SEQ_BYTES, SEQ_BYTES),
    fenceFirst: (flags & FENCE_FIRST) !== 0,
    heldBy: more(0),
    losesUpTo: more(1),
    parks: (flags & PARKS) !== 0,
    floor: more(2),
  };
}

export function encodeSeq(seq: number): Buffer {
  const body = Buffer.allocUnsafe(SEQ_BYTES);
  body.writeUIntBE(seq, 0, SEQ_BYTES);
  return body;
}

export function decodeSeq(body: Buffer): number {
  return body.readUIntBE(0, SEQ_BYTES);
}
