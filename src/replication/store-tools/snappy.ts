/** Unpacks what Snappy packed, as blocks of LevelDB's tables are. @throws RangeError for what it cannot have packed. */
export function unpack(packed: Buffer): Buffer {
  let at = 0;
  let length = 0;
  for (let factor = 1; ; factor *= 128) {
    const byte = packed.readUInt8(at);
    at += 1;
    length += (byte & 0x7f) * factor;
    if (byte < 0x80) break;
  }
  const unpacked = Buffer.alloc(length);
  let filled = 0;
  while (at < packed.length) {
    const tag = packed[at] as number;
    at += 1;
    if ((tag & 3) === 0) {
      const more = Math.max(0, (tag >> 2) - 59); // bytes that hold the length
      const size = (more === 0 ? tag >> 2 : packed.readUIntLE(at, more)) + 1;
      at += more;
      filled += packed.copy(unpacked, filled, at, at + size);
      at += size;
      continue;
    }
    const isShort = (tag & 3) === 1;
    const size = isShort ? ((tag >> 2) & 7) + 4 : (tag >> 2) + 1;
    const bytes = isShort ? 1 : (tag & 3) === 2 ? 2 : 4;
    const back = packed.readUIntLE(at, bytes) + (isShort ? (tag >> 5) * 256 : 0);
    at += bytes;
    if (back === 0 || back > filled) throw new RangeError('no such bytes before');
    for (let copied = 0; copied < size; copied += 1, filled += 1) {
      unpacked[filled] = unpacked[filled - back] as number; // it may run into what it has just written
    }
  }
  if (filled !== length) throw new RangeError('not as long as it says');
  return unpacked;
}
