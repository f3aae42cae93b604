import { EventEmitter } from 'node:events';
import { type ErrorBody, GatewayError, toErrorBody } from '../errors.js';
import type { Json } from '../protocol/json.js';
import type {
  RegisterTrigger,
  RegisterTriggerType,
  TriggerRegistrationResult,
} from '../protocol/messages.js';
import { Payload } from '../protocol/payload.js';
import { DEFAULT_NAMESPACE } from './functions.js';
import type { Worker } from './worker.js';

/** A registered trigger: when something of its type happens, its function is called. */
export interface Trigger {
  id: string;
  triggerType: string;
  functionId: string;
  /** Where the function is looked up. */
  namespace: string;
  /** Where the provider of the type is looked up; undefined: the registrant's namespace, then the default one. */
  triggerNamespace: string | undefined;
  config: Json;
  metadata: Payload | undefined;
  /** Undefined for one made with `engine::register_trigger`, which outlives its maker's connection. */
  owner: Worker | undefined;
}

/** A trigger type of our own. `add` throws what the registrant is told. */
export interface TriggerSource {
  description: string;
  add(trigger: Trigger): void;
  remove(trigger: Trigger): void;
}

export type TriggerType = BuiltInTriggerType | WorkerTriggerType;

interface BuiltInTriggerType {
  kind: 'built-in';
  id: string;
  namespace: string;
  source: TriggerSource;
}

interface WorkerTriggerType {
  kind: 'worker';
  id: string;
  namespace: string;
  provider: Worker;
  registration: RegisterTriggerType;
}

/**
 * Trigger types and triggers (wire protocol section 7). A trigger whose type nobody provides is parked, and
 * handed over when somebody does; its registrant hears of failures only. Emits `settled` when a worker that
 * provides a type has answered about a trigger, with its error if it refused.
 */
export class Triggers extends EventEmitter<{ settled: [Trigger, ErrorBody | undefined] }> {
  private readonly types = new Map<string, TriggerType>();
  private readonly triggers = new Map<string, Trigger>();
  /** Which type serves a trigger now; a trigger that is not in here is parked. */
  private readonly bound = new Map<Trigger, TriggerType>();

  offerType(id: string, source: TriggerSource): void {
    this.provide({
      kind: 'built-in',
      id,
      namespace: DEFAULT_NAMESPACE,
      source,
    });
  }

  /** Registers a worker's type. One of our own cannot be taken over: the answer is false. */
  registerType(provider: Worker, registration: RegisterTriggerType): boolean {
    const { id, namespace = provider.namespace } = registration;
    if (this.types.get(typeKey(namespace, id))?.kind === 'built-in') return false;
    this.provide({ kind: 'worker', id, namespace, provider, registration });
    return true;
  }

  unregisterType(provider: Worker, id: string): void {
    for (const type of this.types.values()) {
      if (type.kind === 'worker' && type.provider === provider && type.id === id) this.withdraw(type);
    }
  }

  /** Registers a worker's trigger and tells it if that fails. */
  register(owner: Worker, message: RegisterTrigger): void {
    try {
      this.add(toTrigger(owner, message));
    } catch (error) {
      tell(owner, message, error);
    }
  }

  /**
   * Adds a trigger; the same id of the same owner replaces the earlier one.
   * @throws GatewayError `trigger_registration_failed` when the id is another worker's or the config is refused.
   */
  add(trigger: Trigger): void {
    const present = this.triggers.get(trigger.id);
    if (present && present.owner !== trigger.owner) {
      throw new GatewayError(
        'trigger_registration_failed',
        `Trigger id ${trigger.id} belongs to another worker`,
      );
    }
    if (present) this.discard(present);
    this.bind(trigger);
    this.triggers.set(trigger.id, trigger);
  }

  /** Removes a trigger of this owner (any owner: `undefined`). Whether there was one. */
  remove(id: string, owner?: Worker): boolean {
    const trigger = this.triggers.get(id);
    if (!trigger || (owner && trigger.owner !== owner)) return false;
    this.discard(trigger);
    return true;
  }

  /** A provider's word on a trigger it was handed: a refusal parks it and goes on to the registrant. */
  settle(provider: Worker, result: TriggerRegistrationResult): void {
    const trigger = this.triggers.get(result.id);
    const type = trigger && this.bound.get(trigger);
    if (!trigger || type?.kind !== 'worker' || type.provider !== provider) return;
    if (result.error) {
      this.bound.delete(trigger);
      trigger.owner?.send({ ...result, function_id: trigger.functionId });
    }
    this.emit('settled', trigger, result.error);
  }

