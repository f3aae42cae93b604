import { expect, it } from 'vitest';
import { type Json, parseJson } from '../../../protocol/json.js';
import { valueIn } from './client.js';
import { expectChange, type SuiteContext } from './context.js';

export function updates(under: SuiteContext): void {
  it('applies operations in order and tells both values', async () => {
    await under.state.set(under.scope, 'k', { n: 1 });
    const updated = await under.state.update(
      under.scope,
      'k',
      { type: 'increment', path: 'n', by: 2 },
      { type: 'set', path: 'a', value: [1] },
      { type: 'append', path: ['a'], value: 'x' },
      { type: 'merge', path: [], value: { m: null } },
      { type: 'remove', path: 'n' },
    );
    const after = { a: [1, 'x'], m: null };
    expect(valueIn(updated)).toEqual({ old_value: { n: 1 }, new_value: after });
    expectChange(under, updated, { key: 'k', before: { n: 1 }, after });
    expect(valueIn(await under.state.get(under.scope, 'k'))).toEqual(after);
  });

  it('begins with an empty object where there is no value, and stores it even without operations', async () => {
    const updated = await under.state.update(under.scope, 'k');
    expect(valueIn(updated)).toEqual({ old_value: null, new_value: {} });
    expectChange(under, updated, { key: 'k', before: undefined, after: {} });
    expect(valueIn(await under.state.get(under.scope, 'k'))).toEqual({});
  });

  it('reports operations that fail, and applies the others', async () => {
    const updated = await under.state.update(
      under.scope,
      'k',
      { type: 'set', path: 'text', value: 't' },
      { type: 'increment', path: 'text', by: 1 },
      { type: 'set', path: '__proto__', value: 1 },
      { type: 'set', path: 'n', value: 1 },
    );
    const result = valueIn(updated) as { new_value: Json; errors: { op_index: number; code: string }[] };
    expect(result.new_value).toEqual({ text: 't', n: 1 });
    expect(result.errors.map(({ op_index, code }) => [op_index, code])).toEqual([
      [1, 'increment.not_number'],
      [2, 'set.path.proto_polluted'],
    ]);
  });

  it('computes with 64-bit integers and keeps the rest of the value', async ({ skip }) => {
    if (under.options.exactUpdates === false) skip();
    await under.state.set(under.scope, 'k', parseJson('{"n":9007199254740993,"f":1.0,"e":[]}'));
    await under.state.update(under.scope, 'k', { type: 'increment', path: 'n', by: 2 });
    expect(await under.state.text(under.scope, 'k')).toBe('{"n":9007199254740995,"f":1.0,"e":[]}');
  });
}
