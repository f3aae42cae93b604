import { EventEmitter } from 'node:events';
import { GatewayError } from '../errors.js';
import type { Json } from '../protocol/json.js';
import type { RegisterFunction } from '../protocol/messages.js';
import type { Payload } from '../protocol/payload.js';
import { STATE_FUNCTIONS } from '../state/functions.js';
import type { Worker } from './worker.js';

export const DEFAULT_NAMESPACE = 'default';

/** A call on its way to a function. */
export interface Call {
  functionId: string;
  data: Payload;
  metadata?: Payload | undefined;
  traceparent?: string | undefined;
  baggage?: string | undefined;
  /** Undefined for what the gateway itself calls: triggers and conditions. */
  caller: Worker | undefined;
}

/** A function of our own. No value is `undefined`; a failure is thrown and reaches the caller by its code. */
export interface BuiltIn {
  description: string;
  requestFormat?: Json;
  responseFormat?: Json;
  call(call: Call): Promise<Payload | undefined>;
}

export type RegisteredFunction = BuiltInFunction | WorkerFunction;

export interface BuiltInFunction {
  kind: 'built-in';
  id: string;
  namespace: string;
  builtIn: BuiltIn;
}

export interface WorkerFunction {
  kind: 'worker';
  id: string;
  namespace: string;
  owner: Worker;
  registration: RegisterFunction;
}

/** The ids that no worker may take over, whether or not this gateway offers the function (gateway-api section 3). */
const RESERVED_PREFIXES = ['engine::', 'gateway::'];
const RESERVED_IDS = new Set<string>([...STATE_FUNCTIONS.map(({ id }) => id), 'state::on-changed']);

export type Registration = { accepted: true } | { accepted: false; ownerWorkerId: string };

/** A function whose id, in the namespace its worker moved to, is somebody else's. */
export interface Displaced {
  id: string;
  ownerWorkerId: string;
}

/** Who answers which function, by namespace and id. Emits `change` when an id comes or goes. */
export class Functions extends EventEmitter<{ change: ['added' | 'removed', RegisteredFunction] }> {
  private readonly byNamespace = new Map<string, Map<string, RegisteredFunction>>();

  /** @param stateIsOurs false lets a provider register the state functions: this engine has no State of its own. */
  constructor(private readonly stateIsOurs: boolean) {
    super();
  }

  /** Makes a function of our own known. */
  offer(id: string, builtIn: BuiltIn): void {
    this.put({ kind: 'built-in', id, namespace: DEFAULT_NAMESPACE, builtIn });
  }

  /** Registers a worker's function; an id that is reserved or another live worker's is refused (as engine 0.23). */
  register(owner: Worker, registration: RegisterFunction): Registration {
    const { id } = registration;
    const { namespace } = owner;
    if (this.isReserved(id)) return { accepted: false, ownerWorkerId: '' };
    const present = this.find(namespace, id);
    if (present?.kind === 'built-in') return { accepted: false, ownerWorkerId: '' };
    if (present && present.owner !== owner) return { accepted: false, ownerWorkerId: present.owner.id };
    this.put({ kind: 'worker', id, namespace, owner, registration });
    return { accepted: true };
  }

  /** Forgets a worker's function; one that is not the sender's own stays. */
  unregister(owner: Worker, id: string): void {
    const present = this.find(owner.namespace, id);
    if (present?.kind === 'worker' && present.owner === owner) this.remove(present);
  }

  /** Forgets all functions of a worker and returns them. */
  dropOwnedBy(owner: Worker): RegisteredFunction[] {
    const owned = this.ownedBy(owner);
    for (const entry of owned) this.remove(entry);
    return owned;
  }

  /** Files a worker's functions under the namespace it has declared late; what is taken there is lost and returned. */
  follow(owner: Worker): Displaced[] {
    const elsewhere = this.ownedBy(owner).filter(({ namespace }) => namespace !== owner.namespace);
    return elsewhere.flatMap((entry) => {
      this.remove(entry);
      const registration = this.register(owner, entry.registration);
      return registration.accepted ? [] : [{ id: entry.id, ownerWorkerId: registration.ownerWorkerId }];
    });
  }

  ownedBy(owner: Worker): WorkerFunction[] {
    return [...this.all()]
      .filter((entry) => entry.kind === 'worker')
      .filter((entry) => entry.owner === owner);
  }

  /** The namespaces that have a function of this id, in order. */
  namespacesOf(id: string): string[] {
    const holding = [...this.byNamespace].filter(([, functions]) => functions.has(id));
    return holding.map(([name]) => name).sort();
  }

  find(namespace: string, id: string): RegisteredFunction | undefined {
    return this.byNamespace.get(namespace)?.get(id);
  }

  *all(): Iterable<RegisteredFunction> {
    for (const functions of this.byNamespace.values()) yield* functions.values();
  }

  /** The engine's words for an unknown function (wire protocol section 6, 0.23). */
  notFound(namespace: string, id: string): GatewayError {
    const elsewhere = this.namespacesOf(id);
    const hint = elsewhere.length > 0 ? ` It is registered in namespace(s): ${elsewhere.join(', ')}.` : '';
    return new GatewayError(
      'function_not_found',
      `Function ${id} not found in namespace ${namespace}.${hint}`,
    );
  }

  private isReserved(id: string): boolean {
    if (RESERVED_PREFIXES.some((prefix) => id.startsWith(prefix))) return true;
    return this.stateIsOurs && RESERVED_IDS.has(id);
  }

  private put(entry: RegisteredFunction): void {
    const functions = this.byNamespace.get(entry.namespace) ?? new Map<string, RegisteredFunction>();
    const isNew = !functions.has(entry.id);
    this.byNamespace.set(entry.namespace, functions.set(entry.id, entry));
    if (isNew) this.emit('change', 'added', entry);
  }

  private remove(entry: RegisteredFunction): void {
    const functions = this.byNamespace.get(entry.namespace);
    functions?.delete(entry.id);
    if (functions?.size === 0) this.byNamespace.delete(entry.namespace);
    this.emit('change', 'removed', entry);
  }
}
