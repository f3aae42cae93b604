import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { messageOf } from '../errors.js';
import type { Logger } from '../logger.js';
import type { StateChange } from '../protocol/state-event.js';
import { ask } from './ask.js';
import { type ChangeSource, changeIn, chooseChangeSource, subscribe, unsubscribe } from './change-source.js';
import { confirmTriggers } from './confirmation.js';
import type { Epoch, RemoteLink } from './link.js';
import type { ObserverState } from './observer-state.js';

/** A scope by name, or all of them. */
export type WantedScope = string | undefined;

/** What the engine was asked for; it counts only once it is confirmed. */
interface Subscription {
  id: string;
  confirmed: boolean;
}

/** The present epoch's ear: the function that the engine calls, and what it was asked for. */
interface Ear {
  functionId: string;
  source: ChangeSource;
  subscriptions: Map<WantedScope, Subscription>;
  /** Ends the questions about what is not confirmed yet. */
  asking: AbortController;
}

/**
 * The remote's State changes, for the scopes that somebody here wants. Whoever wants all scopes is served by one
 * subscription to all, which then replaces those to single scopes: no change comes twice.
 *
 * Engines take subscriptions without a word, so each is asked after: `confirmed` tells of a scope (`undefined`: of
 * all) whose changes come from now on, `lost` of scopes whose changes may be missed from now on.
 */
export class Feed extends EventEmitter<{
  change: [StateChange];
  confirmed: [WantedScope];
  lost: [WantedScope[]];
}> {
  private readonly wanted = new Map<WantedScope, number>();
  private ear: Ear | undefined;
  private epoch: string | undefined;

  constructor(
    private readonly link: RemoteLink,
    private readonly gatewayId: string,
    private readonly logger: Logger,
  ) {
    super();
    link.on('open', (epoch) => void this.listen(epoch));
    link.on('observer', (observer) => this.follow(observer));
    link.on('status', ({ state }) => {
      if (state !== 'open') this.hush();
    });
  }

  /** Whether every change of this scope is known to reach us; of all scopes, if it is `undefined`. */
  confirmed(scope: WantedScope): boolean {
    const subscriptions = this.ear?.subscriptions;
    if (subscriptions?.get(undefined)?.confirmed) return true;
    return subscriptions?.get(scope)?.confirmed === true;
  }

  /** Subscribes on behalf of one more; `undefined` is every scope. */
  want(scope: WantedScope): void {
    this.wanted.set(scope, (this.wanted.get(scope) ?? 0) + 1);
    this.adjust();
  }

  /** Takes one `want` back. */
  unwant(scope: WantedScope): void {
    const left = (this.wanted.get(scope) ?? 0) - 1;
    if (left > 0) this.wanted.set(scope, left);
    else this.wanted.delete(scope);
    this.adjust();
  }

  private async listen(epoch: Epoch): Promise<void> {
    this.epoch = epoch.id;
    const source = await chooseChangeSource({
      features: epoch.features,
      ask: (functionId, data) => ask(this.link, functionId, data),
    }).catch((error: unknown) => this.assumeTriggers(epoch, error));
    if (this.epoch !== epoch.id) return; // the link was lost while the engine was asked
    // The epoch is in the id: with a stable one, events of an earlier connection reach the new one (replication 5).
    const functionId = `iii-state-gateway::feed::${this.gatewayId}::${epoch.id}`;
    this.ear = { functionId, source, subscriptions: new Map(), asking: new AbortController() };
    this.link.serve(functionId, (call) => {
      const change = changeIn(source, call);
      // After the answer: an engine waits for it before it tells the next subscriber.
      if (change) setImmediate(() => this.emit('change', change));
      return undefined;
    });
    this.link.send({ type: 'registerfunction', id: functionId, metadata: { internal: true } });
    this.adjust();
  }

  private hush(): void {
    this.epoch = undefined;
    const { ear } = this;
    if (!ear) return;
    ear.asking.abort();
    this.link.unserve(ear.functionId);
    this.ear = undefined;
    this.emit('lost', confirmedScopes(ear.subscriptions));
  }

  /** Makes what the engine was asked for equal to what is wanted. */
  private adjust(): void {
    if (!this.ear) return;
    const { source, functionId, subscriptions } = this.ear;
    const scopes: WantedScope[] = this.wanted.has(undefined) ? [undefined] : [...this.wanted.keys()];
    const ended = new Map([...subscriptions].filter(([scope]) => !scopes.includes(scope)));
    for (const [scope, { id }] of ended) {
      subscriptions.delete(scope);
      this.link.send(unsubscribe(source, id));
    }
    const added = scopes.filter((scope) => !subscriptions.has(scope));
    for (const scope of added) {
      const id = randomUUID();
      subscriptions.set(scope, { id, confirmed: false });
      this.link.send(subscribe(source, id, scope, functionId));
    }
    if (source === 'trigger' && added.length > 0) this.confirmTriggers(this.ear);
    // Nobody misses a scope that is not wanted; from a scope to all of them, and back, there is a gap.
    const stillWanted = confirmedScopes(ended).filter(
      (scope) => scope === undefined || this.wanted.has(scope),
    );
    if (scopes.length > 0 && stillWanted.length > 0) this.emit('lost', stillWanted);
  }

  private confirmTriggers(ear: Ear): void {
    ear.asking.abort(); // one round of questions for all that was added since
    ear.asking = new AbortController();
    void confirmTriggers({
      link: this.link,
      functionId: ear.functionId,
      isConfirmed: (live) => this.confirmThose(ear, ({ id }) => live.has(id)),
      logger: this.logger,
      signal: ear.asking.signal,
    });
  }

  /** Confirms the subscriptions that pass; says whether all are confirmed now. */
  private confirmThose(ear: Ear, isLive: (subscription: Subscription) => boolean): boolean {
    for (const [scope, subscription] of ear.subscriptions) {
      if (subscription.confirmed || !isLive(subscription)) continue;
      subscription.confirmed = true;
      this.emit('confirmed', scope);
    }
    return [...ear.subscriptions.values()].every(({ confirmed }) => confirmed);
  }

  private follow({ id, state }: ObserverState): void {
    if (this.ear?.source !== 'observer') return;
    if (state === 'active') this.confirmThose(this.ear, (subscription) => subscription.id === id);
    else this.doubt(this.ear, id);
  }

  /** An observer that is no longer active begins a gap, whatever the reason. */
  private doubt({ subscriptions }: Ear, id: string): void {
    for (const [scope, subscription] of subscriptions) {
      if (subscription.id !== id || !subscription.confirmed) continue;
      subscription.confirmed = false;
      this.emit('lost', [scope]);
    }
  }

  /** An engine that does not say what it offers still fires triggers, or it would have said so at once. */
  private assumeTriggers(epoch: Epoch, error: unknown): ChangeSource {
    const sentence = 'the remote engine did not tell what it offers: it is asked for triggers';
    if (this.epoch === epoch.id) this.logger.warn({ reason: messageOf(error) }, sentence);
    return 'trigger';
  }
}

function confirmedScopes(subscriptions: ReadonlyMap<WantedScope, Subscription>): WantedScope[] {
  return [...subscriptions].filter(([, { confirmed }]) => confirmed).map(([scope]) => scope);
}
