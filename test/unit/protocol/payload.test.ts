import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../../src/protocol/json.js';
import { Payload } from '../../../src/protocol/payload.js';
import { canonical, jsonValue, memberName } from '../../support/json-values.js';

describe('Payload', () => {
  it('passes its text on as it was received', () => {
    const text = '{ "a" : 1.0, "a" : 1e2 }';
    const payload = Payload.fromText(text);
    expect(payload.value).toBeDefined();
    expect(payload.text).toBe(text);
  });

  it('parses once, null too', () => {
    const payload = Payload.fromText('{"a":1}');
    expect(payload.value).toBe(payload.value);
    expect(Payload.fromText('null').value).toBeNull();
  });

  it('does not parse a text whose value is at hand, nor print a value that nobody reads', () => {
    const value: Json = {};
    expect(Payload.fromText('not read', value).value).toBe(value);
    expect(Payload.of(value).value).toBe(value);
  });

  it('prints a value exactly', () => {
    expect(Payload.of([2n ** 63n, null]).text).toBe('[9223372036854775808,null]');
    expect(Payload.of(null).text).toBe('null');
  });
});

describe('withMember', () => {
  it.each([
    ['{}', '{"m":1}'],
    ['{ }\n', '{ "m":1}'],
    ['{"a":"}"}', '{"a":"}","m":1}'],
    ['{"a":1.0,"a":{}}', '{"a":1.0,"a":{},"m":1}'],
    ['{"m":5,"a":1.0}', '{"m":1,"a":1.0}'],
    ['{"\\u006d":5}', '{"m":1}'],
    ['{"__proto__":{"m":5}}', '{"__proto__":{"m":5},"m":1}'],
    ['[1]', '[1]'],
    ['null', 'null'],
    ['"m"', '"m"'],
    ['5.0', '5.0'],
  ])('%s becomes %s', (text, expected) => {
    const payload = Payload.fromText(text);
    const changed = payload.withMember('m', 1);
    expect(changed.text).toBe(expected);
    expect(payload.text).toBe(text);
  });

  it('sets the same member on a value, a text, and a text that has it', () => {
    fc.assert(
      fc.property(jsonValue, memberName, jsonValue, (value, name, item) => {
        const onValue = Payload.of(value).withMember(name, item);
        const onText = Payload.fromText(Payload.of(value).text).withMember(name, item);
        expect(canonical(Payload.fromText(onText.text).value)).toBe(canonical(onValue.value));
        expect(canonical(onText.withMember(name, item).value)).toBe(canonical(onValue.value));
      }),
    );
  });

  it('takes __proto__ as a name like any other', () => {
    expect(Payload.of({ a: 1 }).withMember('__proto__', 2).text).toBe('{"a":1,"__proto__":2}');
    expect(Payload.fromText('{"__proto__":1}').withMember('__proto__', 2).text).toBe('{"__proto__":2}');
  });
});
