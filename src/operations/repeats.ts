/** Calls that may be made again without being done again (replication section 7, gateway-api section 2). */
import { createHash } from 'node:crypto';
import { GatewayError } from '../errors.js';
import { isObject, type Json, type JsonObject, member, printJson } from '../protocol/json.js';
import { Payload } from '../protocol/payload.js';
import type { StateFunctionId, StateInput } from './calls.js';

/** A call's name, by which a repeat of it is known. */
export interface Repeat {
  id: string;
  /** The same for calls that ask for the same, whatever the order of members and whoever makes them. */
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
const FINGERPRINT_CHARACTERS = 22; // 132 bits
const RECEIPT = 'receipt:';
/** Where a gateway before us puts its receipt. */
const MARK = 'iii_state_gateway';

/**
 * The name of a write: its input's member `idempotency_key`, else that of its metadata, else the receipt of a gateway before
 * us. Undefined: it has none, and is done as often as it is made.
 *
 * @param data the input as received: of the checked one `idempotency_key` is no part
 * @throws GatewayError `deserialization_error` for a key that is no text of 1 to 256 characters.
 */
export function repeatOf(
  input: StateInput,
  data: Payload,
  metadata: Payload | undefined,
): Repeat | undefined {
  const { functionId } = input;
  if (!WRITES.includes(functionId)) return undefined;
  const id = keyIn(functionId, data.value) ?? (metadata && nameIn(functionId, metadata.value));
  return id === undefined ? undefined : { id, fingerprint: fingerprintOf(input) };
}

/** What is kept of each family's finished calls; those under way stay in any case, and so does the newest. */
export interface RepeatBounds {
  calls: number;
  bytes: number;
}

/** No time: a gateway that was away for days still asks what became of its calls. */
export const REPEATS_KEPT: RepeatBounds = { calls: 10_000, bytes: 64 * 1024 * 1024 };

/** Families come from outside, so there is a bound on them; those beyond it share one. */
const MOST_FAMILIES = 10_000;
const OTHERS = 'others';

/**
 * Whose names make room for each other: the keys that people choose, or the receipts of one gateway, which another's
 * backlog must not push out.
 */
export function familyOf(id: string): string {
  return id.startsWith(RECEIPT) ? id.slice(0, id.lastIndexOf('-')) : 'keys';
}

/** The family of a name, among those there are already. */
export function familyAmong(families: ReadonlyMap<string, unknown>, id: string): string {
  if (id.startsWith(RECEIPT) && !id.includes('-')) return OTHERS; // of no gateway: theirs are an id, a dash and a number
  const family = familyOf(id);
  return families.has(family) || families.size < MOST_FAMILIES ? family : OTHERS;
}

/** Whether a gateway before us gave it. */
export function isReceipt(id: string): boolean {
  return id.startsWith(RECEIPT);
}

/** The name is taken by another call. */
export function fingerprintMismatch(): GatewayError {
  return new GatewayError(
    'GATEWAY_KEY_REUSED',
    `This ${KEY} was used for a call with another input, so this call was not done: use a new key for each call, and the ` +
      'same one only to make the same call again',
  );
}

/** A call's input or metadata without the name that its caller gave it. */
export function withoutName(part: Payload): Payload {
  if (!isObject(part.value) || !Object.hasOwn(part.value, KEY)) return part;
  return Payload.of(Object.fromEntries(Object.entries(part.value).filter(([name]) => name !== KEY)));
}

function nameIn(functionId: StateFunctionId, metadata: Json): string | undefined {
  const key = keyIn(functionId, metadata);
  if (key !== undefined) return key;
  const mark = isObject(metadata) ? member(metadata, MARK) : undefined;
  const receipt = isObject(mark) ? member(mark, 'receipt') : undefined;
  return isName(receipt) ? RECEIPT + receipt : undefined;
}

/** Keys and receipts never meet: what people choose begins with another word. */
function keyIn(functionId: StateFunctionId, value: Json): string | undefined {
  const key = isObject(value) ? member(value, KEY) : undefined;
  if (key === undefined) return undefined;
  if (isName(key)) return `key:${key}`;
  throw new GatewayError(
    'deserialization_error',
    `Failed to deserialize input for ${functionId}: ${KEY}: expected a text of 1 to ${MAX_CHARACTERS} characters`,
  );
}

function isName(value: Json | undefined): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= MAX_CHARACTERS;
}

/**
 * Of the checked input, which holds all that the call does and nothing else: an engine adds the caller's worker id to what
 * it passes on, and a worker that connects anew to make its call again has another one.
 */
function fingerprintOf(input: StateInput): string {
  const text = printJson(inOrder({ ...input }));
  return createHash('sha256').update(text).digest('base64url').slice(0, FINGERPRINT_CHARACTERS);
}

function inOrder(value: Json): Json {
  if (Array.isArray(value)) return value.map(inOrder);
  if (!isObject(value)) return value;
  const sorted: JsonObject = Object.create(null);
  for (const name of Object.keys(value).sort()) sorted[name] = inOrder(value[name] as Json);
  return sorted;
}
