import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sameValue } from '../../../src/operations/same-value.js';
import { type Json, WholeFloat } from '../../../src/protocol/json.js';
import { fold, printCanonically, wholeScope } from '../../../src/replication/mirror/scope-snapshot.js';
import { ABSENT, type Known, knownValue, UNKNOWN } from '../../../src/replication/view.js';
import { jsonValue } from '../../support/json-values.js';

const known = (value: Json | undefined): Known => (value === undefined ? ABSENT : knownValue(value));
const sorted = (values: readonly Json[]): string[] => values.map(printCanonically).sort();

/** Few values, so that equal ones are frequent, and some that are equal and look different. */
const value = fc.oneof(
  fc.constantFrom<Json>(null, 0, 1, new WholeFloat(1), 'a', [], { a: 1, b: 2 }, { b: 2, a: 1 }),
  jsonValue,
);
const name = fc.constantFrom('a', 'b', 'c', 'd', 'e');
const scope = fc
  .dictionary(name, value, { noNullPrototype: true })
  .map((object) => new Map(Object.entries(object)));
const writes = fc.array(fc.tuple(name, fc.option(value, { nil: undefined })), { maxLength: 12 });

function write(model: Map<string, Json>, key: string, after: Json | undefined): void {
  if (after === undefined) model.delete(key);
  else model.set(key, after);
}

describe('printCanonically', () => {
  it('prints the same for values that are the same, and for no others', () => {
    fc.assert(
      fc.property(value, value, (a, b) => {
        expect(printCanonically(a) === printCanonically(b)).toBe(sameValue(a, b));
        expect(printCanonically(a)).toBe(printCanonically(reordered(a)));
      }),
      { numRuns: 2000 },
    );
  });

  it.each<[string, Json, Json]>([
    ['1', 1, new WholeFloat(1)],
    ['zeros', 0, new WholeFloat(-0)],
    ['large floats', 1e300, new WholeFloat(1e300)],
    ['objects', { a: [1, { b: 2, c: null }] }, { a: [1, { c: null, b: 2 }] }],
    ['integers', 9007199254740993n, 9007199254740993n],
  ])('equal %s are printed the same', (_, a, b) => {
    expect(printCanonically(a)).toBe(printCanonically(b));
  });

  it.each<[Json, Json]>([
    [1, '1'],
    [9007199254740993n, 9007199254740992],
    [null, {}],
    [
      [1, 2],
      [2, 1],
    ],
  ])('%s and %s are not', (a, b) => {
    expect(printCanonically(a)).not.toBe(printCanonically(b));
  });
});

/** An equal value whose members come in the opposite order. */
function reordered(value: Json): Json {
  if (Array.isArray(value)) return value.map(reordered);
  if (typeof value !== 'object' || value === null || value instanceof WholeFloat) return value;
  const entries = Object.entries(value).reverse();
  return Object.fromEntries(entries.map(([member, item]) => [member, reordered(item)]));
}

describe('fold', () => {
  it('ends with the values that a scope holds after the changes', () => {
    fc.assert(
      fc.property(scope, writes, (model, changes) => {
        const values = [...model.values()];
        const journal = changes.map(([key, after]) => {
          const before = known(model.get(key));
          write(model, key, after);
          return { before, after: known(after) };
        });
        expect(sorted(fold(values, journal) ?? expect.fail('unknown'))).toEqual(sorted([...model.values()]));
      }),
    );
  });

  it('keeps the place of a replaced value, appends new ones, and takes the first of equals', () => {
    const change = (before: Json | undefined, after: Json | undefined) => ({
      before: known(before),
      after: known(after),
    });
    expect(fold([1, 2, 1], [change(1, 5), change(undefined, 7), change(2, undefined)])).toEqual([5, 1, 7]);
  });

  it('knows nothing once a change begins with a value that is not there', () => {
    expect(fold([1, 2], [{ before: known(3), after: known(4) }])).toBeUndefined();
  });
});

describe('wholeScope', () => {
  it('is what the remote will hold once the pending writes have arrived', () => {
    fc.assert(
      fc.property(scope, writes, (model, pendingWrites) => {
        const remote = new Map(model);
        for (const [key, after] of pendingWrites) write(model, key, after);
        const pending = [...new Set(pendingWrites.map(([key]) => key))].map((key) => ({
          base: known(remote.get(key)),
          view: known(model.get(key)),
        }));
        const whole = wholeScope([...remote.values()], [...remote.values()].reverse(), pending);
        expect(whole === 'unknown' ? whole : sorted(whole)).toEqual(sorted([...model.values()]));
      }),
    );
  });

  it('is unknown when a key of the list is not known to us, or one is known that is not in the list', () => {
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 5 }), value, (values, other) => {
        const pending = [{ base: ABSENT, view: known(1) }];
        expect(wholeScope(values, values.slice(1), pending)).toBe('unknown');
        expect(wholeScope(values, [...values, other], pending)).toBe('unknown');
        const replaced = [...values.slice(1), other];
        const isSame = sameValue(values[0] as Json, other);
        expect(wholeScope(values, replaced, pending) === 'unknown').toBe(!isSame);
      }),
    );
  });

  it('is the list itself while nothing is pending, whatever we know of single keys', () => {
    expect(wholeScope([1, 2], [], [])).toEqual([1, 2]);
  });

  it('is unknown when a pending write has an unknown base or result, or a base that is not in the list', () => {
    expect(wholeScope([1], [1], [{ base: UNKNOWN, view: known(2) }])).toBe('unknown');
    expect(wholeScope([1], [1], [{ base: known(1), view: UNKNOWN }])).toBe('unknown');
    expect(wholeScope([1], [1], [{ base: known(3), view: known(2) }])).toBe('unknown');
  });
});
