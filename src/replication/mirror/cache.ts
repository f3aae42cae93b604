import type { Known } from '../view.js';

/** What an entry takes beside its texts. */
const ENTRY_BYTES = 250;
/** An entry of more than this part of the cache does not stay: it would push out everything else. */
const LARGE_PART = 16;
/** Room is made for some more than the one that needs it. */
const FULL_ENOUGH = 0.9;

/** One record of the mirror, as memory has it. */
export interface MirrorEntry {
  readonly id: string;
  /** Undefined: forgotten, and to be deleted. */
  known: Known | undefined;
  at: number;
  epoch: string | undefined;
  /** What it is based on: numbers rise with the time at which the remote was asked or told us. */
  stamp: number;
  /** What the database holds, as far as we know, and how many bytes that takes (undefined: nobody has looked). */
  stored: Known | undefined;
  storedAt: number;
  storedBytes: number | undefined;
  /** Batches of others that it is in, on their way to the disk. */
  riding: number;
  /** Waiting to be written, or on its way. */
  waiting: boolean;
  writing: boolean;
  /** For the cache. */
  used: boolean;
  cost: number;
}

export function newEntry(id: string): MirrorEntry {
  return {
    id,
    known: undefined,
    at: 0,
    epoch: undefined,
    stamp: 0,
    stored: undefined,
    storedAt: 0,
    storedBytes: undefined,
    riding: 0,
    waiting: false,
    writing: false,
    used: false,
    cost: 0,
  };
}

/**
 * The entries in memory, bounded by bytes. An entry that was used since it was last looked at gets a second chance,
 * so using one costs no more than a flag. What is not on the disk yet always stays.
 */
export class MirrorCache {
  private readonly entries = new Map<string, MirrorEntry>();
  private bytes = 0;
  /** The newest stamp that was let go: whoever asked the remote before then cannot tell whether we learnt more since. */
  lostStamp = 0;

  constructor(private readonly maxBytes: number) {}

  find(id: string): MirrorEntry | undefined {
    return this.entries.get(id);
  }

  add(entry: MirrorEntry): void {
    this.entries.set(entry.id, entry);
  }

  remove(entry: MirrorEntry): void {
    this.bytes -= entry.cost;
    this.lostStamp = Math.max(this.lostStamp, entry.stamp);
    this.entries.delete(entry.id);
  }

  /** Counts an entry anew; its text, which may have to be printed for it, is needed by now anyway. */
  measure(entry: MirrorEntry): void {
    const text = entry.known?.kind === 'value' ? entry.known.text.length : 0;
    const cost = ENTRY_BYTES + entry.id.length + text;
    this.bytes += cost - entry.cost;
    entry.cost = cost;
  }

  makeRoom(): void {
    if (this.bytes <= this.maxBytes) return;
    // An entry put back comes round again at the end, then without its second chance.
    for (const entry of this.entries.values()) {
      if (this.bytes <= this.maxBytes * FULL_ENOUGH) return;
      if (entry.waiting || entry.writing || entry.riding > 0 || !entry.known) continue;
      if (entry.used && entry.cost <= this.maxBytes / LARGE_PART) this.putBack(entry);
      else this.remove(entry);
    }
  }

  private putBack(entry: MirrorEntry): void {
    entry.used = false;
    this.entries.delete(entry.id);
    this.entries.set(entry.id, entry);
  }
}
