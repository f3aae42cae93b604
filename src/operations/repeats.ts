/** Calls that may be made again without being done again (replication section 7, gateway-api section 2). */
import { createHash } from 'node:crypto';
import { GatewayError } from '../errors.js';
import { isObject, type Json, type JsonObject, member, printJson } from '../protocol/json.js';
import type { Payload } from '../protocol/payload.js';
import type { StateFunctionId } from './calls.js';

/** A call's name, by which a repeat of it is known. */
export interface Repeat {
  id: string;
  /** The same for the same function and input, whatever the order of its members. */
  fingerprint: string;
}

const WRITES: readonly StateFunctionId[] = [
  'state::set',
  'state::delete',
  'state::update',
  'state::compare-and-set',
];
const KEY = 'idempotency_key';
const MAX_CHARACTERS = 256;
const RECEIPT = 'receipt:';
/** Where a gateway before us puts its receipt. */
const MARK = 'iii_state_gateway';

/**
 * The name of a write: its input's member `idempotency_key`, else that of its metadata, else the receipt of a gateway before
 * us. Undefined: it has none, and is done as often as it is made.
 * @throws GatewayError `deserialization_error` for a key that is no text of 1 to 256 characters.
 */
export function repeatOf(
  functionId: StateFunctionId,
  payload: Payload,
  metadata: Payload | undefined,
): Repeat | undefined {
  if (!WRITES.includes(functionId)) return undefined;
  const id = keyIn(functionId, payload.value) ?? (metadata && nameIn(functionId, metadata.value));
  return id === undefined ? undefined : { id, fingerprint: fingerprintOf(functionId, payload.value) };
}

/** Answers of finished calls that are kept of each family; those of calls under way stay in any case. */
export const REPEATS_KEPT = 10_000;

/**
 * Whose names make room for each other: the keys that people choose, or the receipts of one gateway, which another's
 * backlog must not push out.
 */
export function familyOf(id: string): string {
  return id.startsWith(RECEIPT) ? id.slice(0, id.lastIndexOf('-')) : 'keys';
}

/** The name is taken by another call. */
export function fingerprintMismatch(): GatewayError {
  return new GatewayError(
    'INVALID_ARGUMENTS',
    `This ${KEY} was used for a call with another input, and it was not done again: use a new key for each call, and the ` +
      'same one only to make the same call again',
  );
}

function nameIn(functionId: StateFunctionId, metadata: Json): string | undefined {
  const key = keyIn(functionId, metadata);
  if (key !== undefined) return key;
  const mark = isObject(metadata) ? member(metadata, MARK) : undefined;
  const receipt = isObject(mark) ? member(mark, 'receipt') : undefined;
  return typeof receipt === 'string' && receipt.length <= MAX_CHARACTERS ? RECEIPT + receipt : undefined;
}

/** Keys and receipts never meet: what people choose begins with another word. */
function keyIn(functionId: StateFunctionId, value: Json): string | undefined {
  const key = isObject(value) ? member(value, KEY) : undefined;
  if (key === undefined) return undefined;
  if (typeof key === 'string' && key.length > 0 && key.length <= MAX_CHARACTERS) return `key:${key}`;
  throw new GatewayError(
    'deserialization_error',
    `Failed to deserialize input for ${functionId}: ${KEY}: expected a text of 1 to ${MAX_CHARACTERS} characters`,
  );
}

function fingerprintOf(functionId: StateFunctionId, input: Json): string {
  const hash = createHash('sha256').update(functionId);
  return hash
    .update(printJson(inOrder(withoutKey(input))))
    .digest('base64url')
    .slice(0, 22);
}

function withoutKey(input: Json): Json {
  if (!isObject(input)) return input;
  return Object.fromEntries(Object.entries(input).filter(([name]) => name !== KEY));
}

function inOrder(value: Json): Json {
  if (Array.isArray(value)) return value.map(inOrder);
  if (!isObject(value)) return value;
  const sorted: JsonObject = Object.create(null);
  for (const name of Object.keys(value).sort()) sorted[name] = inOrder(value[name] as Json);
  return sorted;
}
