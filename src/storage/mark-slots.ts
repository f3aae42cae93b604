/**
 * How the high-water mark lies in its file: two slots, written in turn, so that a write which is cut short leaves the
 * one before it. A slot: length (4 bytes, big endian), then a record (`record.ts`) with the mark as JSON.
 */
import type { FileIdentity } from './file-identity.js';
import { openRecord, sealRecord } from './record.js';

/** How far the log in a store had come. */
export interface Mark {
  /** The store it speaks of; the store's identity has the same name. */
  incarnation: string;
  /** Groups of the log that were on the disk. */
  groups: number;
  /** All sequence numbers of writes in them are below. */
  next: number;
  /** The store was closed well and not opened since. */
  isClean: boolean;
  /** The file it was made in. */
  file: FileIdentity;
}

/** How often the mark has been written, which says which slot is the newer one, and takes the next. */
export interface Slot {
  turn: number;
  mark: Mark;
}

/** More than a sector, so that the disk never writes both at once. */
const SLOT_BYTES = 4096;
export const MARK_BYTES = 2 * SLOT_BYTES;

const NAME = 'high-water-mark';

export function offsetOf(turn: number): number {
  return (turn % 2) * SLOT_BYTES;
}

export function encodeSlot(slot: Slot): Buffer {
  const record = sealRecord(NAME, Buffer.from(JSON.stringify(slot)));
  const length = Buffer.allocUnsafe(4);
  length.writeUInt32BE(record.length);
  return Buffer.concat([length, record]);
}

/** The newer one of those that can be read; undefined: neither can. */
export function newestSlot(file: Buffer): Slot | undefined {
  return [0, 1]
    .flatMap((turn) => decodeSlot(file.subarray(offsetOf(turn))) ?? [])
    .sort((one, other) => other.turn - one.turn)[0];
}

function decodeSlot(bytes: Buffer): Slot | undefined {
  if (bytes.length < 4) return undefined;
  const body = openRecord(NAME, bytes.subarray(4, 4 + bytes.readUInt32BE(0)));
  return body && (JSON.parse(body.toString()) as Slot);
}
