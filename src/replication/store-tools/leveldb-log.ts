/**
 * LevelDB's log files, which also serve as its manifests: blocks of 32 KiB, in them fragments of records, each
 * `checksum (4 bytes, little endian) | length (2) | type (1) | data`. Where a fragment is damaged, LevelDB drops the rest
 * of its block without a word. Read here, a damage is known, and costs only the record that it is in.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { crc32c, masked } from './crc32c.js';

const BLOCK_BYTES = 32 * 1024;
const HEADER_BYTES = 7;
/** Blocks read at once. */
const BLOCKS_PER_TRIP = 64;

const FULL = 1;
const FIRST = 2;
const MIDDLE = 3;
const LAST = 4;

export type LogPart =
  | { kind: 'record'; data: Buffer }
  /** Something between two intact records that no checksum vouches for. */
  | { kind: 'damage'; at: number }
  /** The file ends within a record: what was being written when the power failed, or cut off later. */
  | { kind: 'torn'; at: number };

/** All that a log file holds, in order; stretches of damage that no intact record parts are one. */
export async function* partsOf(file: string): AsyncGenerator<LogPart> {
  const handle = await open(file, 'r');
  try {
    const reader = new LogReader();
    for await (const { at, block, isLast } of blocksOf(handle)) yield* reader.read(at, block, isLast);
    yield* reader.end();
  } finally {
    await handle.close();
  }
}

async function* blocksOf(handle: FileHandle): AsyncGenerator<{ at: number; block: Buffer; isLast: boolean }> {
  const { size } = await handle.stat();
  for (let from = 0; from < size; ) {
    const wanted = Math.min(size - from, BLOCKS_PER_TRIP * BLOCK_BYTES);
    const buffer = Buffer.allocUnsafe(wanted); // not one for all: records keep pieces of it
    const { bytesRead } = await handle.read(buffer, 0, wanted, from);
    if (bytesRead === 0) return;
    for (let at = 0; at < bytesRead; at += BLOCK_BYTES) {
      const block = buffer.subarray(at, Math.min(at + BLOCK_BYTES, bytesRead));
      yield { at: from + at, block, isLast: from + at + block.length >= size };
    }
    from += bytesRead;
  }
}

/** Puts the fragments together. */
class LogReader {
  private fragments: Buffer[] = [];
  private begunAt: number | undefined;
  private damagedAt: number | undefined;

  *read(blockAt: number, block: Buffer, isLast: boolean): Generator<LogPart> {
    let offset = 0;
    while (block.length - offset >= HEADER_BYTES) {
      const at = blockAt + offset;
      const end = offset + HEADER_BYTES + block.readUInt16LE(offset + 4);
      if (isBlank(block, offset)) {
        // Space that was set aside and never written, unless something follows.
        if (!isLast) this.damaged(at);
        else if (this.begunAt === undefined) this.begunAt = at;
        return;
      }
      if (end > block.length) {
        if (isLast && this.damagedAt === undefined) this.begunAt ??= at;
        else this.damaged(at);
        return; // no telling where the next one begins
      }
      if (hasGoodChecksum(block, offset, end)) yield* this.take(at, block, offset, end);
      else this.damaged(at);
      offset = end;
    }
    const isCut = isLast && block.length < BLOCK_BYTES && offset < block.length;
    if (isCut) this.begunAt ??= blockAt + offset;
  }

  *end(): Generator<LogPart> {
    if (this.damagedAt !== undefined) yield { kind: 'damage', at: this.damagedAt };
    else if (this.begunAt !== undefined) yield { kind: 'torn', at: this.begunAt };
  }

  private *take(at: number, block: Buffer, offset: number, end: number): Generator<LogPart> {
    const type = block[offset + 6];
    const data = block.subarray(offset + HEADER_BYTES, end);
    if (type === FULL || type === FIRST) {
      if (this.begunAt !== undefined) this.damaged(this.begunAt);
      this.fragments = [data];
      this.begunAt = at;
    } else if (this.begunAt === undefined || (type !== MIDDLE && type !== LAST)) {
      this.damaged(at); // the end of a record whose beginning is lost
      return;
    } else {
      this.fragments.push(data);
    }
    if (type !== FULL && type !== LAST) return;
    if (this.damagedAt !== undefined) yield { kind: 'damage', at: this.damagedAt };
    yield { kind: 'record', data: Buffer.concat(this.fragments) };
    this.damagedAt = undefined;
    this.begunAt = undefined;
    this.fragments = [];
  }

  private damaged(at: number): void {
    this.damagedAt ??= this.begunAt ?? at;
    this.begunAt = undefined;
    this.fragments = [];
  }
}

function isBlank(block: Buffer, from: number): boolean {
  return block.readUInt32LE(from) === 0 && block.readUInt16LE(from + 4) === 0 && block[from + 6] === 0;
}

function hasGoodChecksum(block: Buffer, offset: number, end: number): boolean {
  return block.readUInt32LE(offset) === masked(crc32c(block, offset + 6, end));
}

/** Writes records as a log file, and brings it to the disk. */
export async function writeLog(file: string, records: AsyncIterable<Buffer>): Promise<void> {
  const handle = await open(file, 'w');
  try {
    let left = BLOCK_BYTES;
    for await (const record of records) {
      const pieces: Buffer[] = [];
      for (let from = 0, isFirst = true; isFirst || from < record.length; isFirst = false) {
        if (left < HEADER_BYTES) {
          pieces.push(Buffer.alloc(left));
          left = BLOCK_BYTES;
        }
        const data = record.subarray(from, from + left - HEADER_BYTES);
        from += data.length;
        left -= HEADER_BYTES + data.length;
        pieces.push(fragment(data, typeOf(isFirst, from >= record.length)));
      }
      await handle.writeFile(Buffer.concat(pieces));
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function typeOf(isFirst: boolean, isLast: boolean): number {
  if (isFirst) return isLast ? FULL : FIRST;
  return isLast ? LAST : MIDDLE;
}

function fragment(data: Buffer, type: number): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + data.length);
  bytes.writeUInt16LE(data.length, 4);
  bytes[6] = type;
  data.copy(bytes, HEADER_BYTES);
  bytes.writeUInt32LE(masked(crc32c(bytes, 6, bytes.length)), 0);
  return bytes;
}
