import { expect, it } from 'vitest';
import { valueIn } from './client.js';
import { expectChange, type SuiteContext } from './context.js';

export function compareAndSet(under: SuiteContext): void {
  it('sets where there is no value, if null is expected', async () => {
    const swapped = await under.state.compareAndSet(under.scope, 'k', null, { n: 1 });
    expect(valueIn(swapped)).toEqual({ swapped: true });
    expectChange(under, swapped, { key: 'k', before: undefined, after: { n: 1 } });
    expect(valueIn(await under.state.get(under.scope, 'k'))).toEqual({ n: 1 });
  });

  it('sets where the value is the expected one, whatever the order of its members', async () => {
    await under.state.set(under.scope, 'k', { a: 1, b: [1, { c: 'x' }] });
    const swapped = await under.state.compareAndSet(under.scope, 'k', { b: [1, { c: 'x' }], a: 1 }, 'new');
    expect(valueIn(swapped)).toEqual({ swapped: true });
    expect(valueIn(await under.state.get(under.scope, 'k'))).toBe('new');
  });

  it('changes nothing where the value is another, and shows it', async () => {
    const absent = await under.state.compareAndSet(under.scope, 'k', 1, 2);
    expect(valueIn(absent)).toEqual({ swapped: false, current: null });
    await under.state.set(under.scope, 'k', 5);
    const other = await under.state.compareAndSet(under.scope, 'k', 1, 2);
    expect(valueIn(other)).toEqual({ swapped: false, current: 5 });
    expect(other).not.toHaveProperty('change');
    const present = await under.state.compareAndSet(under.scope, 'k', null, 2);
    expect(valueIn(present)).toEqual({ swapped: false, current: 5 });
    expect(valueIn(await under.state.get(under.scope, 'k'))).toBe(5);
  });

  it('cannot expect a stored null', async ({ skip }) => {
    if (under.options.keepsNull === false) skip();
    await under.state.set(under.scope, 'k', null);
    const answer = await under.state.compareAndSet(under.scope, 'k', null, 1);
    expect(valueIn(answer)).toEqual({ swapped: false, current: null });
  });

  it('lets one of many win', async () => {
    const callers = Array.from({ length: 50 }, (_, index) => index);
    const answers = await Promise.all(
      callers.map((n) => under.state.compareAndSet(under.scope, 'k', null, n)),
    );
    const winners = callers.filter((n) => (valueIn(answers[n] ?? {}) as { swapped: boolean }).swapped);
    expect(winners).toHaveLength(1);
    expect(valueIn(await under.state.get(under.scope, 'k'))).toBe(winners[0]);
  });
}
