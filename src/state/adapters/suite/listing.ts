import { expect, it } from 'vitest';
import type { Json } from '../../../protocol/json.js';
import type { SuiteContext } from './context.js';

export function lists(under: SuiteContext): void {
  it('is empty for an unknown scope', async () => {
    expect(await under.state.list(under.scope)).toEqual([]);
  });

  it('gives the values of one scope, without keys', async () => {
    await under.state.set(under.scope, 'a', 1);
    await under.state.set(under.scope, 'b', { n: 2 });
    await under.state.set(`${under.scope}x`, 'c', 3);
    const list = (await under.state.list(under.scope)) as Json[];
    expect(list).toHaveLength(2);
    expect(list).toEqual(expect.arrayContaining([1, { n: 2 }]));
  });

  it('is in insertion order', async ({ skip }) => {
    if (!under.options.insertionOrder) skip();
    for (const key of ['c', 'a', 'd', 'b']) await under.state.set(under.scope, key, key);
    await under.state.set(under.scope, 'c', 'c again');
    await under.state.update(under.scope, 'd', { type: 'set', path: '', value: 'd again' });
    await under.state.delete(under.scope, 'a');
    await under.state.set(under.scope, 'a', 'a anew');
    expect(await under.state.list(under.scope)).toEqual(['c again', 'd again', 'b', 'a anew']);
  });
}

export function groups(under: SuiteContext): void {
  /** U+FF21 comes before the emoji by bytes, and after it by JavaScript's own order. */
  const suffixes = ['', '\u0000', 'a', 'é', '\uff21', '😀'];

  it('names each scope once, in the order of UTF-8 bytes', async () => {
    const scopes = suffixes.map((suffix) => under.scope + suffix);
    for (const scope of [...scopes].reverse()) {
      await under.state.set(scope, 'k1', 1);
      await under.state.set(scope, 'k2', 2);
    }
    const mine = (await under.state.listGroups()).filter((scope) => scope.startsWith(under.scope));
    expect(mine).toEqual(scopes);
  });

  it('does not name a scope that was only read', async () => {
    await under.state.get(under.scope, 'k');
    await under.state.list(under.scope);
    await under.state.delete(under.scope, 'k');
    expect(await under.state.listGroups()).not.toContain(under.scope);
  });

  it('does not name a scope whose last key is gone', async ({ skip }) => {
    if (under.options.forgetsEmptyScopes === false) skip();
    await under.state.set(under.scope, 'a', 1);
    await under.state.set(under.scope, 'b', 1);
    await under.state.delete(under.scope, 'a');
    expect(await under.state.listGroups()).toContain(under.scope);
    await under.state.delete(under.scope, 'b');
    expect(await under.state.listGroups()).not.toContain(under.scope);
  });
}

export function listKeys(under: SuiteContext): void {
  it('names the keys of one scope', async () => {
    expect(await under.state.listKeys(under.scope)).toEqual([]);
    await under.state.set(under.scope, 'b', 1);
    await under.state.set(under.scope, 'a', null);
    await under.state.set(under.scope, 'gone', 1);
    await under.state.delete(under.scope, 'gone');
    const keys = await under.state.listKeys(under.scope);
    expect([...keys].sort()).toEqual(['a', 'b']);
    if (under.options.insertionOrder) expect(keys).toEqual(['b', 'a']);
  });
}
