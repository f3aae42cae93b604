import type { Entry } from './kv-layout.js';

/** A write on its way to the disk. */
export interface Pending {
  /** The value as it will be; undefined is a deletion. */
  entry: Entry | undefined;
  /** Settles when the write does. */
  stored: Promise<void>;
}

type Scope = Map<string, Pending>;

/** Holds the newest write of each key while it is on its way, so that reads see it. Never more than what is in flight. */
export class Overlay {
  private readonly scopes = new Map<string, Scope>();

  get(scope: string, key: string): Pending | undefined {
    return this.scopes.get(scope)?.get(key);
  }

  /** Shows the write until it is stored; one that fails is forgotten, and the value before it shows again. */
  hold(scope: string, key: string, entry: Entry | undefined, stored: Promise<void>): Promise<void> {
    const pending: Pending = { entry, stored: stored.finally(() => this.drop(scope, key, pending)) };
    const keys = this.scopes.get(scope);
    if (keys === undefined) this.scopes.set(scope, new Map([[key, pending]]));
    else keys.set(key, pending);
    return pending.stored;
  }

  /** The writes on their way in one scope, as they are at this moment. */
  snapshotOf(scope: string): Scope {
    return new Map(this.scopes.get(scope));
  }

  /** The same of all scopes. */
  snapshot(): Map<string, Scope> {
    return new Map([...this.scopes].map(([scope, keys]) => [scope, new Map(keys)]));
  }

  private drop(scope: string, key: string, pending: Pending): void {
    const keys = this.scopes.get(scope);
    if (keys?.get(key) !== pending) return; // a newer write of the key took its place
    keys.delete(key);
    if (keys.size === 0) this.scopes.delete(scope);
  }
}
