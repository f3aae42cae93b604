import type { Repeat } from '../../operations/repeats.js';
import type { RepeatWindow } from './kv-repeat-window.js';
import type { Decide, FirstCall, KvStore, Row } from './kv-store.js';

/** Keeps values in memory, for as long as the process lives. A `Map` keeps its keys in the order that is asked for. */
export class MemoryStore implements KvStore {
  readonly damagedRecords = 0;
  private readonly values = new Map<string, Map<string, string>>();

  constructor(private readonly calls: RepeatWindow<FirstCall>) {}

  async open(): Promise<void> {}

  async close(): Promise<void> {}

  read(scope: string, key: string): string | undefined {
    return this.values.get(scope)?.get(key);
  }

  async change<T>(scope: string, key: string, decide: Decide<T>, repeat?: Repeat): Promise<T> {
    const before = this.read(scope, key);
    const { write, answer } = decide(before);
    if (write === 'delete') this.remove(scope, key);
    else if (write !== 'nothing') this.put(scope, key, write.text);
    if (repeat) this.remember(repeat, before);
    return answer;
  }

  firstOf(id: string): FirstCall | undefined {
    return this.calls.get(id);
  }

  async rows(scope: string, admit?: (row: Row) => void): Promise<Row[]> {
    const rows: Row[] = [];
    for (const [key, text] of this.values.get(scope) ?? []) {
      const row = { key, text };
      admit?.(row);
      rows.push(row);
    }
    return rows;
  }

  async keys(scope: string): Promise<string[]> {
    return [...(this.values.get(scope)?.keys() ?? [])];
  }

  async scopes(): Promise<Iterable<string>> {
    return [...this.values.keys()];
  }

  private remember({ id, fingerprint }: Repeat, before: string | undefined): void {
    this.calls.add(id, { fingerprint, before }, Buffer.byteLength(before ?? ''));
  }

  private put(scope: string, key: string, text: string): void {
    const values = this.values.get(scope);
    if (values === undefined) this.values.set(scope, new Map([[key, text]]));
    else values.set(key, text);
  }

  private remove(scope: string, key: string): void {
    const values = this.values.get(scope);
    values?.delete(key);
    if (values?.size === 0) this.values.delete(scope);
  }
}
