import { familyAmong, type RepeatBounds } from '../../operations/repeats.js';

/** The names of calls that are remembered in memory, each with something that belongs to it. */
export class RepeatWindow<T> {
  private readonly contents = new Map<string, T>();
  private readonly families = new Map<string, Family>();

  constructor(private readonly bounds: RepeatBounds) {}

  get(id: string): T | undefined {
    return this.contents.get(id);
  }

  /** Remembers an id that is not remembered. The oldest of its family make room; the newest stays, however large it is. */
  add(id: string, content: T, bytes: number): void {
    this.contents.set(id, content);
    const name = familyAmong(this.families, id);
    const family = this.families.get(name) ?? new Family();
    this.families.set(name, family);
    family.push({ id, bytes });
    while (this.isFull(family) && family.size > 1) this.contents.delete(family.shift().id);
  }

  private isFull({ size, bytes }: Family): boolean {
    return size > this.bounds.calls || bytes > this.bounds.bytes;
  }
}

/** Calls as they came. A `Map` would keep the order too, but looks longer and longer for its oldest as they go. */
class Family {
  bytes = 0;
  private calls: Remembered[] = [];
  private gone = 0;

  get size(): number {
    return this.calls.length - this.gone;
  }

  push(call: Remembered): void {
    this.calls.push(call);
    this.bytes += call.bytes;
  }

  /** Takes the oldest out; there is one. */
  shift(): Remembered {
    const oldest = this.calls[this.gone] as Remembered;
    this.bytes -= oldest.bytes;
    this.gone += 1;
    if (this.gone * 2 >= this.calls.length) {
      this.calls = this.calls.slice(this.gone);
      this.gone = 0;
    }
    return oldest;
  }
}

interface Remembered {
  id: string;
  bytes: number;
}
