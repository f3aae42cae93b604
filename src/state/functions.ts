/** The state functions as they are shown to workers and consoles: what each does, takes and gives. */

import type { StateFunctionId } from '../operations/calls.js';
import type { Json, JsonObject } from '../protocol/json.js';

export interface FunctionInfo {
  id: StateFunctionId;
  description: string;
  requestFormat: Json;
  responseFormat: Json;
}

const ANY: JsonObject = {};
const TEXT: JsonObject = { type: 'string' };

function object(properties: JsonObject, required: string[]): JsonObject {
  return { type: 'object', properties, required };
}

const KEY = { scope: TEXT, key: TEXT };
const CHANGED = object({ old_value: ANY, new_value: ANY }, ['old_value', 'new_value']);

export const STATE_FUNCTIONS: readonly FunctionInfo[] = [
  {
    id: 'state::set',
    description: 'Stores a value under a key of a scope',
    requestFormat: object({ ...KEY, value: ANY }, ['scope', 'key', 'value']),
    responseFormat: CHANGED,
  },
  {
    id: 'state::get',
    description: 'Reads the value of a key; no result if there is none',
    requestFormat: object(KEY, ['scope', 'key']),
    responseFormat: ANY,
  },
  {
    id: 'state::delete',
    description: 'Deletes a key and gives the value it had',
    requestFormat: object(KEY, ['scope', 'key']),
    responseFormat: ANY,
  },
  {
    id: 'state::update',
    description: 'Applies operations to the value of a key, all in one step',
    requestFormat: object({ ...KEY, ops: { type: 'array', items: { type: 'object' } } }, [
      'scope',
      'key',
      'ops',
    ]),
    responseFormat: object({ old_value: ANY, new_value: ANY, errors: { type: 'array' } }, [
      'old_value',
      'new_value',
    ]),
  },
  {
    id: 'state::list',
    description: 'Lists the values of a scope',
    requestFormat: object({ scope: TEXT }, ['scope']),
    responseFormat: { type: 'array', items: ANY },
  },
  {
    id: 'state::list_groups',
    description: 'Lists the scopes that hold at least one key',
    requestFormat: object({}, []),
    responseFormat: object({ groups: { type: 'array', items: TEXT } }, ['groups']),
  },
  {
    id: 'state::list_keys',
    description: 'Lists the keys of a scope',
    requestFormat: object({ scope: TEXT }, ['scope']),
    responseFormat: object({ keys: { type: 'array', items: TEXT } }, ['keys']),
  },
  {
    id: 'state::list_entries',
    description: 'Lists keys and values of a scope, page by page, as they stood at the first page',
    requestFormat: object(
      { scope: TEXT, cursor: TEXT, limit: { type: 'integer' }, max_bytes: { type: 'integer' } },
      ['scope'],
    ),
    responseFormat: object(
      {
        entries: { type: 'array' },
        next_cursor: { type: ['string', 'null'] },
        done: { type: 'boolean' },
        offset: { type: 'integer' },
        total: { type: 'integer' },
      },
      ['entries', 'next_cursor', 'done', 'offset', 'total'],
    ),
  },
  {
    id: 'state::compare-and-set',
    description: 'Stores a value if the key still holds the expected one; without one, if the key is absent',
    requestFormat: object({ ...KEY, expected: ANY, value: ANY }, ['scope', 'key', 'value']),
    responseFormat: object({ swapped: { type: 'boolean' }, current: ANY }, ['swapped']),
  },
];
