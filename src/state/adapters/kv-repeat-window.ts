import { familyOf, REPEATS_KEPT } from '../../operations/repeats.js';

export interface WindowBounds {
  /** Calls of a family (`familyOf`) that are remembered; its oldest makes room. */
  calls: number;
  /** How long one is remembered, in milliseconds. */
  ms: number;
}

export const DEFAULT_WINDOW: WindowBounds = { calls: REPEATS_KEPT, ms: 24 * 60 * 60 * 1000 };

/** The names of calls that are remembered, each with something that belongs to it; bounded in number and in time. */
export class RepeatWindow<T> {
  private readonly entries = new Map<string, Remembered<T>>();
  private readonly families = new Map<string, Family<T>>();
  private round: Iterator<Family<T>> | undefined;

  constructor(
    private readonly bounds: WindowBounds,
    /** Milliseconds, going on over restarts. */
    private readonly now: () => number,
  ) {}

  get(id: string): T | undefined {
    const entry = this.entries.get(id);
    return entry && !this.isOver(entry) ? entry.content : undefined;
  }

  /** Whether it is remembered, and its time is over. */
  isExpired(id: string): boolean {
    const entry = this.entries.get(id);
    return entry !== undefined && this.isOver(entry);
  }

  /** Remembers an id from now on; `forgotten` are those that went for it, an older one of the same id among them. */
  add(id: string, content: T): { at: number; forgotten: Forgotten<T>[] } {
    const at = this.now();
    const forgotten: Forgotten<T>[] = [];
    const older = this.entries.get(id);
    if (older) forgotten.push(this.forget(older));
    const family = this.restore(id, content, at);
    // A family that nobody adds to any more grows old too.
    for (const each of [family, this.nextFamily()]) this.makeRoom(each, forgotten);
    return { at, forgotten };
  }

  /** Remembers an id again as of before a restart, the oldest first; gives its family. */
  restore(id: string, content: T, at: number): Family<T> {
    const name = familyOf(id);
    const family = this.families.get(name) ?? new Family<T>(name);
    const entry = { id, at, content };
    this.entries.set(id, entry);
    this.families.set(name, family);
    family.push(entry);
    return family;
  }

  private makeRoom(family: Family<T>, forgotten: Forgotten<T>[]): void {
    for (let oldest = family.oldest; oldest; oldest = family.oldest) {
      const isThere = this.entries.get(oldest.id) === oldest;
      if (isThere && family.size <= this.bounds.calls && !this.isOver(oldest)) return;
      if (isThere) forgotten.push(this.forget(oldest));
      family.dropOldest();
    }
    this.families.delete(family.name);
  }

  private forget({ id, content }: Remembered<T>): Forgotten<T> {
    this.entries.delete(id);
    return { id, content };
  }

  /** Each in turn; there is one at least. */
  private nextFamily(): Family<T> {
    this.round ??= this.families.values();
    const { done, value } = this.round.next();
    if (!done) return value;
    this.round = undefined;
    return this.nextFamily();
  }

  private isOver({ at }: Remembered<T>): boolean {
    return this.now() - at >= this.bounds.ms;
  }
}

/** Calls as they came. A `Map` would keep the order too, but looks longer and longer for its oldest as they go. */
class Family<T> {
  private calls: Remembered<T>[] = [];
  private gone = 0;

  constructor(readonly name: string) {}

  get size(): number {
    return this.calls.length - this.gone;
  }

  get oldest(): Remembered<T> | undefined {
    return this.calls[this.gone];
  }

  push(call: Remembered<T>): void {
    this.calls.push(call);
  }

  dropOldest(): void {
    this.gone += 1;
    if (this.gone * 2 < this.calls.length) return;
    this.calls = this.calls.slice(this.gone);
    this.gone = 0;
  }
}

interface Remembered<T> {
  id: string;
  /** Since when. */
  at: number;
  content: T;
}

interface Forgotten<T> {
  id: string;
  content: T;
}
