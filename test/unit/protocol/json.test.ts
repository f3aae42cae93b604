import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseExactly, printExactly } from '../../../src/protocol/exact-json.js';
import {
  isObject,
  type Json,
  type JsonObject,
  member,
  parseJson,
  printJson,
  setMember,
  WholeFloat,
} from '../../../src/protocol/json.js';
import { jsonValue } from '../../support/json-values.js';

const float = (value: number) => new WholeFloat(value);

describe('numbers', () => {
  it.each<[text: string, value: Json, printed?: string]>([
    ['0', 0],
    ['1.5', 1.5],
    ['-0.5', -0.5],
    ['1.50', 1.5, '1.5'],
    ['0.1', 0.1],
    ['1.0', float(1)],
    ['-1.000', float(-1), '-1.0'],
    ['100.0', float(100)],
    ['1e2', float(100), '100.0'],
    ['1E+2', float(100), '100.0'],
    ['15e-1', 1.5, '1.5'],
    ['1e-7', 1e-7],
    ['0e0', float(0), '0.0'],
    ['-0', float(-0), '-0.0'],
    ['-0.0', float(-0)],
    ['1e21', float(1e21), '1e+21'],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
    ['9007199254740992', 2n ** 53n],
    ['9007199254740993', 2n ** 53n + 1n],
    ['-9007199254740993', -(2n ** 53n) - 1n],
    ['9223372036854775807', 2n ** 63n - 1n],
    ['-9223372036854775808', -(2n ** 63n)],
    ['18446744073709551615', 2n ** 64n - 1n],
    ['18446744073709551616', float(2 ** 64), '18446744073709552000.0'],
    ['-9223372036854776000', float(-(2 ** 63)), '-9223372036854776000.0'], // -2^63 as JavaScript prints it
    ['-9223372036854775809', float(-(2 ** 63)), '-9223372036854776000.0'],
    // Rounds to a whole number, though it has neither 16 digits in a row nor a zero at its end.
    ['999999999999999.99', float(1e15), '1000000000000000.0'],
    ['99999999999999.999', float(1e14), '100000000000000.0'],
    ['0.99999999999999999', float(1), '1.0'],
  ])('%s', (text, value, printed = text) => {
    expect(parseJson(text)).toStrictEqual(value);
    expect(parseJson(`{"a":[0,${text}]}`)).toStrictEqual({ a: [0, value] });
    expect(printJson(value)).toBe(printed);
  });

  it.each(['1e400', '-1e400', `1${'0'.repeat(309)}`, '[1,{"a":1e999}]'])('%s is out of range', (text) => {
    expect(() => parseJson(text)).toThrow(RangeError);
  });

  it('is read exactly wherever it would not be by JSON.parse', () => {
    const token = fc.stringMatching(/^-?(?:0|[1-9]\d{0,19})(?:\.\d{1,19})?(?:[eE][+-]?\d{1,2})?$/);
    fc.assert(
      fc.property(token, (text) => isDeepStrictEqual(parseJson(text), parseExactly(text))),
      { numRuns: 5_000 },
    );
  });

  it('is read exactly close to whole numbers, too', () => {
    const nines = fc.tuple(fc.integer({ min: 1, max: 18 }), fc.integer({ min: 1, max: 18 }));
    fc.assert(
      fc.property(nines, ([whole, fraction]) => {
        const text = `${'9'.repeat(whole)}.${'9'.repeat(fraction)}`;
        return isDeepStrictEqual(parseJson(text), parseExactly(text));
      }),
    );
  });
});

describe('texts', () => {
  // Each text is read by JSON.parse, and once more with a number in it that only the exact reader keeps.
  it.each([
    '{}',
    '[]',
    '""',
    'null',
    ' { "a" : [ 1 , 2 ] ,\t"b" :\r\n{ } } ',
    '{"a":1,"b":2,"a":3}',
    '{"__proto__":{"x":1},"constructor":2,"toString":3,"":4}',
    '{"__proto__":1,"__proto__":2}',
    '["\\"","\\\\","\\\\\\"","\\/\\b\\f\\n\\r\\t","\\u00e9\\ud83d\\ude00","\\u0000"]',
    '{"a\\"b":1,"\\u0061":2,"c\\\\":3}',
    '["é","\u{1F600}","]}","{[,:"]',
    '[true,false,null,[[]],[{}],{"a":{"b":[]}}]',
    '["1.0","1e5",-1]',
  ])('%s', (text) => {
    const expected = JSON.parse(text) as Json;
    expect(isDeepStrictEqual(parseJson(text), expected)).toBe(true);
    expect(isDeepStrictEqual(parseExactly(text), expected)).toBe(true);
    expect(isDeepStrictEqual(parseJson(`[${text},1.0]`), [expected, float(1)])).toBe(true);
    expect(printJson(expected)).toBe(JSON.stringify(expected));
    expect(printExactly(expected)).toBe(JSON.stringify(expected));
  });

  it.each(['', ' ', '{', '[1,]', '{"a":1,}', "{'a':1}", '01', '1.', '.5', '+1', 'NaN', 'Infinity', '"\n"'])(
    '%j is no JSON',
    (text) => {
      expect(() => parseJson(text)).toThrow(SyntaxError);
      expect(() => parseJson(`[1.0,${text}`)).toThrow(SyntaxError);
    },
  );

  it('keeps __proto__ as data when it must print exactly', () => {
    const text = '{"__proto__":{"a":1.0},"b":9007199254740993}';
    const value = parseJson(text);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(printJson(value)).toBe(text);
  });
});

describe('members', () => {
  it('are own members only', () => {
    expect(member({}, 'toString')).toBeUndefined();
    expect(member({}, '__proto__')).toBeUndefined();
    expect(member({ a: null }, 'a')).toBeNull();
  });

  it('are set as data, whatever their name', () => {
    const object: JsonObject = {};
    for (const name of ['__proto__', 'constructor', 'a', '__proto__']) setMember(object, name, [name]);
    expect(Object.keys(object)).toEqual(['__proto__', 'constructor', 'a']);
    expect(member(object, '__proto__')).toEqual(['__proto__']);
    expect(Object.getPrototypeOf(object)).toBe(Object.prototype);
  });

  it('belong to objects, which arrays, null and numbers are not', () => {
    const values: (Json | undefined)[] = [{}, [], null, undefined, 1, 1n, float(1), 'a', true];
    expect(values.filter(isObject)).toEqual([{}]);
  });
});

describe('properties', () => {
  it('parsing what was printed gives the value', () => {
    fc.assert(
      fc.property(jsonValue, (value) => isDeepStrictEqual(parseJson(printJson(value)), value)),
      { numRuns: 1_000 },
    );
  });

  it('printing exactly and printing fast agree, and so do both readers', () => {
    fc.assert(
      fc.property(jsonValue, (value) => {
        const text = printJson(value);
        expect(printExactly(value)).toBe(text);
        expect(isDeepStrictEqual(parseExactly(text), value)).toBe(true);
      }),
    );
  });

  it('a text of plain numbers comes out as from JSON itself', () => {
    fc.assert(
      fc.property(fc.json(), fc.constantFrom(undefined, 2, '\t'), (text, indent) => {
        const value = JSON.parse(text) as Json;
        const plain = JSON.stringify(value);
        fc.pre(!/\d{20}|-9\d{18}/.test(plain)); // beyond 64 bits an integer is a float, and comes out as one
        expect(printJson(parseJson(JSON.stringify(value, null, indent)))).toBe(plain);
      }),
      { numRuns: 1_000 },
    );
  });
});
