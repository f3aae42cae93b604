import type { View } from './view.js';

/** A key with writes of ours that the remote has not confirmed. */
export interface PendingKey {
  key: string;
  /** What the remote held, as far as we know, before the first of them. */
  base: View;
  /** What it will hold after the last of them. */
  view: View;
}

/** Own accepted writes that the remote has not confirmed, as reads lay them over what the remote holds. */
export interface OwnWrites {
  /** False: nothing is pending anywhere, so nobody needs to ask for single keys. */
  readonly any: boolean;
  /** The view of a key with pending writes; undefined if it has none. */
  viewOf(scope: string, key: string): View | undefined;
  /** Whether a write to the key is under way or in the log: then what it is based on stays as it is. */
  isBusy(scope: string, key: string): boolean;
  pendingIn(scope: string): Promise<PendingKey[]>;
  /** Scopes with a pending write that leaves a value. */
  pendingScopes(): Promise<Set<string>>;
  /** Resolves once the writes to the scope (or one key of it) accepted so far are settled, or after `waitMs`. */
  settled(scope: string, key: string | undefined, waitMs: number): Promise<void>;
}
