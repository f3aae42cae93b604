/** Results and events of the State functions, member by member as the engine prints them. */
import type { Json } from '../protocol/json.js';
import { Payload } from '../protocol/payload.js';
import type { StateEvent } from '../protocol/state-event.js';
import type { Change } from './calls.js';
import type { OpError } from './update-ops.js';

/** Result of `state::set` and `state::update` (state module section 2); `errors` is left out when empty. */
export function changeResult(
  before: Json | undefined,
  after: Json,
  errors: readonly OpError[] = [],
): Payload {
  const result = { old_value: before ?? null, new_value: after };
  return Payload.of(errors.length === 0 ? result : { ...result, errors: [...errors] });
}

/** Result of `state::list_groups` (state module section 2.4): each scope once, by the order of UTF-8 bytes. */
export function groupsResult(scopes: Iterable<string>): Payload {
  return Payload.of({ groups: sortedByBytes(new Set(scopes)) });
}

/** Result of `state::list_keys` (observe section 7.2), in the adapter's order. */
export function keysResult(keys: Iterable<string>): Payload {
  return Payload.of({ keys: [...keys] });
}

/** Result of a `state::compare-and-set` that stored its value (observe section 7.2). */
export function swappedResult(): Payload {
  return Payload.of({ swapped: true });
}

/** Result of a `state::compare-and-set` that found something else (observe section 7.2). */
export function notSwappedResult(current: Json | undefined): Payload {
  return Payload.of({ swapped: false, current: current ?? null });
}

/**
 * The event of a change (state module sections 2.2 and 4.2). Values are not compared: a write of an equal value
 * is an update, and so is a write over a stored null.
 */
export function eventOf({ scope, key, before, after }: Change): StateEvent {
  const event_type = eventType(before, after);
  return { type: 'state', event_type, scope, key, old_value: before ?? null, new_value: after ?? null };
}

function eventType(before: Json | undefined, after: Json | undefined): StateEvent['event_type'] {
  if (after === undefined) return 'state:deleted';
  return before === undefined ? 'state:created' : 'state:updated';
}

/** JavaScript's own order is by UTF-16 units, which differs beyond the basic plane. */
function sortedByBytes(names: Iterable<string>): string[] {
  return Array.from(names, (name) => ({ name, bytes: Buffer.from(name) }))
    .sort((a, b) => Buffer.compare(a.bytes, b.bytes))
    .map(({ name }) => name);
}
