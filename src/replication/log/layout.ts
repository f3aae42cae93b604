/**
 * Where the write-ahead log keeps things in the database, and how (the whole layout: README in `src/storage`).
 * Records of a write are named by its sequence number in hex, so that their order is the order of acceptance.
 */
import type { StateFunctionId } from '../../operations/calls.js';
import { decodeInput } from '../../operations/inputs.js';
import { Payload } from '../../protocol/payload.js';
import { ABSENT, type Known, type View } from '../view.js';
import type { Write, WriteInput } from '../write.js';

export const ENTRIES = 'log/entry/';
export const LANES = 'log/lane/';
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

/** An accepted write in the log. */
export interface Entry {
  seq: number;
  acceptedAt: number;
  write: LoggedWrite;
  /** It had been sent and not answered when it was logged. */
  sent: boolean;
  /** It began its lane, and waits for nothing but its turn: until the scanner meets it, it is the lane's head. */
  isAlone: boolean;
  /** For a write of which reading cannot tell: what the key held before, and what it would hold after. */
  expected?: { before: View; after: View };
  /** Size of its record. */
  bytes: number;
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
  b?: string | null | 0;
  a?: string | null | 0;
  m?: string;
  p?: string;
  g?: string;
}

const LENGTH_BYTES = 4;

/** The body of an entry's record: `length of the head (4 bytes) | head (JSON) | input as received (JSON)`. */
export function encodeEntry({
  acceptedAt,
  write,
  sent,
  isAlone,
  expected,
}: Omit<Entry, 'seq' | 'bytes'>): Buffer {
  const { functionId, scope, key, payload, metadata, traceparent, baggage } = write;
  const head: Head = { f: functionId, s: scope, k: key, t: acceptedAt };
  if (sent) head.x = 1;
  if (isAlone) head.o = 1;
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
    sent: head.x === 1,
    isAlone: head.o === 1,
    bytes: body.length,
  };
  if (head.a !== undefined) entry.expected = { before: unpackView(head.b), after: unpackView(head.a) };
  return entry;
}

function packView(view: View): string | null | 0 {
  if (view.kind === 'value') return view.text;
  return view.kind === 'absent' ? null : 0;
}

function unpackView(packed: string | null | 0 | undefined): View {
  if (typeof packed === 'string') return valueText(packed);
  return packed === null ? ABSENT : { kind: 'unknown' };
}

export function valueText(text: string): Known {
  return { kind: 'value', text };
}

/** The lane of one key: its entries, from the one whose turn it is to the newest. */
export interface LaneRecord {
  count: number;
  head: number;
  last: number;
  /** A write before the head was sent and could not be kept: nothing leaves before a fence. */
  fenceFirst: boolean;
}

const SEQ_BYTES = 6;
const LANE_BYTES = 4 + SEQ_BYTES + SEQ_BYTES + 1;

export function encodeLane({ count, head, last, fenceFirst }: LaneRecord): Buffer {
  const body = Buffer.allocUnsafe(LANE_BYTES);
  body.writeUInt32BE(count, 0);
  body.writeUIntBE(head, 4, SEQ_BYTES);
  body.writeUIntBE(last, 4 + SEQ_BYTES, SEQ_BYTES);
  body[LANE_BYTES - 1] = fenceFirst ? 1 : 0;
  return body;
}

export function decodeLane(body: Buffer): LaneRecord {
  return {
    count: body.readUInt32BE(0),
    head: body.readUIntBE(4, SEQ_BYTES),
    last: body.readUIntBE(4 + SEQ_BYTES, SEQ_BYTES),
    fenceFirst: body[LANE_BYTES - 1] === 1,
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
