/**
 * How a value lies in the database: `version (1 byte) | crc32 (4 bytes, big endian) | body`.
 *
 * LevelDB does not check what it reads (a flipped bit in a table came back as a value, unnoticed). The checksum covers
 * the key too, so that a good record under a damaged key is noticed as well.
 */
import { crc32 } from 'node:zlib';
import type { WriteOp } from './group-commit.js';

const VERSION = 1;
const HEADER_BYTES = 5;

/** The record of `body` under `key`. */
export function sealRecord(key: string, body: Buffer): Buffer {
  const record = Buffer.allocUnsafe(HEADER_BYTES + body.length);
  record[0] = VERSION;
  record.writeUInt32BE(checksum(key, body), 1);
  body.copy(record, HEADER_BYTES);
  return record;
}

/** Writes the record of `body` under `key`. */
export function putRecord(key: string, body: Buffer): WriteOp {
  return { type: 'put', key, value: sealRecord(key, body) };
}

/** The body of the record found under `key`, or undefined if it is damaged or of a version we do not know. */
export function openRecord(key: string, record: Buffer): Buffer | undefined {
  if (record.length < HEADER_BYTES || record[0] !== VERSION) return undefined;
  const body = record.subarray(HEADER_BYTES);
  return record.readUInt32BE(1) === checksum(key, body) ? body : undefined;
}

function checksum(key: string, body: Buffer): number {
  return crc32(body, crc32(key));
}
