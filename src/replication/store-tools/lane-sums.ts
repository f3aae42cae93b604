import { crc32 } from 'node:zlib';

/**
 * Tells in one pass and without memory whether entries, links and lanes fit together. Each entry adds what it claims of
 * its lane, each link and each lane takes away what it knows: the first of each lane is what no link leads to, the last is
 * what no link leaves, and the rest cancels out. Sums that are not zero say that something is wrong, not what.
 */
export class LaneSums {
  private readonly heads = new Sum();
  private readonly lasts = new Sum();
  private readonly counts = new Sum();

  /** @param at the name of its lane. @param next the entry that its link leads to */
  entry(at: string, seq: number, next: number | undefined): void {
    const lane = crc32(at);
    this.counts.add(lane, 0, 1);
    this.heads.add(lane, seq, 1);
    if (next === undefined) this.lasts.add(lane, seq, 1);
    else this.heads.add(lane, next, -1);
  }

  lane(at: string, count: number, head: number, last: number): void {
    if (count === 0) return; // it waits for an operator, and has no entries
    const lane = crc32(at);
    this.counts.add(lane, 0, -count);
    this.heads.add(lane, head, -1);
    this.lasts.add(lane, last, -1);
  }

  get fit(): boolean {
    return this.heads.isZero && this.lasts.isZero && this.counts.isZero;
  }
}

/** A sum of scrambled pairs, 64 bits wide: what does not belong together does not come to zero by chance. */
class Sum {
  private low = 0;
  private high = 0;

  add(lane: number, seq: number, times: number): void {
    const mixed = mix(lane ^ mix((seq | 0) ^ mix(Math.floor(seq / 2 ** 32) + 0x51ed270b)));
    this.low = (this.low + Math.imul(mixed, times)) | 0;
    this.high = (this.high + Math.imul(mix(mixed ^ lane ^ 0x2545f491), times)) | 0;
  }

  get isZero(): boolean {
    return this.low === 0 && this.high === 0;
  }
}

/** Spreads every bit over all others. */
function mix(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x7feb352d);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x846ca68b);
  return mixed ^ (mixed >>> 16);
}
