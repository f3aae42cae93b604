/** JSON values for tests: a canonical text to compare by, and arbitrary ones to try. */
import fc from 'fast-check';
import {
  isObject,
  type Json,
  type JsonObject,
  printJson,
  setMember,
  WholeFloat,
} from '../../src/protocol/json.js';

/** Equal texts mean equal values: member order is ignored, numbers are exact, `1` and `1.0` differ. */
export function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (!isObject(value)) return printJson(value);
  const names = Object.keys(value).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name] ?? null)}`).join(',')}}`;
}

const integer = fc.oneof(
  fc.maxSafeInteger(),
  fc.integer(),
  fc
    .bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n })
    .map((n) => (Number.isSafeInteger(Number(n)) ? Number(n) : n)),
);
const float = fc
  .double({ noNaN: true, noDefaultInfinity: true })
  .map((n) => (Number.isInteger(n) ? new WholeFloat(n) : n));

/** Names that are data here and more than that to a careless reader. */
export const memberName = fc.oneof(
  fc.constantFrom(
    'a',
    'b',
    'c',
    '',
    '0',
    '__proto__',
    'constructor',
    'prototype',
    'toJSON',
    'hasOwnProperty',
  ),
  fc.string({ unit: 'grapheme' }),
);

/** Any JSON value as the protocol holds it, every kind of number included. */
export const jsonValue: fc.Arbitrary<Json> = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    integer,
    float,
    fc.string({ unit: 'grapheme' }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(fc.tuple(memberName, tie('value')), { maxLength: 4 }).map(objectOf),
  ),
})).value;

/** An integer that fits into 64 bits with a sign. */
export const int64 = fc
  .oneof(fc.integer(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }))
  .map((n) => (Number.isSafeInteger(Number(n)) ? Number(n) : n));

function objectOf(members: [string, Json][]): JsonObject {
  const object: JsonObject = {};
  for (const [name, value] of members) setMember(object, name, value);
  return object;
}
