import { randomFillSync } from 'node:crypto';

/** Engines take 16 MiB in one frame and 64 MiB in one message of several (observe 2.5). */
export const MAX_FRAME_BYTES = 16 * 1024 * 1024;
export const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;

/** Which end of the connection writes: RFC 6455 has the client's frames masked (section 5.3). */
export type Role = 'server' | 'client';

const FINAL = 0x80;
const TEXT = 0x01;
const CONTINUATION = 0x00;
const MASKED = 0x80;
const SHORT = 125;
const MEDIUM = 0xffff;
const MASK_BYTES = 4;
const MAX_HEADER_BYTES = 14;
/** What is too large for one frame goes in parts of this size, as the SDKs send it. */
const FRAGMENT_BYTES = 1024 * 1024;

/**
 * Lays text messages out as WebSocket frames, one behind the other in one buffer, so that all messages of a turn
 * cost one write. A message too large for one frame becomes several.
 */
export function layOut(messages: readonly string[], role: Role): Buffer {
  const sizes = messages.map((text) => Buffer.byteLength(text));
  const buffer = Buffer.allocUnsafe(sizes.reduce((room, bytes) => room + roomFor(bytes), 0));
  let at = 0;
  for (const [index, text] of messages.entries()) {
    at = writeMessage(buffer, at, text, sizes[index] as number, role);
  }
  return buffer.subarray(0, at);
}

function roomFor(bytes: number): number {
  return bytes + MAX_HEADER_BYTES * Math.max(1, Math.ceil(bytes / FRAGMENT_BYTES));
}

function writeMessage(buffer: Buffer, at: number, text: string, bytes: number, role: Role): number {
  const masked = role === 'client' ? MASK_BYTES : 0;
  if (bytes > MAX_FRAME_BYTES) return writeFragments(buffer, at, Buffer.from(text, 'utf8'), masked);
  const body = writeHeader(buffer, at, FINAL | TEXT, bytes, masked);
  buffer.write(text, body, 'utf8');
  return finish(buffer, body, bytes, masked);
}

function writeFragments(buffer: Buffer, at: number, bytes: Buffer, masked: number): number {
  let next = at;
  for (let start = 0; start < bytes.length; start += FRAGMENT_BYTES) {
    const part = bytes.subarray(start, start + FRAGMENT_BYTES);
    const isLast = start + part.length === bytes.length;
    const head = (start === 0 ? TEXT : CONTINUATION) | (isLast ? FINAL : 0);
    const body = writeHeader(buffer, next, head, part.length, masked);
    part.copy(buffer, body);
    next = finish(buffer, body, part.length, masked);
  }
  return next;
}

function writeHeader(buffer: Buffer, at: number, head: number, length: number, masked: number): number {
  const maskBit = masked > 0 ? MASKED : 0;
  buffer[at] = head;
  if (length <= SHORT) {
    buffer[at + 1] = maskBit | length;
    return at + 2 + masked;
  }
  if (length <= MEDIUM) {
    buffer[at + 1] = maskBit | 126;
    buffer.writeUInt16BE(length, at + 2);
    return at + 4 + masked;
  }
  buffer[at + 1] = maskBit | 127;
  buffer.writeBigUInt64BE(BigInt(length), at + 2);
  return at + 10 + masked;
}

function finish(buffer: Buffer, body: number, length: number, masked: number): number {
  if (masked > 0) mask(buffer, body, length);
  return body + length;
}

const randomness = Buffer.alloc(8192);
let unused = randomness.length;

/** Masks a body in place, with a fresh key before it (RFC 6455 wants one that cannot be foreseen). */
function mask(buffer: Buffer, body: number, length: number): void {
  if (unused === randomness.length) {
    randomFillSync(randomness);
    unused = 0;
  }
  randomness.copy(buffer, body - MASK_BYTES, unused, unused + MASK_BYTES);
  const k0 = randomness[unused] as number;
  const k1 = randomness[unused + 1] as number;
  const k2 = randomness[unused + 2] as number;
  const k3 = randomness[unused + 3] as number;
  unused += MASK_BYTES;
  const end = body + length;
  let at = body;
  for (; at + 3 < end; at += 4) {
    buffer[at] = (buffer[at] as number) ^ k0;
    buffer[at + 1] = (buffer[at + 1] as number) ^ k1;
    buffer[at + 2] = (buffer[at + 2] as number) ^ k2;
    buffer[at + 3] = (buffer[at + 3] as number) ^ k3;
  }
  if (at < end) buffer[at] = (buffer[at] as number) ^ k0;
  if (at + 1 < end) buffer[at + 1] = (buffer[at + 1] as number) ^ k1;
  if (at + 2 < end) buffer[at + 2] = (buffer[at + 2] as number) ^ k2;
}
