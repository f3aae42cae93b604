import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { GatewayError, messageOf } from '../errors.js';
import type { Logger } from '../logger.js';
import { Payload } from '../protocol/payload.js';
import type { StateChange } from '../protocol/state-event.js';
import { type ChangeSource, changeIn, chooseChangeSource, subscribe, unsubscribe } from './change-source.js';
import type { Epoch, RemoteLink } from './link.js';

/** A scope by name, or all of them. */
export type WantedScope = string | undefined;

/** How long the engine may take to tell what it offers. */
const ASK_MS = 10_000;

/** The present epoch's ear: the function that the engine calls, and what it was asked for. */
interface Ear {
  functionId: string;
  source: ChangeSource;
  subscriptions: Map<WantedScope, string>;
}

/**
 * The remote's State changes, for the scopes that somebody here wants. Whoever wants all scopes is served by one
 * subscription to all, which then replaces those to single scopes: no change comes twice.
 */
export class Feed extends EventEmitter<{ change: [StateChange] }> {
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
    link.on('status', ({ state }) => {
      if (state !== 'open') this.hush();
    });
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
      ask: async (function_id, data) => {
        const answer = await this.link.call({ function_id, data: Payload.of(data) }, ASK_MS);
        if (answer.error) throw GatewayError.fromBody(answer.error);
        return answer.result?.value;
      },
    }).catch((error: unknown) => this.assumeTriggers(epoch, error));
    if (this.epoch !== epoch.id) return; // the link was lost while the engine was asked
    // The epoch is in the id: with a stable one, events of an earlier connection reach the new one (replication 5).
    const functionId = `iii-state-gateway::feed::${this.gatewayId}::${epoch.id}`;
    this.ear = { functionId, source, subscriptions: new Map() };
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
    if (this.ear) this.link.unserve(this.ear.functionId);
    this.ear = undefined;
  }

  /** Makes what the engine was asked for equal to what is wanted. */
  private adjust(): void {
    if (!this.ear) return;
    const { source, functionId, subscriptions } = this.ear;
    const scopes: WantedScope[] = this.wanted.has(undefined) ? [undefined] : [...this.wanted.keys()];
    for (const [scope, id] of subscriptions) {
      if (scopes.includes(scope)) continue;
      subscriptions.delete(scope);
      this.link.send(unsubscribe(source, id));
    }
    for (const scope of scopes) {
      if (subscriptions.has(scope)) continue;
      const id = randomUUID();
      subscriptions.set(scope, id);
      this.link.send(subscribe(source, id, scope, functionId));
    }
  }

  /** An engine that does not say what it offers still fires triggers, or it would have said so at once. */
  private assumeTriggers(epoch: Epoch, error: unknown): ChangeSource {
    const sentence = 'the remote engine did not tell what it offers: it is asked for triggers';
    if (this.epoch === epoch.id) this.logger.warn({ reason: messageOf(error) }, sentence);
    return 'trigger';
  }
}
