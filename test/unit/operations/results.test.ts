import { describe, expect, it } from 'vitest';
import {
  changeResult,
  eventOf,
  groupsResult,
  keysResult,
  notSwappedResult,
  swappedResult,
} from '../../../src/operations/results.js';
import { parseJson } from '../../../src/protocol/json.js';

describe('results', () => {
  it('of a change: old and new value, both always there', () => {
    expect(changeResult(undefined, 1).text).toBe('{"old_value":null,"new_value":1}');
    expect(changeResult(null, null).text).toBe('{"old_value":null,"new_value":null}');
    expect(changeResult({ a: 1 }, parseJson('1.0')).text).toBe('{"old_value":{"a":1},"new_value":1.0}');
  });

  it('of an update: errors only if there are any', () => {
    const error = { op_index: 1, code: 'c', message: 'm', doc_url: 'd' };
    expect(changeResult(1, 2, []).text).toBe('{"old_value":1,"new_value":2}');
    expect(changeResult(1, 2, [error]).text).toBe(
      '{"old_value":1,"new_value":2,"errors":[{"op_index":1,"code":"c","message":"m","doc_url":"d"}]}',
    );
  });

  it('of list_keys: in the order given', () => {
    expect(keysResult(['b', 'a']).text).toBe('{"keys":["b","a"]}');
  });

  it('of list_groups: each scope once, by the order of UTF-8 bytes', () => {
    expect(groupsResult(['b', '\u{1F600}', '\uFF5E', 'a', 'b', '']).value).toEqual({
      groups: ['', 'a', 'b', '\uFF5E', '\u{1F600}'],
    });
  });

  it('of compare-and-set', () => {
    expect(swappedResult().text).toBe('{"swapped":true}');
    expect(notSwappedResult(5).text).toBe('{"swapped":false,"current":5}');
    expect(notSwappedResult(undefined).text).toBe('{"swapped":false,"current":null}');
  });
});

describe('eventOf', () => {
  it.each([
    [undefined, 1, 'state:created', null, 1],
    [undefined, null, 'state:created', null, null],
    [null, 1, 'state:updated', null, 1],
    [1, 1, 'state:updated', 1, 1],
    [1, undefined, 'state:deleted', 1, null],
    [null, undefined, 'state:deleted', null, null],
    [undefined, undefined, 'state:deleted', null, null],
  ])('from %j to %j: %s', (before, after, event_type, old_value, new_value) => {
    const event = eventOf({ scope: 's', key: 'k', before, after });
    expect(event).toEqual({ type: 'state', event_type, scope: 's', key: 'k', old_value, new_value });
    expect(Object.keys(event)).toEqual(['type', 'event_type', 'scope', 'key', 'old_value', 'new_value']);
  });
});
