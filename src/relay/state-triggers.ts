import { GatewayError } from '../errors.js';
import type { Logger } from '../logger.js';
import { isObject, type Json, member } from '../protocol/json.js';
import type { StateChange } from '../protocol/state-event.js';
import type { Router } from '../router/router.js';
import type { Trigger, TriggerSource } from '../router/triggers.js';
import { ConditionQueue } from './condition-queue.js';

/** Where changes come from, told which scopes are wanted (`undefined`: all of them). */
export interface Interest {
  want(scope: string | undefined): void;
  unwant(scope: string | undefined): void;
}

interface Subscription {
  trigger: Trigger;
  scope: string | undefined;
  key: string | undefined;
  condition: ConditionQueue | undefined;
}

/** The trigger type `state`: tells changes to the triggers that want them (state module section 4). */
export class StateTriggers implements TriggerSource {
  readonly description = 'Fires when a state value is created, updated or deleted';
  private readonly subscriptions = new Map<Trigger, Subscription>();
  /** By the scope they name; those that name none are under `undefined`. */
  private readonly byScope = new Map<string | undefined, Set<Subscription>>();

  constructor(
    private readonly router: Router,
    private readonly interest: Interest,
    private readonly logger: Logger,
  ) {}

  /** @throws GatewayError `trigger_registration_failed` for a config that the engine refuses. */
  add(trigger: Trigger): void {
    const { scope, key, condition } = readConfig(trigger.config);
    const subscription: Subscription = {
      trigger,
      scope,
      key,
      condition:
        condition === undefined
          ? undefined
          : new ConditionQueue(this.router, trigger, condition, this.logger),
    };
    this.subscriptions.set(trigger, subscription);
    const sameScope = this.byScope.get(scope) ?? new Set();
    this.byScope.set(scope, sameScope.add(subscription));
    this.interest.want(scope);
  }

  remove(trigger: Trigger): void {
    const subscription = this.subscriptions.get(trigger);
    if (!subscription) return;
    this.subscriptions.delete(trigger);
    const sameScope = this.byScope.get(subscription.scope);
    sameScope?.delete(subscription);
    if (sameScope?.size === 0) this.byScope.delete(subscription.scope);
    this.interest.unwant(subscription.scope);
  }

  /** Tells a change to everyone who wants it. A slow or failing handler delays nobody. */
  tell(change: StateChange): void {
    for (const scope of [change.scope, undefined]) {
      for (const { key, trigger, condition } of this.byScope.get(scope) ?? []) {
        if (key !== undefined && key !== change.key) continue;
        if (condition) condition.tell(change.document);
        else this.router.fire(trigger, change.document);
      }
    }
  }
}

function readConfig(config: Json) {
  if (!isObject(config)) throw refused('expected an object with `scope`, `key` and `condition_function_id`');
  const text = (name: string) => {
    const value = member(config, name) ?? undefined;
    if (value !== undefined && typeof value !== 'string') throw refused(`\`${name}\` is not a string`);
    return value;
  };
  return { scope: text('scope'), key: text('key'), condition: text('condition_function_id') };
}

function refused(detail: string): GatewayError {
  return new GatewayError('trigger_registration_failed', `Failed to parse trigger config: ${detail}`);
}
