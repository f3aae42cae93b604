/** The inputs of the State functions, checked as the engine checks them (state module section 2). */
import { GatewayError, messageOf } from '../errors.js';
import { type Json, printJson } from '../protocol/json.js';
import { Payload } from '../protocol/payload.js';
import type { StateFunctionId, StateInput } from './calls.js';
import { Fields, Undecodable } from './input-fields.js';
import { decodeOps } from './input-ops.js';

/** A page of `state::list_entries` (observe section 7.2). */
const PAGE = { limit: 100, maxLimit: 1000, bytes: 1_000_000, minBytes: 256, maxBytes: 8_000_000 };
const MAX_PAGED_SCOPE_BYTES = 1024;

/** A checked input, and the payload that says the same to any engine. */
export interface DecodedInput {
  input: StateInput;
  /** The payload given, or a new one if it held an operation in the single-key shape, which engines refuse. */
  payload: Payload;
}

/**
 * Checks a call's input (state module sections 2 and 3.1). Unknown members are ignored, `_caller_worker_id` too.
 * @throws GatewayError `deserialization_error` with the decoder's detail; `INVALID_PAGE_LIMITS`.
 */
export function decodeInput(functionId: StateFunctionId, data: Payload): DecodedInput {
  try {
    return functionId === 'state::update'
      ? decodeUpdate(data)
      : { input: readInput(functionId, parsedValue(data)), payload: data };
  } catch (error) {
    if (!(error instanceof Undecodable)) throw error;
    const message = `Failed to deserialize input for ${functionId}: ${error.message}`;
    throw new GatewayError('deserialization_error', message);
  }
}

/**
 * The guard of `state::set` (state module section 2.1); a limit of 0 or none is no limit.
 * @throws GatewayError `VALUE_TOO_LARGE` when the value's compact JSON has more bytes than the limit.
 */
export function checkValueSize(value: Payload | Json, limit: number | undefined): void {
  if (!limit) return;
  const bytes = Buffer.byteLength(printJson(value instanceof Payload ? value.value : value));
  if (bytes <= limit) return;
  const message = `value of ${bytes} bytes exceeds the configured max_value_bytes limit of ${limit}`;
  throw new GatewayError('VALUE_TOO_LARGE', message);
}

function readInput(functionId: Exclude<StateFunctionId, 'state::update'>, data: Json): StateInput {
  switch (functionId) {
    case 'state::set': {
      const fields = Fields.of(data, 'StateSetInput', ['scope', 'key', 'value']);
      return {
        functionId,
        scope: fields.string('scope'),
        key: fields.string('key'),
        value: fields.aliased('value', 'data'),
      };
    }
    case 'state::get': {
      const fields = Fields.of(data, 'StateGetInput', ['scope', 'key']);
      return { functionId, scope: fields.string('scope'), key: fields.string('key') };
    }
    case 'state::delete': {
      const fields = Fields.of(data, 'StateDeleteInput', ['scope', 'key']);
      return { functionId, scope: fields.string('scope'), key: fields.string('key') };
    }
    case 'state::list':
    case 'state::list_keys':
      return { functionId, scope: Fields.of(data, 'StateGetGroupInput', ['scope']).string('scope') };
    case 'state::list_groups':
      Fields.of(data, 'StateListGroupsInput', []);
      return { functionId };
    case 'state::list_entries':
      return readPage(functionId, data);
    case 'state::compare-and-set': {
      const names = ['scope', 'key', 'expected', 'value'];
      const fields = Fields.of(data, 'StateCompareAndSetInput', names);
      const scope = fields.string('scope');
      const key = fields.string('key');
      // An expected null means that the key must be absent; a stored null cannot be expected.
      const expected = fields.valueOrNull('expected');
      return { functionId, scope, key, expected, value: fields.value('value') };
    }
  }
}

function decodeUpdate(data: Payload): DecodedInput {
  const value = parsedValue(data);
  const fields = Fields.of(value, 'StateUpdateInput', ['scope', 'key', 'ops']);
  const scope = fields.string('scope');
  const key = fields.string('key');
  const given = fields.value('ops');
  const decoded = decodeOps(given);
  const input: StateInput = { functionId: 'state::update', scope, key, ops: decoded.map(({ op }) => op) };
  const isTagged = Array.isArray(given) && decoded.every(({ json }, index) => json === given[index]);
  if (isTagged) return { input, payload: data };
  const ops = decoded.map(({ json }) => json);
  const payload = Array.isArray(value) ? Payload.of(value.with(2, ops)) : data.withMember('ops', ops);
  return { input, payload };
}

function readPage(functionId: 'state::list_entries', data: Json): StateInput {
  const fields = Fields.of(data, 'StateListEntriesInput', ['scope', 'cursor', 'limit', 'max_bytes']);
  const scope = fields.string('scope');
  const cursor = fields.optionalString('cursor');
  const limit = fields.count('limit', PAGE.limit);
  const maxBytes = fields.count('max_bytes', PAGE.bytes);
  const isValid =
    isWithin(limit, 1, PAGE.maxLimit) &&
    isWithin(maxBytes, PAGE.minBytes, PAGE.maxBytes) &&
    Buffer.byteLength(scope) <= MAX_PAGED_SCOPE_BYTES;
  if (isValid) return { functionId, scope, limit, maxBytes, ...(cursor !== undefined && { cursor }) };
  throw new GatewayError(
    'INVALID_PAGE_LIMITS',
    `limit must be 1 to ${PAGE.maxLimit}, max_bytes ${PAGE.minBytes} to ${PAGE.maxBytes}, ` +
      `and scope at most ${MAX_PAGED_SCOPE_BYTES} bytes`,
  );
}

function isWithin(value: number, min: number, max: number): boolean {
  return value >= min && value <= max;
}

/** A payload that came as text is parsed here first, and may hold a number that no engine reads. */
function parsedValue(data: Payload): Json {
  try {
    return data.value;
  } catch (error) {
    throw new Undecodable(messageOf(error));
  }
}
