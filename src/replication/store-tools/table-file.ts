/**
 * LevelDB's tables: blocks of records in order, each `data | packing (1 byte) | checksum (4)`, an index of them, and a footer
 * that says where the index is. LevelDB does not compare the checksums, and ends the process over records out of order; read
 * here, a damaged block is known and left out.
 */
import { readFile } from 'node:fs/promises';
import { crc32c, masked } from './crc32c.js';
import { unpack } from './snappy.js';

const FOOTER_BYTES = 48;
const MAGIC = 0xdb4775248b80fb57n;
const TRAILER_BYTES = 5;
const SNAPPY = 1;

export interface TableState {
  blocks: number;
  damaged: number;
}

interface Place {
  offset: number;
  size: number;
}

/** Undefined: it cannot be read at all. */
export async function checkTable(file: string): Promise<TableState | undefined> {
  const bytes = await readFile(file);
  const places = placesIn(bytes);
  if (!places) return undefined;
  const all = [...places.data, ...places.other];
  return { blocks: all.length, damaged: all.filter((place) => !hasGoodChecksum(bytes, place)).length };
}

/** The intact records of a table, each as a batch of its own that puts it in its old place in the order of all writes. */
export async function* batchesIn(file: string): AsyncGenerator<Buffer> {
  const bytes = await readFile(file);
  for (const place of placesIn(bytes)?.data ?? []) {
    const block = blockAt(bytes, place);
    if (block) for (const [key, value] of recordsIn(block)) yield batchOf(key, value);
  }
}

function placesIn(bytes: Buffer): { data: Place[]; other: Place[] } | undefined {
  try {
    const footer = bytes.subarray(-FOOTER_BYTES);
    if (footer.readBigUInt64LE(FOOTER_BYTES - 8) !== MAGIC) return undefined;
    const [meta, afterMeta] = placeAt(footer, 0);
    const index = blockAt(bytes, placeAt(footer, afterMeta)[0]);
    if (!index) return undefined;
    const data = [...recordsIn(index)].map(([, place]) => placeAt(place, 0)[0]);
    const metaBlock = blockAt(bytes, meta);
    const filters = metaBlock ? [...recordsIn(metaBlock)].map(([, place]) => placeAt(place, 0)[0]) : [];
    return { data, other: [meta, ...filters] };
  } catch {
    return undefined;
  }
}

function hasGoodChecksum(bytes: Buffer, { offset, size }: Place): boolean {
  const end = offset + size + 1;
  return end + 4 <= bytes.length && bytes.readUInt32LE(end) === masked(crc32c(bytes, offset, end));
}

/** Undefined: it is damaged. */
function blockAt(bytes: Buffer, place: Place): Buffer | undefined {
  if (place.offset + place.size + TRAILER_BYTES > bytes.length || !hasGoodChecksum(bytes, place))
    return undefined;
  const { offset, size } = place;
  const data = bytes.subarray(offset, offset + size);
  return bytes[offset + size] === SNAPPY ? unpack(data) : data;
}

/** Each key is given as what it has in common with the one before it, and the rest. */
function* recordsIn(block: Buffer): Generator<[key: Buffer, value: Buffer]> {
  const end = block.length - 4 - 4 * block.readUInt32LE(block.length - 4);
  let key = Buffer.alloc(0);
  for (let at = 0; at < end; ) {
    const [shared, afterShared] = numberAt(block, at);
    const [rest, afterRest] = numberAt(block, afterShared);
    const [size, start] = numberAt(block, afterRest);
    key = Buffer.concat([key.subarray(0, shared), block.subarray(start, start + rest)]);
    at = start + rest + size;
    yield [key, block.subarray(start + rest, at)];
  }
}

/** The last 8 bytes of a table's key: 1 if it was put, 0 if it was deleted, and its place in the order of all writes. */
function batchOf(tableKey: Buffer, value: Buffer): Buffer {
  const key = tableKey.subarray(0, -8);
  const tag = tableKey.readBigUInt64LE(tableKey.length - 8);
  const head = Buffer.alloc(13);
  head.writeBigUInt64LE(tag >> 8n, 0);
  head.writeUInt32LE(1, 8);
  const isPut = (tag & 0xffn) === 1n;
  head[12] = isPut ? 1 : 0;
  const parts = [head, encodeNumber(key.length), key];
  return Buffer.concat(isPut ? [...parts, encodeNumber(value.length), value] : parts);
}

function placeAt(bytes: Buffer, at: number): [place: Place, end: number] {
  const [offset, afterOffset] = numberAt(bytes, at);
  const [size, end] = numberAt(bytes, afterOffset);
  return [{ offset, size }, end];
}

function numberAt(bytes: Buffer, from: number): [value: number, end: number] {
  let value = 0;
  for (let at = from, factor = 1; ; at += 1, factor *= 128) {
    const byte = bytes.readUInt8(at);
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) return [value, at + 1];
  }
}

function encodeNumber(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  for (; left >= 128; left = Math.floor(left / 128)) bytes.push((left % 128) | 0x80);
  return Buffer.from([...bytes, left]);
}
