import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { UpdateOp } from '../../../src/operations/calls.js';
import { decodeInput } from '../../../src/operations/inputs.js';
import { eventOf } from '../../../src/operations/results.js';
import { applyOps, type OpError } from '../../../src/operations/update-ops.js';
import { type Json, parseJson, printJson, WholeFloat } from '../../../src/protocol/json.js';
import { Payload } from '../../../src/protocol/payload.js';
import { canonical, int64, jsonValue, memberName } from '../../support/json-values.js';
import { APPLIED, readApplied } from '../../support/update-op-vectors.js';

function decodeOps(ops: Json): UpdateOp[] {
  const { input } = decodeInput('state::update', Payload.of({ scope: 's', key: 'k', ops }));
  if (input.functionId !== 'state::update') throw new Error('another input came back');
  return input.ops;
}

function apply(before: string | undefined, ops: string) {
  const { after, errors } = applyOps(
    before === undefined ? undefined : parseJson(before),
    decodeOps(parseJson(ops)),
  );
  return { after: printJson(after), errors: errors.map(inShort) };
}

function inShort({ op_index, code, message }: OpError): string {
  return `#${op_index} ${code}: ${message}`;
}

describe.each(APPLIED)('vectors: %s', (family) => {
  it.each(readApplied(family))('$name', ({ before, ops, after, errors, event }) => {
    const beforeText = before === undefined ? undefined : printJson(before);
    const applied = applyOps(before, decodeOps(ops));
    expect(canonical(applied.after)).toBe(canonical(after));
    expect(applied.errors.map(inShort)).toEqual(errors);
    expect(eventOf({ scope: 's', key: 'k', before, after: applied.after }).event_type).toBe(event);
    expect(before === undefined ? undefined : printJson(before)).toBe(beforeText);
  });
});

describe('applyOps', () => {
  it('holds every vector', () => {
    expect(APPLIED.flatMap((family) => readApplied(family))).toHaveLength(194);
  });

  it('says where every error is explained', () => {
    const { errors } = applyOps(1, decodeOps([{ type: 'set', path: 'a' }]));
    expect(errors[0]?.doc_url).toBe('https://iii.dev/docs/workers/iii-state#error-codes');
  });

  it.each([
    // A float stays one, and an integer step is added to it as to a double.
    ['1.0', 1, '2.0'],
    ['1.5', 1, '2.5'],
    ['0.5', -1, '-0.5'],
    ['-1.0', 1, '0.0'],
    ['1e300', 1, '1e+300'],
    ['9007199254740992.0', 1, '9007199254740992.0'],
    // Integers are exact over the whole signed and unsigned range, and have nothing beyond.
    ['9007199254740991', 1, '9007199254740992'],
    ['-9007199254740991', -2, '-9007199254740993'],
    ['9007199254740993', -3, '9007199254740990'],
    ['18446744073709551614', 1, '18446744073709551615'],
    ['9223372036854775808', -1, '9223372036854775807'],
    ['-9223372036854775807', -1, '-9223372036854775808'],
  ])('adds %s + %d = %s', (before, by, after) => {
    expect(apply(before, `[{"type":"increment","path":"","by":${by}}]`)).toEqual({ after, errors: [] });
    expect(apply(before, `[{"type":"decrement","path":"","by":${-by}}]`)).toEqual({ after, errors: [] });
  });

  it('adds a bigint to a float as a double', () => {
    const ops: UpdateOp[] = [{ type: 'increment', path: '', by: 2n ** 63n - 1n }];
    expect(applyOps(0.5, ops).after).toStrictEqual(new WholeFloat(2 ** 63));
  });

  it('decrements a missing field by nothing to a plain zero', () => {
    const { after } = applyOps(undefined, [{ type: 'decrement', path: '', by: 0 }]);
    expect(Object.is(after, 0)).toBe(true);
  });

  it('keeps numbers it does not compute with as they are', () => {
    const before = '{"big":9007199254740993,"float":1.0,"n":1}';
    expect(apply(before, '[{"type":"increment","path":"n","by":1}]').after).toBe(
      '{"big":9007199254740993,"float":1.0,"n":2}',
    );
  });

  it('treats __proto__ inside values as data, through copies too', () => {
    const before = '{"__proto__":{"a":1},"b":{"__proto__":1,"c":[1]}}';
    const ops =
      '[{"type":"append","path":["b","c"],"value":{"__proto__":2}},{"type":"set","path":"d","value":1}]';
    expect(apply(before, ops)).toEqual({
      after: '{"__proto__":{"a":1},"b":{"__proto__":1,"c":[1,{"__proto__":2}]},"d":1}',
      errors: [],
    });
    expect(Object.hasOwn(Object.prototype, 'a')).toBe(false);
  });

  it('does not take inherited names for fields', () => {
    const ops =
      '[{"type":"increment","path":"toString","by":1},{"type":"append","path":"valueOf","value":"x"}]';
    expect(apply('{}', ops)).toEqual({ after: '{"toString":1,"valueOf":"x"}', errors: [] });
  });

  it('counts empty arrays as a level of nesting, and does not mind much deeper values', () => {
    const nested = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;
    const merge = (levels: number) => apply('{}', `[{"merge":{"a":${nested(levels)}}}]`).errors;
    expect(merge(15)).toEqual([]);
    expect(merge(16)).toEqual([
      '#0 merge.value.too_deep: Merge value JSON nesting depth 17 exceeds maximum of 16',
    ]);
    expect(merge(5_000)[0]).toContain('depth 5001 exceeds');
  });

  it('names the first polluting member in byte order, before it looks at the depth', () => {
    const deep = `${'{"a":'.repeat(20)}1${'}'.repeat(20)}`;
    const value = `{"prototype":${deep},"constructor":1}`;
    expect(apply('{}', `[{"type":"merge","value":${value}}]`).errors).toEqual([
      '#0 merge.value.proto_polluted: Merge value top-level key "constructor" is a prototype-pollution sink',
    ]);
  });

  it('leaves the values of the operations alone when later operations change what they stored', () => {
    const value: Json = { list: [1] };
    const ops = decodeOps([
      { type: 'set', path: 'a', value },
      { type: 'set', path: 'b', value },
      { type: 'append', path: ['a', 'list'], value: 2 },
      { type: 'merge', path: ['a'], value: { x: 1 } },
    ]);
    expect(applyOps(undefined, ops).after).toEqual({ a: { list: [1, 2], x: 1 }, b: { list: [1] } });
    expect(value).toEqual({ list: [1] });
  });

  it('applies many operations to one large object without copying it for each', () => {
    const before: Json = Object.fromEntries(
      Array.from({ length: 20_000 }, (_, index) => [`k${index}`, index]),
    );
    const ops = Array.from({ length: 20_000 }, (_, index): UpdateOp => {
      return { type: 'increment', path: `k${index}`, by: 1 };
    });
    const started = performance.now();
    expect(applyOps(before, ops).after).toMatchObject({ k0: 1, k19999: 20_000 });
    expect(performance.now() - started).toBeLessThan(2_000); // copies for each would take minutes
    expect(before).toMatchObject({ k0: 0 });
  });
});

