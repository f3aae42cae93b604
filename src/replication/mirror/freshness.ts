import { scopedKey } from '../../storage/scoped-keys.js';

/** How long after a write of ours, or an event that does not fit, a key may still change behind our back. */
const SETTLE_MS = 2000;
const MOST_KEYS = 100_000;

/** That the feed tells of every change in a scope from now on. Each confirmation is one of its own. */
type Confirmation = symbol;

interface KeyState {
  /** The confirmation under which the key's value was learnt; undefined: it is not fresh. */
  freshUnder: Confirmation | undefined;
  /** Not served, and no read makes it fresh, before then. */
  unsettledUntil: number;
  /** Reads of the key that are under way, and how often it was disturbed: a read must not be crossed by an event. */
  reads: number;
  disturbances: number;
}

/** A read that may make its key fresh. */
export interface FreshRead {
  readonly id: string;
  readonly issuedAt: number;
  readonly confirmation: Confirmation;
  readonly disturbances: number;
}

/**
 * Which keys may be read from the mirror (promises: modes). A key is fresh while its scope's feed is confirmed in this
 * epoch, a read issued since then has told its value, and nothing has come since that the feed's events do not explain.
 * Times are handed in, in milliseconds that only rise.
 */
export class Freshness {
  private readonly scopes = new Map<string, Confirmation | 'suspect'>();
  private all: Confirmation | undefined;
  private readonly keys = new Map<string, KeyState>();
  /** For keys that had to be forgotten while they were unsettled. */
  private allUnsettledUntil = 0;

  constructor(private readonly mostKeys = MOST_KEYS) {}

  /** Whether the key's value in the mirror is what the remote would answer. */
  mayServe(scope: string, key: string): boolean {
    if (this.keys.size === 0) return false;
    const fresh = this.keys.get(scopedKey('', scope, key))?.freshUnder;
    return fresh !== undefined && fresh === this.confirmationOf(scope);
  }

  /** A read of the key is sent; undefined: its answer cannot make the key fresh, and need not be reported. */
  readIssued(scope: string, key: string, now: number): FreshRead | undefined {
    const confirmation = this.confirmationOf(scope);
    if (!confirmation || now < this.allUnsettledUntil) return undefined;
    const id = scopedKey('', scope, key);
    const state = this.stateOf(id, now);
    if (now < state.unsettledUntil) return undefined;
    state.reads += 1;
    return { id, issuedAt: now, confirmation, disturbances: state.disturbances };
  }

  /** @param learnt whether the mirror holds the answer now */
  readAnswered(read: FreshRead, learnt: boolean): void {
    const state = this.keys.get(read.id);
    if (!state) return;
    state.reads = Math.max(0, state.reads - 1);
    const isCrossed = read.disturbances !== state.disturbances || read.issuedAt < this.allUnsettledUntil;
    if (learnt && !isCrossed) state.freshUnder = read.confirmation; // if that is over, it makes nothing fresh
  }

  /** @param chains whether the event begins with the value that we knew; it has been learnt then */
  eventArrived(scope: string, key: string, chains: boolean, now: number): void {
    if (!this.confirmationOf(scope)) return;
    const id = scopedKey('', scope, key);
    if (!chains || this.keys.get(id)?.reads) this.disturb(id, now);
  }

  /** A write of ours to the key is sent, or was answered. */
  ownWrite(scope: string, key: string, now: number): void {
    if (this.confirmationOf(scope)) this.disturb(scopedKey('', scope, key), now);
  }

  /** The feed of a scope, or (`undefined`) of all scopes, is live from now on. */
  scopeConfirmed(scope: string | undefined): void {
    if (scope === undefined) this.all ??= Symbol('all scopes');
    else if (!this.confirmationOf(scope)) this.scopes.set(scope, Symbol(scope));
  }

  /** Something is wrong with the scope's feed: nothing of it is served until it is confirmed anew. */
  scopeSuspect(scope: string): void {
    this.scopes.set(scope, 'suspect');
  }

  /** The feed of a scope, or (`undefined`) of all scopes, has ended. */
  scopeEnded(scope: string | undefined): void {
    if (scope === undefined) this.all = undefined;
    else this.scopes.delete(scope);
  }

  /** The epoch has ended: nothing is fresh. */
  lost(now: number): void {
    this.scopes.clear();
    this.all = undefined;
    this.keys.clear();
    this.allUnsettledUntil = now + SETTLE_MS;
  }

  private confirmationOf(scope: string): Confirmation | undefined {
    const own = this.scopes.get(scope);
    return own === 'suspect' ? undefined : (own ?? this.all);
  }

  private disturb(id: string, now: number): void {
    const state = this.stateOf(id, now);
    state.freshUnder = undefined;
    state.unsettledUntil = now + SETTLE_MS;
    state.disturbances += 1;
  }

  private stateOf(id: string, now: number): KeyState {
    const known = this.keys.get(id);
    if (known) return known;
    if (this.keys.size >= this.mostKeys) this.forgetOldest(now);
    const state = { freshUnder: undefined, unsettledUntil: 0, reads: 0, disturbances: 0 };
    this.keys.set(id, state);
    return state;
  }

  /** What is forgotten is not served; if it was unsettled, nothing becomes fresh before it would have settled. */
  private forgetOldest(now: number): void {
    for (const [id, { unsettledUntil, reads }] of this.keys) {
      this.keys.delete(id);
      const until = reads > 0 ? now + SETTLE_MS : unsettledUntil;
      if (until > now) this.allUnsettledUntil = Math.max(this.allUnsettledUntil, until);
      return;
    }
  }
}
