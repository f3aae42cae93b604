import { isObject, type Json, member } from './json.js';
import { Payload } from './payload.js';

/** What subscribers are told of a change: six members, the same in every generation (state module 4.2). */
export interface StateEvent {
  type: 'state';
  event_type: 'state:created' | 'state:updated' | 'state:deleted';
  scope: string;
  key: string;
  old_value: Json;
  new_value: Json;
}

/** A change and its document, printed once for all who are told. */
export interface StateChange {
  scope: string;
  key: string;
  document: Payload;
}

export function changeOf(event: StateEvent): StateChange {
  return { scope: event.scope, key: event.key, document: Payload.of({ ...event }) };
}

const MEMBERS = ['type', 'event_type', 'scope', 'key', 'old_value', 'new_value'] as const;

/** Reads a change document from another engine; what an engine added to it is left out. Undefined: it is none. */
export function readChange(payload: Payload): StateChange | undefined {
  const document = payload.value;
  if (!isObject(document) || member(document, 'type') !== 'state') return undefined;
  const scope = member(document, 'scope');
  const key = member(document, 'key');
  if (typeof scope !== 'string' || typeof key !== 'string') return undefined;
  if (Object.keys(document).length === MEMBERS.length) return { scope, key, document: payload };
  const bare = Object.fromEntries(MEMBERS.map((name) => [name, member(document, name) ?? null]));
  return { scope, key, document: Payload.of(bare) };
}
