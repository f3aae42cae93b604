import { describe, expect, it } from 'vitest';
import type { StateFunctionId } from '../../../src/operations/calls.js';
import { decodeInput } from '../../../src/operations/inputs.js';
import { familyOf, repeatOf } from '../../../src/operations/repeats.js';
import type { Json, JsonObject } from '../../../src/protocol/json.js';
import { Payload } from '../../../src/protocol/payload.js';

const SET = { scope: 's', key: 'k', value: 1 };

function nameOf(functionId: StateFunctionId, data: string | Json, metadata?: Json) {
  const payload = typeof data === 'string' ? Payload.fromText(data) : Payload.of(data);
  const { input } = decodeInput(functionId, payload);
  return repeatOf(input, payload, metadata === undefined ? undefined : Payload.of(metadata));
}

const idOf = (data: JsonObject, metadata?: Json) => nameOf('state::set', { ...SET, ...data }, metadata)?.id;
const fingerprintOf = (functionId: StateFunctionId, data: string | Json) =>
  nameOf(functionId, data, { idempotency_key: 'a' })?.fingerprint ?? expect.fail('it has no name');

describe("a call's name", () => {
  it('is its idempotency_key, in the input before the metadata, else the receipt of a gateway before us', () => {
    const receipt = { iii_state_gateway: { via: ['edge'], receipt: 'edge-7' } };
    const metadata = { idempotency_key: 'b', ...receipt };
    expect(idOf({ idempotency_key: 'a' }, metadata)).toBe('key:a');
    expect(idOf({}, metadata)).toBe('key:b');
    expect(idOf({}, receipt)).toBe('receipt:edge-7');
    expect(idOf({ idempotency_key: 'edge-7' })).not.toBe(idOf({}, receipt));
  });

  it.each<[string, Json | undefined]>([
    ['no metadata', undefined],
    ['other metadata', { tenant: 't' }],
    ['a mark without a receipt', { iii_state_gateway: { via: ['edge'] } }],
    ['a receipt that is none', { iii_state_gateway: { receipt: 7 } }],
    ['an empty receipt', { iii_state_gateway: { receipt: '' } }],
    ['a receipt that is too long', { iii_state_gateway: { receipt: 'x'.repeat(257) } }],
    ['metadata that is no object', 'idempotency_key'],
  ])('is missing with %s', (_, metadata) => expect(idOf({}, metadata)).toBeUndefined());

  it('is not looked for in reads', () => {
    const data = { scope: 's', key: 'k', idempotency_key: 5 };
    expect(nameOf('state::get', data, { idempotency_key: 'a' })).toBeUndefined();
    expect(nameOf('state::list', data)).toBeUndefined();
  });

  it.each<StateFunctionId>(['state::set', 'state::delete', 'state::update', 'state::compare-and-set'])(
    'is looked for in %s',
    (functionId) => {
      const data = { ...SET, ops: [], idempotency_key: 'a' };
      expect(nameOf(functionId, data)).toMatchObject({ id: 'key:a' });
    },
  );

  it.each<Json>(['', 'x'.repeat(257), 5, null, ['a']])('may not be %j', (idempotency_key) => {
    const refused = expect.objectContaining({
      code: 'deserialization_error',
      message: expect.stringContaining('idempotency_key'),
    });
    expect(() => idOf({ idempotency_key })).toThrow(refused);
    expect(() => idOf({}, { idempotency_key })).toThrow(refused);
  });

  it('may have 256 characters', () => {
    expect(idOf({ idempotency_key: 'ä'.repeat(256) })).toBe(`key:${'ä'.repeat(256)}`);
  });
});

describe("a call's fingerprint", () => {
  const set = (value: string, more = '') => `{"scope":"s","key":"k","value":${value}${more}}`;

  it.each([
    ['the order of members', set('{"a":1,"b":{"c":2,"d":3}}'), set('{"b":{"d":3,"c":2},"a":1}')],
    ['where the key is', set('1'), set('1', ',"idempotency_key":"a"')],
    ['who makes it', set('1', ',"_caller_worker_id":"x"'), set('1', ',"_caller_worker_id":"y"')],
    ['another name of a member', set('1'), '{"scope":"s","key":"k","data":1}'],
  ])('does not depend on %s', (_, one, other) => {
    expect(fingerprintOf('state::set', one)).toBe(fingerprintOf('state::set', other));
  });

  it.each([
    ['the value', set('1'), set('2')],
    ['a large integer', set('9007199254740993'), set('9007199254740992')],
    ['the order of a list', set('[1,2]'), set('[2,1]')],
    ['__proto__', set('{"__proto__":1}'), set('{"__proto__":2}')],
    ['an idempotency_key within the value', set('{"idempotency_key":1}'), set('{}')],
    ['the key', set('1'), '{"scope":"s","key":"other","value":1}'],
    ['the scope', set('1'), '{"scope":"other","key":"k","value":1}'],
  ])('depends on %s', (_, one, other) => {
    expect(fingerprintOf('state::set', one)).not.toBe(fingerprintOf('state::set', other));
  });

  it('depends on the function', () => {
    expect(fingerprintOf('state::set', SET)).not.toBe(fingerprintOf('state::compare-and-set', SET));
  });

  it('is the same for both shapes of an operation', () => {
    const call = (op: Json) => fingerprintOf('state::update', { scope: 's', key: 'k', ops: [op] });
    expect(call({ increment: { field: 'n', by: 1 } })).toBe(call({ type: 'increment', path: 'n', by: 1 }));
  });
});

it('lets the names of one gateway make room for each other only', () => {
  expect(familyOf('receipt:edge-1')).toBe(familyOf('receipt:edge-22'));
  expect(familyOf('receipt:edge-1')).not.toBe(familyOf('receipt:other-1'));
  expect(familyOf('receipt:edge-1')).not.toBe(familyOf('key:edge-1'));
  expect(familyOf('key:a')).toBe(familyOf('key:receipt:edge-1'));
});