  /** Files a worker's types under the namespace it has declared late, and looks for its triggers' types there first. */
  follow(worker: Worker): void {
    for (const type of [...this.types.values()]) {
      if (type.kind !== 'worker' || type.provider !== worker) continue;
      if (type.registration.namespace !== undefined || type.namespace === worker.namespace) continue;
      this.withdraw(type);
      this.provide({ ...type, namespace: worker.namespace });
    }
    for (const trigger of this.triggers.values()) {
      if (trigger.owner !== worker || this.typeFor(trigger) === this.bound.get(trigger)) continue;
      this.unbind(trigger);
      this.rebind(trigger);
    }
  }

  /** Forgets a leaving worker's triggers and types; other workers' triggers of those types are parked. */
  dropWorker(worker: Worker): void {
    for (const trigger of this.triggers.values()) if (trigger.owner === worker) this.discard(trigger);
    for (const type of this.types.values()) {
      if (type.kind === 'worker' && type.provider === worker) this.withdraw(type);
    }
  }

  all(): Iterable<Trigger> {
    return this.triggers.values();
  }

  allTypes(): Iterable<TriggerType> {
    return this.types.values();
  }

  find(id: string): Trigger | undefined {
    return this.triggers.get(id);
  }

  /** The type that serves a trigger now; undefined: it is parked, and nothing fires it. */
  typeServing(trigger: Trigger): TriggerType | undefined {
    return this.bound.get(trigger);
  }

  private provide(type: TriggerType): void {
    const key = typeKey(type.namespace, type.id);
    const earlier = this.types.get(key);
    this.types.set(key, type);
    for (const trigger of this.triggers.values()) {
      if (trigger.triggerType !== type.id) continue;
      const serving = this.bound.get(trigger);
      if (serving && serving !== earlier) continue;
      this.bound.delete(trigger);
      this.rebind(trigger);
    }
  }

  private withdraw(type: TriggerType): void {
    this.types.delete(typeKey(type.namespace, type.id));
    for (const [trigger, serving] of this.bound) {
      if (serving !== type) continue;
      this.bound.delete(trigger);
      this.rebind(trigger);
    }
  }

  /** Binds a trigger that was accepted before: its registrant is told of a refusal, nobody else is. */
  private rebind(trigger: Trigger): void {
    try {
      this.bind(trigger);
    } catch (error) {
      if (trigger.owner) tell(trigger.owner, toMessage(trigger), error);
    }
  }

  private bind(trigger: Trigger): void {
    const type = this.typeFor(trigger);
    if (!type) return;
    if (type.kind === 'built-in') type.source.add(trigger);
    else type.provider.send(toMessage(trigger));
    this.bound.set(trigger, type);
  }

  private discard(trigger: Trigger): void {
    this.triggers.delete(trigger.id);
    this.unbind(trigger);
  }

  private unbind(trigger: Trigger): void {
    const type = this.bound.get(trigger);
    this.bound.delete(trigger);
    if (type?.kind === 'built-in') type.source.remove(trigger);
    else
      type?.provider.send({
        type: 'unregistertrigger',
        id: trigger.id,
        trigger_type: trigger.triggerType,
      });
  }

  private typeFor(trigger: Trigger): TriggerType | undefined {
    const at = (namespace: string) => this.types.get(typeKey(namespace, trigger.triggerType));
    if (trigger.triggerNamespace !== undefined) return at(trigger.triggerNamespace);
    return at(trigger.owner?.namespace ?? DEFAULT_NAMESPACE) ?? at(DEFAULT_NAMESPACE);
  }
}

function toTrigger(owner: Worker, message: RegisterTrigger): Trigger {
  return {
    id: message.id,
    triggerType: message.trigger_type,
    functionId: message.function_id,
    namespace: message.namespace ?? DEFAULT_NAMESPACE,
    triggerNamespace: message.trigger_namespace,
    config: message.config,
    metadata: message.metadata === undefined ? undefined : Payload.of(message.metadata),
    owner,
  };
}

/** As an engine hands a trigger to its provider: namespaces only where they are not the default. */
function toMessage(trigger: Trigger): RegisterTrigger {
  const { id, triggerType, functionId, config, metadata, namespace, triggerNamespace } = trigger;
  return {
    type: 'registertrigger',
    id,
    trigger_type: triggerType,
    function_id: functionId,
    config,
    ...(metadata && { metadata: metadata.value }),
    ...(namespace !== DEFAULT_NAMESPACE && { namespace }),
    ...(triggerNamespace !== undefined &&
      triggerNamespace !== DEFAULT_NAMESPACE && { trigger_namespace: triggerNamespace }),
  };
}

function tell(owner: Worker, { id, trigger_type, function_id }: RegisterTrigger, error: unknown): void {
  owner.send({
    type: 'triggerregistrationresult',
    id,
    trigger_type,
    function_id,
    error: toErrorBody(error, 'trigger_registration_failed'),
  });
}

function typeKey(namespace: string, id: string): string {
  return `${namespace}\u0000${id}`;
}
