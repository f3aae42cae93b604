import { expect, it } from 'vitest';
import { parseJson } from '../../../protocol/json.js';
import { valueIn } from './client.js';
import { expectChange, type SuiteContext } from './context.js';

export function values(under: SuiteContext): void {
  it('gives no result for a key that is not there', async () => {
    await under.state.set(under.scope, 'other', 1);
    expect(await under.state.get(under.scope, 'k')).not.toHaveProperty('result');
    expect(await under.state.get(`${under.scope}-unknown`, 'k')).not.toHaveProperty('result');
  });

  it.each(['false', '0', '""', '[]', '{}', '"text"', '[1,[2,{"a":[null]}]]', '{"b":1,"a":{"__proto__":2}}'])(
    'keeps %s as it is',
    async (text) => {
      await under.state.set(under.scope, 'k', parseJson(text));
      expect(await under.state.text(under.scope, 'k')).toBe(text);
    },
  );

  it.each([
    '9007199254740993',
    '18446744073709551615',
    '-9223372036854775808',
    '1.0',
    '-0.0',
    '[1.5,1e+300]',
  ])('keeps the number %s exactly', async (text) => {
    await under.state.set(under.scope, 'k', parseJson(text));
    expect(await under.state.text(under.scope, 'k')).toBe(text);
  });

  it('set tells the old and the new value', async () => {
    const first = await under.state.set(under.scope, 'k', { n: 1 });
    expect(valueIn(first)).toEqual({ old_value: null, new_value: { n: 1 } });
    const second = await under.state.set(under.scope, 'k', 'two');
    expect(valueIn(second)).toEqual({ old_value: { n: 1 }, new_value: 'two' });
    expectChange(under, first, { key: 'k', before: undefined, after: { n: 1 } });
    expectChange(under, second, { key: 'k', before: { n: 1 }, after: 'two' });
  });

  it('delete gives the bare value, and then it is gone', async () => {
    await under.state.set(under.scope, 'k', { n: 1 });
    const deleted = await under.state.delete(under.scope, 'k');
    expect(valueIn(deleted)).toEqual({ n: 1 });
    expectChange(under, deleted, { key: 'k', before: { n: 1 }, after: undefined });
    expect(await under.state.get(under.scope, 'k')).not.toHaveProperty('result');
  });

  it('delete of a key that is not there gives no result, and is a change all the same', async () => {
    const deleted = await under.state.delete(under.scope, 'k');
    expect(deleted).not.toHaveProperty('result');
    expectChange(under, deleted, { key: 'k', before: undefined, after: undefined });
  });

  it('keeps a stored null apart from no value', async ({ skip }) => {
    if (under.options.keepsNull === false) skip();
    await under.state.set(under.scope, 'k', null);
    expect(valueIn(await under.state.get(under.scope, 'k'))).toBeNull();
    const second = await under.state.set(under.scope, 'k', null);
    expect(valueIn(second)).toEqual({ old_value: null, new_value: null });
    expectChange(under, second, { key: 'k', before: null, after: null });
    expect(await under.state.list(under.scope)).toEqual([null]);
    expect(valueIn(await under.state.delete(under.scope, 'k'))).toBeNull();
    expect(await under.state.get(under.scope, 'k')).not.toHaveProperty('result');
  });

  it('does not change what it keeps when the caller changes its own', async () => {
    const value = { list: [1] };
    await under.state.set(under.scope, 'k', value);
    value.list.push(2);
    expect(await under.state.text(under.scope, 'k')).toBe('{"list":[1]}');
  });
}
