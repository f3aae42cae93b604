import { expect, it } from 'vitest';
import { sameValue } from '../../../src/operations/same-value.js';
import { parseJson } from '../../../src/protocol/json.js';

it.each([
  ['1', '1.0'],
  ['0', '-0'],
  ['-0.0', '0'],
  ['9007199254740993', '9007199254740993'],
  ['18446744073709551616', '18446744073709551616.0'],
  ['1e18', '1000000000000000000'],
  ['{"a":1,"b":[1,null]}', '{"b":[1.0,null],"a":1}'],
  ['{"__proto__":1}', '{"__proto__":1}'],
  ['null', 'null'],
])('%s is the same as %s', (a, b) => {
  expect(sameValue(parseJson(a), parseJson(b))).toBe(true);
  expect(sameValue(parseJson(b), parseJson(a))).toBe(true);
});

it.each([
  ['9007199254740993', '9007199254740992'],
  ['9007199254740993', '9007199254740993.0'],
  ['1', '"1"'],
  ['1', 'true'],
  ['null', 'false'],
  ['null', '{}'],
  ['[]', '{}'],
  ['[1,2]', '[2,1]'],
  ['[1]', '[1,null]'],
  ['{"a":1}', '{"a":1,"b":null}'],
  ['{"a":1}', '{"b":1}'],
  ['{"__proto__":1}', '{"a":1}'],
  ['{"toString":1}', '{"a":1}'],
  ['[1.0]', '[{}]'],
])('%s is not the same as %s', (a, b) => {
  expect(sameValue(parseJson(a), parseJson(b))).toBe(false);
  expect(sameValue(parseJson(b), parseJson(a))).toBe(false);
});
