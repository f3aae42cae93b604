import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { GatewayOptions } from '../../../src/config/config.js';
import { gatewayBlock } from '../../../src/config/schema.js';
import { toCamel } from '../../../src/config/spelling.js';
import { ScopeRules } from '../../../src/replication/scope-rules.js';

const written = (...scopes: object[]): GatewayOptions['scopes'] =>
  toCamel(gatewayBlock.parse({ scopes })).scopes;
const matches = (pattern: string, scope: string) =>
  new ScopeRules(written({ match: pattern, write: 'behind' })).for(scope).write === 'behind';

describe('ScopeRules', () => {
  it('gives the defaults of the schema where no rule fits', () => {
    const [defaults] = written({});
    expect(new ScopeRules([]).for('cart')).toEqual(defaults);
    expect(new ScopeRules(written({ match: 'x', write: 'behind' })).for('cart')).toEqual(defaults);
  });

  it('gives the first rule that fits, as a whole', () => {
    const scopes = written(
      { match: 'cart:vip:*', consistency: 'cache' },
      { match: 'cart:*', write: 'behind' },
      { match: '*', blind_writes: true },
    );
    const rules = new ScopeRules(scopes);
    const seen = () => ['cart:vip:1', 'cart:1', 'other'].map((scope) => scopes.indexOf(rules.for(scope)));
    expect(seen()).toEqual([0, 1, 2]);
    expect(seen()).toEqual([0, 1, 2]); // from memory
    expect(rules.for('cart:vip:1')).toMatchObject({ consistency: 'cache', write: 'through' });
  });

  it.each([
    ['*', ''],
    ['*', 'a.b/c:d\ne'],
    ['cart', 'cart'],
    ['cart:*', 'cart:'],
    ['*:cart', 'a:b:cart'],
    ['a*b*c', 'a-b-b-c'],
    ['a**c', 'ac'],
    ['?', '😀'],
    ['a?c', 'a/c'],
    ['[x].(y)+', '[x].(y)+'],
  ])('%s fits %s', (pattern, scope) => expect(matches(pattern, scope)).toBe(true));

  it.each([
    ['cart', 'cart:1'],
    ['cart', 'Cart'],
    ['cart:*', 'cart'],
    ['*:cart', 'a:carts'],
    ['?', ''],
    ['?', 'ab'],
    ['a*b*c', 'a-c-b'],
    ['a.c', 'abc'],
    ['[ab]', 'a'],
  ])('%s does not fit %s', (pattern, scope) => expect(matches(pattern, scope)).toBe(false));

  it('agrees with a regular expression on any glob', () => {
    const text = (letters: string) =>
      fc.string({ unit: fc.constantFrom(...letters), minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(text('ab*?'), text('ab'), (pattern, scope) => {
        const expression = pattern.replace(/[*?]/g, (sign) => (sign === '*' ? '.*' : '.'));
        expect(matches(pattern, scope)).toBe(new RegExp(`^${expression}$`).test(scope));
      }),
      { numRuns: 2000 },
    );
  });

  it('is not slow over a long name made to be slow', () => {
    const begin = performance.now();
    expect(matches(`${'*a'.repeat(20)}*b`, 'a'.repeat(20_000))).toBe(false);
    expect(performance.now() - begin).toBeLessThan(1000);
  });

  it('finds the right rule for more names than it remembers', () => {
    const rules = new ScopeRules(written({ match: '*7', write: 'behind' }));
    for (let number = 0; number < 25_000; number++) {
      const expected = number % 10 === 7 ? 'behind' : 'through';
      if (rules.for(`scope-${number}`).write !== expected) expect.fail(`scope-${number}`);
    }
    expect(rules.for('scope-7').write).toBe('behind');
  });
});
