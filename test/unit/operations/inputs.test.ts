import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GatewayError } from '../../../src/errors.js';
import type { StateFunctionId } from '../../../src/operations/calls.js';
import { checkValueSize, decodeInput } from '../../../src/operations/inputs.js';
import { isObject, type Json, parseJson, printJson } from '../../../src/protocol/json.js';
import { Payload } from '../../../src/protocol/payload.js';
import { jsonValue, memberName } from '../../support/json-values.js';
import { readRefused } from '../../support/update-op-vectors.js';

const FUNCTIONS: StateFunctionId[] = [
  'state::get',
  'state::set',
  'state::delete',
  'state::update',
  'state::list',
  'state::list_groups',
  'state::list_keys',
  'state::list_entries',
  'state::compare-and-set',
];

function decode(functionId: StateFunctionId, text: string) {
  return decodeInput(functionId, Payload.fromText(text)).input;
}

function refusal(work: () => unknown): GatewayError {
  try {
    work();
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

function refusalOf(functionId: StateFunctionId, text: string): string {
  const { code, message } = refusal(() => decode(functionId, text));
  expect(code).toBe('deserialization_error');
  const head = `Failed to deserialize input for ${functionId}: `;
  expect(message.startsWith(head)).toBe(true);
  return message.slice(head.length);
}

function decodeOp(op: string) {
  const text = `{"scope":"s","key":"k","ops":[${op}]}`;
  const payload = Payload.fromText(text);
  const decoded = decodeInput('state::update', payload);
  if (decoded.input.functionId !== 'state::update') throw new Error('another input came back');
  return { op: decoded.input.ops[0], isSame: decoded.payload === payload, text: decoded.payload.text };
}

function refusedOp(op: string): string {
  return refusalOf('state::update', `{"scope":"s","key":"k","ops":[${op}]}`);
}

describe('scope and key', () => {
  it.each([
    ['state::get', '{"scope":"s","key":"k"}', { scope: 's', key: 'k' }],
    ['state::get', '{"scope":"","key":""}', { scope: '', key: '' }],
    ['state::get', '["s","k"]', { scope: 's', key: 'k' }],
    ['state::delete', '{"key":"k","scope":"s","_caller_worker_id":5,"more":[]}', { scope: 's', key: 'k' }],
    ['state::list', '{"scope":"s"}', { scope: 's' }],
    ['state::list', '["s"]', { scope: 's' }],
    ['state::list_keys', '{"scope":"s"}', { scope: 's' }],
    ['state::list_groups', '{}', {}],
    ['state::list_groups', '{"scope":5}', {}],
    ['state::list_groups', '[]', {}],
  ] as const)('%s takes %s', (functionId, text, input) => {
    expect(decode(functionId, text)).toEqual({ functionId, ...input });
  });

  it.each([
    ['state::get', '{}', 'missing field `scope`'],
    ['state::get', '{"scope":"s"}', 'missing field `key`'],
    ['state::get', '{"scope":5,"key":"k"}', 'invalid type: integer `5`, expected a string'],
    ['state::get', '{"scope":1.5,"key":"k"}', 'invalid type: floating point `1.5`, expected a string'],
    ['state::get', '{"scope":1.0,"key":"k"}', 'invalid type: floating point `1.0`, expected a string'],
    ['state::get', '{"scope":null,"key":"k"}', 'invalid type: null, expected a string'],
    ['state::get', '{"scope":true,"key":"k"}', 'invalid type: boolean `true`, expected a string'],
    ['state::get', '{"scope":[],"key":"k"}', 'invalid type: sequence, expected a string'],
    ['state::get', '{"scope":{},"key":"k"}', 'invalid type: map, expected a string'],
    ['state::get', '{"scope":9007199254740993,"key":"k"}', 'integer `9007199254740993`'],
    ['state::get', 'null', 'invalid type: null, expected struct StateGetInput'],
    ['state::get', '"s"', 'invalid type: string "s", expected struct StateGetInput'],
    ['state::get', '["s"]', 'invalid length 1, expected struct StateGetInput with 2 elements'],
    ['state::get', '["s","k",1]', 'invalid length 3, expected fewer elements in array'],
    ['state::list_groups', 'null', 'invalid type: null, expected struct StateListGroupsInput'],
    ['state::list_groups', '[1]', 'invalid length 1, expected fewer elements in array'],
    ['state::get', '{"__proto__":{"scope":"s","key":"k"}}', 'missing field `scope`'],
  ] as const)('%s refuses %s', (functionId, text, detail) => {
    expect(refusalOf(functionId, text)).toContain(detail);
  });

  it('quotes no more than the beginning of a long text', () => {
    expect(refusalOf('state::get', JSON.stringify('x'.repeat(1_000))).length).toBeLessThan(200);
  });

  it('refuses a number that no engine reads, when nobody has parsed the text before', () => {
    expect(refusalOf('state::set', '{"scope":"s","key":"k","value":1e400}')).toContain('out of range');
    expect(refusalOf('state::update', '{"scope":"s","key":"k","ops":[1e400]}')).toContain('out of range');
  });
});

describe('state::set', () => {
  it.each([
    ['{"scope":"s","key":"k","value":1}', 1],
    ['{"scope":"s","key":"k","data":1}', 1],
    ['{"scope":"s","key":"k","value":null}', null],
    ['{"scope":"s","key":"k","data":null}', null],
    ['["s","k",{"a":1}]', { a: 1 }],
  ])('takes %s', (text, value) => {
    expect(decode('state::set', text)).toEqual({ functionId: 'state::set', scope: 's', key: 'k', value });
  });

  it.each([
    ['{"scope":"s","key":"k"}', 'missing field `value`'],
    ['{"scope":"s","key":"k","value":1,"data":1}', 'duplicate field `value`'],
    ['{"scope":"s","key":"k","value":null,"data":null}', 'duplicate field `value`'],
  ])('refuses %s', (text, detail) => {
    expect(refusalOf('state::set', text)).toBe(detail);
  });

  it('passes the payload on as it came', () => {
    const payload = Payload.fromText('{ "scope":"s", "key":"k", "data":1.0 }');
    expect(decodeInput('state::set', payload).payload).toBe(payload);
  });
});

describe('state::update', () => {
  const vectors = readRefused();
  const refused = vectors.filter(({ acceptedHere }) => acceptedHere === undefined);

  it('holds every vector of a refused call', () => {
    expect([vectors.length, refused.length]).toEqual([21, 20]);
  });

  it.each(refused)('vector: $name', ({ ops, refused: detail }) => {
    expect(refusalOf('state::update', printJson({ scope: 's', key: 'k', ops }))).toContain(detail);
  });

  it.each(
    vectors.flatMap(({ name, ops, acceptedHere }) =>
      acceptedHere === undefined ? [] : { name, ops, acceptedHere },
    ),
  )('extends the engine on purpose: $name', ({ ops, acceptedHere }) => {
    const data = Payload.of({ scope: 's', key: 'k', ops });
    expect(decodeInput('state::update', data).payload.value).toEqual({
      scope: 's',
      key: 'k',
      ops: [acceptedHere],
    });
  });

  it.each([
    ['{}', 'missing field `scope`'],
    ['{"scope":"s","key":"k"}', 'missing field `ops`'],
    ['{"scope":"s","key":"k","ops":{}}', 'invalid type: map, expected a sequence'],
    ['{"scope":"s","key":"k","ops":null}', 'invalid type: null, expected a sequence'],
  ])('refuses %s', (text, detail) => {
    expect(refusalOf('state::update', text)).toBe(detail);
  });

  it.each([
    ['{"type":"merge","value":{}}', { type: 'merge', path: [], value: {} }],
    ['{"type":"merge","path":null,"value":{}}', { type: 'merge', path: [], value: {} }],
    ['{"type":"append","path":"","value":null}', { type: 'append', path: [], value: null }],
    ['{"type":"append","path":[""],"value":1}', { type: 'append', path: [''], value: 1 }],
    ['{"type":"append","path":"a.b","value":1}', { type: 'append', path: ['a.b'], value: 1 }],
    ['{"type":"set","path":"a"}', { type: 'set', path: 'a', value: null }],
    ['{"type":"set","path":"a","value":1,"set":2}', { type: 'set', path: 'a', value: 1 }],
    [
      '{"type":"increment","path":"a","by":9223372036854775807}',
      { type: 'increment', path: 'a', by: 2n ** 63n - 1n },
    ],
    ['["set","a",1]', { type: 'set', path: 'a', value: 1 }],
    ['["remove","a"]', { type: 'remove', path: 'a' }],
  ])('takes %s as it is', (given, op) => {
    const decoded = decodeOp(given);
    expect(decoded.op).toEqual(op);
    expect(decoded.isSame).toBe(true);
  });

  it.each([
    ['{"type":null}', 'invalid type: null, expected variant identifier'],
    ['{"type":0,"path":"a"}', 'invalid type: integer `0`, expected variant identifier'],
    ['{"type":"toString"}', 'unknown variant `toString`'],
    ['[]', 'missing field `type`'],
    ['["set","a"]', 'invalid length 1, expected'],
    ['{"type":"increment","path":"a","by":1.0}', 'invalid type: floating point `1.0`, expected i64'],
    ['{"type":"increment","path":"a","by":-0}', 'invalid type: floating point `-0.0`, expected i64'],
    [
      '{"type":"increment","path":"a","by":9223372036854775808}',
      'invalid value: integer `9223372036854775808`, expected i64',
    ],
    ['{"type":"decrement","path":"a","by":1e30}', 'expected i64'],
    ['{"__proto__":{"type":"remove","path":"a"}}', 'missing field `type`'],
  ])('refuses %s', (op, detail) => {
    expect(refusedOp(op)).toContain(detail);
  });
});

describe('operations in the single-key shape', () => {
  it.each([
    ['{"set":5}', '{"type":"set","path":"","value":5}'],
    ['{"set":null}', '{"type":"set","path":"","value":null}'],
    ['{"merge":{"a":1.0}}', '{"type":"merge","value":{"a":1.0}}'],
    ['{"increment":{"field":"n","by":2}}', '{"type":"increment","path":"n","by":2}'],
    [
      '{"decrement":{"field":"n","by":-9223372036854775808}}',
      '{"type":"decrement","path":"n","by":-9223372036854775808}',
    ],
    ['{"remove":"a"}', '{"type":"remove","path":"a"}'],
  ])('%s becomes %s', (given, tagged) => {
    const decoded = decodeOp(given);
    expect(decoded.isSame).toBe(false);
    expect(decoded.text).toBe(`{"scope":"s","key":"k","ops":[${tagged}]}`);
    expect(decoded.op).toEqual(decodeOp(tagged).op);
  });

  it('leaves every other member and operation of the payload as it was', () => {
    const text =
      '{"__proto__":1,"scope":"s","key":"k","ops":[["set","a",1.0],{"remove":"b"}],"_caller_worker_id":"w"}';
    const { input, payload } = decodeInput('state::update', Payload.fromText(text));
    expect(payload.text).toBe(text.replace('{"remove":"b"}', '{"type":"remove","path":"b"}'));
    expect(input).toMatchObject({ ops: [{ type: 'set' }, { type: 'remove', path: 'b' }] });
  });

  it('is rewritten within an input given as an array too', () => {
    const given = Payload.fromText('["s","k",[{"set":1}]]');
    expect(decodeInput('state::update', given).payload.text).toBe(
      '["s","k",[{"type":"set","path":"","value":1}]]',
    );
    expect(given.text).toBe('["s","k",[{"set":1}]]');
  });

  it.each([
    ['{}', 'missing field `type`'],
    ['{"set":1,"remove":"a"}', 'missing field `type`'],
    ['{"append":1}', 'missing field `type`'],
    ['{"increment":5}', 'invalid type: integer `5`'],
    ['{"increment":["n",1]}', 'invalid type: sequence'],
    ['{"increment":{"by":1}}', 'missing field `field`'],
    ['{"increment":{"field":"n"}}', 'missing field `by`'],
    ['{"increment":{"field":5,"by":1}}', 'expected a string'],
    ['{"increment":{"field":"n","by":1.5}}', 'floating point `1.5`, expected i64'],
    ['{"increment":{"field":"n","by":2.0}}', 'floating point `2.0`, expected i64'],
    ['{"decrement":{"field":"n","by":"1"}}', 'expected i64'],
    ['{"decrement":{"field":"n","by":9223372036854775808}}', 'expected i64'],
    ['{"remove":["a"]}', 'expected a string'],
  ])('%s is refused', (op, detail) => {
    expect(refusedOp(op)).toContain(detail);
  });
});

describe('state::list_entries', () => {
  it.each([
    ['{"scope":"s"}', { limit: 100, maxBytes: 1_000_000 }],
    ['{"scope":"s","limit":null,"max_bytes":null,"cursor":null}', { limit: 100, maxBytes: 1_000_000 }],
    ['{"scope":"s","limit":1,"max_bytes":256}', { limit: 1, maxBytes: 256 }],
    [
      '{"scope":"s","limit":1000,"max_bytes":8000000,"cursor":"c"}',
      { limit: 1000, maxBytes: 8_000_000, cursor: 'c' },
    ],
  ])('takes %s', (text, page) => {
    const input = decode('state::list_entries', text);
    expect(input).toStrictEqual({ functionId: 'state::list_entries', scope: 's', ...page });
  });

  it.each([
    '{"scope":"s","limit":0}',
    '{"scope":"s","limit":1001}',
    '{"scope":"s","limit":9223372036854775807}',
    '{"scope":"s","max_bytes":255}',
    '{"scope":"s","max_bytes":8000001}',
    JSON.stringify({ scope: 'é'.repeat(513) }),
  ])('is out of bounds: %s', (text) => {
    const { code } = refusal(() => decode('state::list_entries', text));
    expect(code).toBe('INVALID_PAGE_LIMITS');
  });

  it('takes a scope of 1024 bytes', () => {
    expect(decode('state::list_entries', JSON.stringify({ scope: 'é'.repeat(512) }))).toBeDefined();
  });

  it.each([
    ['{"scope":"s","limit":-1}', 'invalid value: integer `-1`, expected usize'],
    ['{"scope":"s","limit":1.5}', 'invalid type: floating point `1.5`, expected usize'],
    ['{"scope":"s","limit":"1"}', 'expected usize'],
    ['{"scope":"s","cursor":1}', 'expected a string'],
    ['{}', 'missing field `scope`'],
  ])('refuses %s', (text, detail) => {
    expect(refusalOf('state::list_entries', text)).toContain(detail);
  });
});

describe('state::compare-and-set', () => {
  it.each([
    ['{"scope":"s","key":"k","value":1}', null, 1],
    ['{"scope":"s","key":"k","expected":null,"value":null}', null, null],
    ['{"scope":"s","key":"k","expected":{"a":1},"value":1}', { a: 1 }, 1],
    ['["s","k",1,2]', 1, 2],
  ])('takes %s', (text, expected, value) => {
    expect(decode('state::compare-and-set', text)).toEqual({
      functionId: 'state::compare-and-set',
      scope: 's',
      key: 'k',
      expected,
      value,
    });
  });

  it('needs a value', () => {
    expect(refusalOf('state::compare-and-set', '{"scope":"s","key":"k","expected":1}')).toBe(
      'missing field `value`',
    );
  });
});

describe('checkValueSize', () => {
  it.each([
    ['"é"', 4],
    ['{ "a" : 1 }', 7],
    ['"\\u00e9\\/"', 5],
    ['9007199254740993', 16],
    ['[1.0]', 5],
  ])('counts the bytes of %s as compact JSON', (text, bytes) => {
    expect(() => checkValueSize(Payload.fromText(text), bytes)).not.toThrow();
    expect(() => checkValueSize(parseJson(text), bytes)).not.toThrow();
    const { code, message } = refusal(() => checkValueSize(parseJson(text), bytes - 1));
    expect(code).toBe('VALUE_TOO_LARGE');
    expect(message).toBe(
      `value of ${bytes} bytes exceeds the configured max_value_bytes limit of ${bytes - 1}`,
    );
  });

  it.each([0, undefined])('does not look at the value when the limit is %s', (limit) => {
    expect(() => checkValueSize('x'.repeat(1_000), limit)).not.toThrow();
  });
});

describe('properties', () => {
  const nearly = fc.dictionary(
    fc.constantFrom(
      'scope',
      'key',
      'value',
      'data',
      'ops',
      'expected',
      'cursor',
      'limit',
      'max_bytes',
      'type',
      'path',
      'by',
      'set',
      'merge',
      'increment',
      'remove',
      'field',
    ),
    fc.oneof(jsonValue, memberName, fc.constantFrom('set', 'merge', 'increment', 'append', 'remove')),
  );
  const update = fc.record({
    scope: fc.string(),
    key: fc.string(),
    ops: fc.array(fc.oneof(nearly, jsonValue), { maxLength: 3 }),
  });
  const data: fc.Arbitrary<Json> = fc.oneof(jsonValue, nearly, update, fc.array(jsonValue, { maxLength: 5 }));

  it('decodes or refuses with a code, whatever comes', () => {
    fc.assert(
      fc.property(fc.constantFrom(...FUNCTIONS), data, (functionId, value) => {
        const payload = Payload.of(value);
        const before = payload.text;
        try {
          const decoded = decodeInput(functionId, payload);
          expect(decoded.input.functionId).toBe(functionId);
          // What we pass on is understood the same, and needs no further change.
          const again = decodeInput(functionId, decoded.payload);
          expect(again.payload).toBe(decoded.payload);
          expect(again.input).toEqual(decoded.input);
        } catch (error) {
          if (!(error instanceof GatewayError)) throw error;
          expect(['deserialization_error', 'INVALID_PAGE_LIMITS']).toContain(error.code);
        }
        expect(printJson(value)).toBe(before);
      }),
      { numRuns: 2_000 },
    );
  });

  it('takes an input as an array wherever it takes it as an object', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), jsonValue, (scope, key, value) => {
        const asObject = decodeInput('state::set', Payload.of({ scope, key, value }));
        const asArray = decodeInput('state::set', Payload.of([scope, key, value]));
        expect(asArray.input).toEqual(asObject.input);
        expect(isObject(asArray.payload.value)).toBe(false);
      }),
    );
  });
});
