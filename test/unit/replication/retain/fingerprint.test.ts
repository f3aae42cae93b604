import { describe, expect, it } from 'vitest';
import { sameValue } from '../../../../src/operations/same-value.js';
import { parseJson } from '../../../../src/protocol/json.js';
import { FINGERPRINT_LENGTH, fingerprintOf } from '../../../../src/replication/retain/fingerprint.js';
import { ABSENT, knownValue } from '../../../../src/replication/view.js';

const VALUES = [
  ...['0', '-0', '-0.0', '1', '1.0', '1e0', '1.5', '9007199254740993', '9007199254740992', '1e21', '1e300'],
  ...[
    '1000000000000000000000.0',
    'null',
    'true',
    'false',
    '""',
    '"1"',
    '"null"',
    '[]',
    '{}',
    '[null]',
    '[[]]',
  ],
  ...['["a","b"]', '["a,b"]', '{"a":1,"b":2}', '{"b":2.0,"a":1}', '{"a":{"b":1}}', '{"a":[1],"b":null}'],
  ...['{"__proto__":1}', '{"a\\"":1}', '"\\u0000"'],
];

describe('a fingerprint', () => {
  it('is the same for what is the same, and only for that', () => {
    const values = VALUES.map((text) => parseJson(text));
    for (const a of values) {
      for (const b of values) {
        const isSame = fingerprintOf(knownValue(a)) === fingerprintOf(knownValue(b));
        expect([a, b, isSame]).toEqual([a, b, sameValue(a, b)]);
      }
    }
  });

  it('does not tell null from no value, and has one length', () => {
    expect(fingerprintOf(ABSENT)).toBe(fingerprintOf(knownValue(null)));
    for (const text of VALUES)
      expect(fingerprintOf({ kind: 'value', text })).toHaveLength(FINGERPRINT_LENGTH);
  });
});
