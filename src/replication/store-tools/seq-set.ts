const BITS_PER_PART = 65_536;

/** A set of sequence numbers, which lie close together: a bit each. */
export class SeqSet {
  private readonly parts = new Map<number, Uint8Array>();
  size = 0;

  add(seq: number): void {
    if (this.has(seq)) return;
    const number = Math.floor(seq / BITS_PER_PART);
    const part = this.parts.get(number) ?? new Uint8Array(BITS_PER_PART / 8);
    this.parts.set(number, part);
    const bit = seq % BITS_PER_PART;
    part[bit >> 3] = (part[bit >> 3] as number) | (1 << (bit & 7));
    this.size += 1;
  }

  has(seq: number): boolean {
    const part = this.parts.get(Math.floor(seq / BITS_PER_PART));
    const bit = seq % BITS_PER_PART;
    return part !== undefined && ((part[bit >> 3] as number) & (1 << (bit & 7))) !== 0;
  }
}
