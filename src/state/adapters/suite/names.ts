import { expect, it } from 'vitest';
import { valueIn } from './client.js';
import type { SuiteContext } from './context.js';

/** Names that a careless encoding mixes up, cuts or refuses. */
const ODD_NAMES = [
  ...['', ' ', 'a', 'a\u0000', 'a\u0000\u0001', 'a\u0000b', '\u0000', '\u0001', 'a/b', 'a:b', 'a::b'],
  ...[
    '../a',
    '%00',
    'ä',
    'ä'.repeat(60),
    '日本',
    '😀',
    '\uffff',
    '__proto__',
    'constructor',
    '"',
    '\\',
    '\n',
  ],
  ...['k'.repeat(700), 'k'.repeat(701)],
];

/** Ends of the scope and keys that read the same once they are put together. */
const BORDERS: [scope: string, key: string][] = [
  ['', ''],
  ['', 'b'],
  ['b', ''],
  ['b', 'c'],
  ['bc', ''],
  ['', 'bc'],
  ['\u0000', 'b'],
  ['', '\u0000b'],
  ['\u0000\u0001', 'b'],
  ['', '\u0001b'],
];

export function names(under: SuiteContext): void {
  it('keeps odd keys apart', async () => {
    for (const [index, key] of ODD_NAMES.entries()) await under.state.set(under.scope, key, index);
    for (const [index, key] of ODD_NAMES.entries()) {
      expect(valueIn(await under.state.get(under.scope, key)), JSON.stringify(key)).toBe(index);
    }
    expect(await under.state.list(under.scope)).toHaveLength(ODD_NAMES.length);
  });

  it('keeps odd scopes apart', async () => {
    const scopes = ODD_NAMES.map((name) => `${under.scope}${name}`);
    for (const [index, scope] of scopes.entries()) await under.state.set(scope, 'k', index);
    for (const [index, scope] of scopes.entries()) {
      expect(await under.state.list(scope), JSON.stringify(scope)).toEqual([index]);
    }
    expect(await under.state.listGroups()).toEqual(expect.arrayContaining(scopes));
  });

  it('does not confuse where the scope ends and the key begins', async () => {
    const pairs = BORDERS.map(([scope, key]) => [under.scope + scope, key] as const);
    for (const [index, [scope, key]] of pairs.entries()) await under.state.set(scope, key, index);
    for (const [index, [scope, key]] of pairs.entries()) {
      expect(valueIn(await under.state.get(scope, key)), JSON.stringify([scope, key])).toBe(index);
    }
  });

  it('takes the empty scope', async () => {
    const key = under.scope;
    await under.state.set('', key, 1);
    expect(valueIn(await under.state.get('', key))).toBe(1);
    expect(await under.state.listGroups()).toContain('');
    expect(valueIn(await under.state.delete('', key))).toBe(1);
  });
}
