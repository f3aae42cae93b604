import { KeyModel, known, UNKNOWN, type Value, type View } from './key-model.js';
import { CACHED_SCOPE } from './site.js';

/**
 * `up`: the link stands and everything accepted has reached the hub. `down`: it is cut, and the gateway knows. `returning`:
 * it can be had again, and nobody waited; the gateway may be anywhere between the two.
 */
export type LinkModel = 'up' | 'down' | 'returning';

/** What a gateway and its hub hold, as plain maps. */
export class GatewayModel {
  link: LinkModel = 'up';
  /** Receipts of accepted writes that the hub does not have yet, and of all that were ever given. */
  openReceipts: string[] = [];
  readonly receipts = new Set<string>();
  /** Scopes that the hub may have listed to the gateway. */
  readonly listedScopes = new Set<string>();
  /** Scopes that the gateway knows to have been there, once the hub has named them. */
  groups: Set<string> | undefined;
  /** Scopes in which some key held null at some time. */
  readonly everHeldNull = new Set<string>();
  /** Scopes that held a value at some time, at the hub or in the gateway's view. */
  readonly everHeld = new Set<string>();
  private readonly scopes = new Map<string, Map<string, KeyModel>>();

  key(scope: string, key: string): KeyModel {
    const keys = this.keysOf(scope);
    const model = keys.get(key) ?? new KeyModel();
    keys.set(key, model);
    return model;
  }

  keysOf(scope: string): Map<string, KeyModel> {
    const keys = this.scopes.get(scope) ?? new Map<string, KeyModel>();
    this.scopes.set(scope, keys);
    return keys;
  }

  allScopes(): [scope: string, keys: ReadonlyMap<string, KeyModel>][] {
    return [...this.scopes];
  }

  /** What the gateway may take a key to hold now. */
  viewsOf(key: KeyModel): View[] {
    if (this.link === 'up') return [known(key.hub)];
    const isMixed = this.link === 'returning' || key.isTorn;
    return isMixed ? [...key.ownViews, known(key.drained)] : key.ownViews;
  }

  /** What a list may have of a key now. */
  listedViewsOf(key: KeyModel): Value[] {
    if (this.link === 'up') return [key.hub];
    const isMixed = this.link === 'returning' || key.isTorn;
    if (!isMixed && key.pending.length === 0) return key.listed;
    const own = key.ownViews.flatMap((view) => (view.kind === 'known' ? [view.value] : []));
    return isMixed ? [...key.listed, ...own, key.drained] : own;
  }

  /** A write through the gateway leaves a value, or nothing. */
  wrote(scope: string, after: Value): void {
    if (after === undefined) return;
    this.everHeld.add(scope);
    if (after === null) this.everHeldNull.add(scope);
    this.groups?.add(scope);
  }

  /** Somebody else wrote to the hub. */
  changedElsewhere(scope: string, key: string, value: Value): void {
    const model = this.key(scope, key);
    model.hub = value;
    model.isListOutdated = true;
    if (value !== undefined) this.everHeld.add(scope);
    if (value === null) this.everHeldNull.add(scope);
    if (this.link !== 'up') return;
    model.mirror.push(known(value));
    model.listed.push(value);
    if (scope === CACHED_SCOPE) model.mirror.push(UNKNOWN); // an event that does not chain makes it forget
  }

  /**
   * KNOWN DEFECTS, by which a list given offline lacks a value that it should have, or has a wrong one in its place:
   * an `old_value` of null is taken for a stored null where the key was absent (src/replication/writes/change-told.ts,
   * `beforeIn`), and a write over somebody else's change that the list does not have is folded in by value all the same
   * (src/replication/mirror/scope-snapshots.ts, `changed`). Once they are mended this goes, with what it asks.
   */
  mayMistakeList(scope: string): boolean {
    if (this.link === 'up') return false;
    return this.everHeldNull.has(scope) || [...this.keysOf(scope).values()].some((key) => key.isListMistaken);
  }

  /**
   * KNOWN DEFECT (src/replication/replay/sender.ts, `callOf` and `noteOf`): what is sent after a connection opened and before
   * the gateway has learnt that its hub is a gateway carries no receipt, so that an update whose answer is then lost goes
   * to quarantine as `unknown`. Once that is mended this goes: links are then cut, and gateways ended, at any moment.
   */
  mayBeQuarantined(): boolean {
    const keys = [...this.scopes.values()].flatMap((each) => [...each.values()]);
    const hasUpdate = keys.some(({ pending }) => pending.some(({ kind }) => kind === 'update'));
    return this.link === 'returning' && hasUpdate;
  }

  cut(): void {
    for (const [, keys] of this.scopes) {
      for (const key of keys.values()) {
        if (this.link === 'returning' && key.pending.length > 0) key.isTorn = true;
      }
    }
    this.link = 'down';
  }

  drained(): void {
    for (const [, keys] of this.scopes) for (const key of keys.values()) key.drain();
    this.openReceipts = [];
    this.link = 'up';
  }
}
