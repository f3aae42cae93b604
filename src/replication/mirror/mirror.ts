/** The last known values of the remote (promises: unknown-is-not-absent). */
import type { DamageReport } from '../../storage/damage.js';
import type { Database } from '../../storage/database.js';
import { afterMs, type GroupCommit, type Schedule, type WriteOp } from '../../storage/group-commit.js';
import { rangeOfScope } from '../../storage/scoped-keys.js';
import type { Known } from '../view.js';
import { nameOf, VALUES, valueId } from './layout.js';
import { ScopeSnapshots } from './scope-snapshots.js';
import { MirrorStore, type Remembered } from './store.js';

/** A scope with more known keys is not compared with its list. */
const MOST_KEYS = 100_000;

export interface MirrorOptions {
  database: Database;
  /** Writes in the order of all that is written to the database. */
  commits: Pick<GroupCommit, 'commitLater'>;
  damage: DamageReport;
  /** `limits.mirror_bytes`. */
  maxBytes: number;
  now: () => number;
  /** What must not be evicted: a key, or (without one) a scope, with pending writes. */
  isNeeded: (scope: string, key: string | undefined) => boolean;
  /** For tests. */
  schedule?: Schedule;
  cacheBytes?: number;
}

/**
 * What the remote held when we last knew, by key and by scope. It is written behind: a crash may take what was learnt
 * in the last moments, unless it was put into a batch that somebody else writes.
 */
export class Mirror {
  private constructor(
    private readonly store: MirrorStore,
    /** Whole scopes, and the names of all. */
    readonly scopes: ScopeSnapshots,
  ) {}

  /** On a database that is open, and stays so until `stop` has resolved. */
  static async open(options: MirrorOptions): Promise<Mirror> {
    const { database, commits, damage, maxBytes, now, isNeeded, schedule = afterMs, cacheBytes } = options;
    const evict = (id: string): boolean => {
      const name = nameOf(id);
      if (name.kind === 'value') {
        if (isNeeded(name.scope, name.key)) return false;
        store.forget(id);
        return true;
      }
      // The changes of a list go with the list.
      if (name.kind === 'other' || name.change > 0 || isNeeded(name.scope, undefined)) return false;
      scopes.drop(name.scope);
      return true;
    };
    const store = new MirrorStore({ database, commits, damage, maxBytes, now, schedule, cacheBytes, evict });
    const scopes = await ScopeSnapshots.load(database, store, now);
    return new Mirror(store, scopes);
  }

  /** Bytes on the disk, as far as counted. */
  get bytes(): number {
    return this.store.bytes;
  }

  /** Records evicted since the start. */
  get evicted(): number {
    return this.store.evicted;
  }

  get(scope: string, key: string): Remembered | undefined {
    return this.store.get(valueId(scope, key));
  }

  /** What is known of a key, for a look in passing: it stays in memory only if it is there already. */
  peek(scope: string, key: string): Known | undefined {
    return this.store.peek(valueId(scope, key));
  }

  /** Known values of a scope's keys; undefined: too many to compare. */
  async presentIn(scope: string): Promise<Known[] | undefined> {
    const known = await this.store.knownIn(rangeOfScope(VALUES, scope), MOST_KEYS);
    return known?.filter(({ kind }) => kind === 'value');
  }

  /** What the remote told us just now: the answer to a write, or an event. */
  learn(scope: string, key: string, known: Known, epoch?: string): void {
    if (known.kind === 'value') this.scopes.exists(scope);
    this.store.learn(valueId(scope, key), known, epoch);
  }

  /** A number for a question that is about to be asked; its answer is learnt with it. */
  asking(): number {
    return this.store.asking();
  }

  /** What the remote answered to a question. Not taken, and false, if something newer than the question is known. */
  learnAnswer(scope: string, key: string, known: Known, asked: number, epoch?: string): boolean {
    if (known.kind === 'value') this.scopes.exists(scope);
    return this.store.learn(valueId(scope, key), known, epoch, asked);
  }

  /** Puts a value into a batch that the caller commits at once, so that it is there if and only if the rest is. */
  learnIn(batch: WriteOp[], scope: string, key: string, known: Known, epoch?: string): void {
    if (known.kind === 'value') this.scopes.exists(scope);
    this.store.learnIn(batch, valueId(scope, key), known, epoch);
  }

  /** Nobody knows any more what the key holds. */
  forget(scope: string, key: string): void {
    this.store.forget(valueId(scope, key));
  }

  forgetIn(batch: WriteOp[], scope: string, key: string): void {
    this.store.forgetIn(batch, valueId(scope, key));
  }

  /** Writes what was learnt so far. After a failed write nothing is written any more; reads go on. */
  flush(): Promise<void> {
    return this.store.flush();
  }

  /** Writes everything. To be called once whoever uses `learnIn` has finished. */
  stop(): Promise<void> {
    return this.store.stop();
  }
}