describe('properties', () => {
  const path = fc.oneof(fc.constant(''), memberName);
  const segments = fc.array(memberName, { maxLength: 4 });
  const op: fc.Arbitrary<UpdateOp> = fc.oneof(
    fc.record({ type: fc.constant('set' as const), path, value: jsonValue }),
    fc.record({ type: fc.constant('merge' as const), path: segments, value: jsonValue }),
    fc.record({ type: fc.constant('increment' as const), path, by: int64 }),
    fc.record({ type: fc.constant('decrement' as const), path, by: int64 }),
    fc.record({ type: fc.constant('append' as const), path: segments, value: jsonValue }),
    fc.record({ type: fc.constant('remove' as const), path }),
  );
  const update = fc.tuple(fc.option(jsonValue, { nil: undefined }), fc.array(op, { maxLength: 6 }));

  it('never throws, and changes neither the value before nor the operations', () => {
    fc.assert(
      fc.property(update, ([before, ops]) => {
        deepFreeze([before ?? null, ...ops]);
        const { after, errors } = applyOps(before, ops);
        expect(isDeepStrictEqual(parseJson(printJson(after)), after)).toBe(true);
        expect(errors.every(({ op_index }) => op_index in ops)).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });

  it('is the same in one call as in one call for each operation', () => {
    fc.assert(
      fc.property(update, ([before, ops]) => {
        // Failing alone on a missing key stores `{}`, which ends its being missing: not so within a batch.
        fc.pre(before !== undefined);
        const oneByOne = ops.reduce<Json>((value, each) => applyOps(value, [each]).after, before ?? null);
        expect(canonical(applyOps(before, ops).after)).toBe(canonical(oneByOne));
      }),
    );
  });

  it('does integer arithmetic as 64-bit integers do', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), int64, (before, by) => {
        const sum = before + BigInt(by);
        const fits = sum >= -(2n ** 63n) && sum < 2n ** 64n;
        const result = apply(String(before), `[{"type":"increment","path":"","by":${by}}]`);
        expect(result.after).toBe(String(fits ? sum : before));
        expect(result.errors).toHaveLength(fits ? 0 : 1);
      }),
    );
  });
});

function deepFreeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || value instanceof WholeFloat) return;
  Object.freeze(value);
  for (const item of Object.values(value)) deepFreeze(item);
}
