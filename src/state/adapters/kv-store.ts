import type { Repeat } from '../../operations/repeats.js';

/** What the `kv` adapter keeps its values in. Values are JSON texts; names are any well-formed strings. */
export interface KvStore {
  open(): Promise<void>;
  close(): Promise<void>;

  /** The value now, writes that are still on their way included. */
  read(scope: string, key: string): string | undefined;

  /**
   * Reads a value, lets `decide` say what to write, and writes it, with nothing in between.
   * Resolves with the decision's answer once the write is kept as well as this store keeps anything.
   * @param repeat the name of the call, which is remembered in one with the write, whatever was decided
   */
  change<T>(scope: string, key: string, decide: Decide<T>, repeat?: Repeat): Promise<T>;

  /** The finished call of that name, as long as it is remembered. */
  firstOf(id: string): FirstCall | undefined;

  /**
   * All values of a scope as they are at this moment, in the order in which their keys were first set.
   * @param admit called with each row as it is read, in any order; what it throws ends the reading
   */
  rows(scope: string, admit?: (row: Row) => void): Promise<Row[]>;

  /** The keys of a scope in the same order. */
  keys(scope: string): Promise<string[]>;

  /** The scopes that hold at least one key, in any order. */
  scopes(): Promise<Iterable<string>>;

  /** Different damaged records met so far. */
  readonly damagedRecords: number;
}

export interface Row {
  key: string;
  text: string;
}

export type Decide<T> = (before: string | undefined) => Decision<T>;

/** What becomes of the value, and what the caller is told then. */
export interface Decision<T> {
  write: { text: string } | 'delete' | 'nothing';
  answer: T;
}

/** What is remembered of a call that has a name. */
export interface FirstCall {
  /** Of what it asked for. */
  fingerprint: string;
  /** What the key held before it. */
  before: string | undefined;
}
