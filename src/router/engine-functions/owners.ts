/**
 * Who is said to own a function or a trigger type. A worker is called by its name; what the gateway does itself is
 * said of in-process workers with the names that an engine's own modules have: who asks for the owner of
 * `state::set` before taking State over must see that it is built in.
 */
import type { RegisteredFunction } from '../functions.js';
import type { Router } from '../router.js';
import type { Trigger, TriggerType } from '../triggers.js';
import type { Worker } from '../worker.js';

export interface InProcessOwner {
  name: string;
  description: string;
  owns(id: string): boolean;
}

/** Owns what is not said of another part, and is shown even if that is nothing. */
export const GATEWAY_OWNER: InProcessOwner = {
  name: 'iii-state-gateway',
  description: 'The gateway that this listener belongs to',
  owns: () => true,
};

/** The gateway's own parts, each id to the first that owns it. One that owns nothing here, such as State where a worker provides it, is not shown. */
export const IN_PROCESS_OWNERS: readonly InProcessOwner[] = [
  {
    name: 'iii-engine-functions',
    description: 'Registration, introspection, data channels and health',
    owns: (id) => id.startsWith('engine::'),
  },
  {
    name: 'iii-pubsub',
    description: 'Publishing to the subscribers of a topic',
    owns: (id) => id === 'publish' || id === 'subscribe',
  },
  {
    name: 'iii-state',
    description: 'Values by scope and key, with triggers on their changes',
    owns: (id) => id === 'state' || id.startsWith('state::'),
  },
  GATEWAY_OWNER,
];

export function ownerOfFunction(entry: RegisteredFunction): string {
  return entry.kind === 'worker' ? nameOf(entry.owner, entry.id) : inProcessOwner(entry.id);
}

export function ownerOfType(type: TriggerType): string {
  return type.kind === 'worker' ? nameOf(type.provider, type.id) : inProcessOwner(type.id);
}

/** A trigger is said to belong to whoever owns its function, as on an engine. */
export function ownerOfTrigger(trigger: Trigger, router: Router): string {
  const target = router.functions.find(trigger.namespace, trigger.functionId);
  return target ? ownerOfFunction(target) : prefixOf(trigger.functionId);
}

function inProcessOwner(id: string): string {
  return (IN_PROCESS_OWNERS.find(({ owns }) => owns(id)) ?? GATEWAY_OWNER).name;
}

/** A worker that has not said its name goes by the first part of the id in question, as on an engine. */
function nameOf(worker: Worker, id: string): string {
  return worker.info?.name || prefixOf(id);
}

function prefixOf(id: string): string {
  return id.split('::', 1)[0] ?? id;
}
