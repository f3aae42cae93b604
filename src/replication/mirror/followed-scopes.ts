import type { Feed } from '../../remote/feed.js';
import type { TraitsOfRemote } from '../../remote/traits.js';
import type { Freshness } from './freshness.js';

/** Scope names come from workers; beyond so many the one that was asked for longest ago is given up. */
const MOST_FOLLOWED = 1000;

/**
 * The scopes whose reads may be served from the mirror: their changes are subscribed to, and count as followed once
 * the subscription is confirmed, by a remote that tells of every change (replication section 5).
 */
export class FollowedScopes {
  private readonly followed = new Set<string>();

  constructor(
    private readonly feed: Feed,
    private readonly traits: TraitsOfRemote,
    private readonly freshness: Freshness,
  ) {
    feed.on('confirmed', () => this.confirmAll());
    feed.on('lost', (scopes) => {
      for (const scope of scopes) freshness.scopeEnded(scope);
    });
    traits.on('known', () => this.confirmAll());
  }

  /** Somebody reads the scope and would take what we know. */
  follow(scope: string): void {
    if (this.followed.has(scope)) {
      this.followed.delete(scope); // to the end of the line
      this.followed.add(scope);
      return;
    }
    this.followed.add(scope);
    this.feed.want(scope);
    if (this.feed.confirmed(scope)) this.confirmAll();
    const [oldest] = this.followed;
    if (this.followed.size > MOST_FOLLOWED && oldest !== undefined) this.giveUp(oldest);
  }

  private giveUp(scope: string): void {
    this.followed.delete(scope);
    this.freshness.scopeEnded(scope);
    this.feed.unwant(scope);
  }

  private confirmAll(): void {
    const { adapter, triggersEnabled } = this.traits.current;
    // Others tell only of writes made through themselves, or of nothing at all.
    if (adapter !== 'kv' || triggersEnabled !== true) return;
    for (const scope of this.followed) if (this.feed.confirmed(scope)) this.freshness.scopeConfirmed(scope);
  }
}
