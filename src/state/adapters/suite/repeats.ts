import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import type { StateAnswer, StateInput } from '../../../operations/calls.js';
import type { Repeat } from '../../../operations/repeats.js';
import type { Json } from '../../../protocol/json.js';
import { valueIn } from './client.js';
import { expectChange, type SuiteContext } from './context.js';

/** The place behind the adapter may have seen the suite before. */
function newName(): Repeat {
  return { id: `key:suite ü ${randomUUID()}`, fingerprint: 'one call' };
}

export function repeats(under: SuiteContext): void {
  const increment = (): StateInput => {
    const ops = [{ type: 'increment', path: 'n', by: 1 } as const];
    return { functionId: 'state::update', scope: under.scope, key: 'k', ops };
  };
  const value = async () => valueIn(await under.state.get(under.scope, 'k'));

  it.each<[StateInput['functionId'], object, before: Json, answer: Json, after: Json | undefined]>([
    ['state::set', { value: 'new' }, 'old', { old_value: 'old', new_value: 'new' }, 'new'],
    ['state::delete', {}, 'old', 'old', undefined],
    [
      'state::update',
      { ops: [{ type: 'append', path: ['a'], value: 1 }] },
      { a: [0] },
      { old_value: { a: [0] }, new_value: { a: [0, 1] } },
      { a: [0, 1] },
    ],
  ])('%s is made once, and answered as it was first', async (functionId, members, before, answer, after) => {
    await under.state.set(under.scope, 'k', before);
    const input = { functionId, scope: under.scope, key: 'k', ...members } as StateInput;
    const name = newName();
    const first = await under.state.ask(input, name);
    expect(valueIn(first)).toEqual(answer);
    expectChange(under, first, { key: 'k', before, after });
    await expectRepeat(input, name, first);
    expect(await value()).toEqual(after);
    await under.state.set(under.scope, 'k', 'newer');
    await expectRepeat(input, name, first);
    expect(await value()).toBe('newer');
  });

  it('compare-and-set is made once, and answered as it was first', async ({ skip }) => {
    if (under.options.lacks?.includes('state::compare-and-set')) skip();
    const swap = (expected: Json): StateInput => {
      return { functionId: 'state::compare-and-set', scope: under.scope, key: 'k', expected, value: 1 };
    };
    const [won, lost] = [newName(), newName()];
    const first = await under.state.ask(swap(null), won);
    expect(valueIn(first)).toEqual({ swapped: true });
    const second = await under.state.ask(swap(5), lost);
    expect(valueIn(second)).toEqual({ swapped: false, current: 1 });
    await under.state.set(under.scope, 'k', 5);
    await expectRepeat(swap(null), won, first);
    await expectRepeat(swap(5), lost, second);
    expect(await value()).toBe(5);
  });

  it('delete of a key that is not there deletes nothing later', async () => {
    const input = { functionId: 'state::delete', scope: under.scope, key: 'k' } as const;
    const name = newName();
    expect(await under.state.ask(input, name)).not.toHaveProperty('result');
    await under.state.set(under.scope, 'k', 1);
    expect(await under.state.ask(input, name)).toEqual({});
    expect(await value()).toBe(1);
  });

  it('keeps the numbers of the first answer exactly', async () => {
    await under.state.set(under.scope, 'k', { n: 9007199254740993n });
    const name = newName();
    const first = await under.state.ask(increment(), name);
    expect(first.result?.text).toContain('9007199254740994');
    expect((await under.state.ask(increment(), name)).result?.text).toBe(first.result?.text);
  });

  it('of many at the same time makes one, and answers all of them', async () => {
    const name = newName();
    const answers = await Promise.all(Array.from({ length: 20 }, () => under.state.ask(increment(), name)));
    for (const answer of answers) expect(valueIn(answer)).toEqual({ old_value: null, new_value: { n: 1 } });
    const told = answers.filter(({ change }) => change !== undefined);
    expect(told).toHaveLength(under.options.reportsChanges === false ? 0 : 1);
    expect(await value()).toEqual({ n: 1 });
  });

  it('makes calls with different names, and those with none', async () => {
    for (const name of [newName(), newName(), undefined, undefined]) {
      await under.state.ask(increment(), name);
    }
    expect(await value()).toEqual({ n: 4 });
  });

  it('refuses another call of the same name, finished or not, and changes nothing', async () => {
    const name = newName();
    const other = { ...name, fingerprint: 'another call' };
    const first = under.state.ask(increment(), name);
    await expect(under.state.ask(increment(), other)).rejects.toMatchObject({ code: 'GATEWAY_KEY_REUSED' });
    await first;
    await expect(under.state.ask(increment(), other)).rejects.toMatchObject({ code: 'GATEWAY_KEY_REUSED' });
    expect(await value()).toEqual({ n: 1 });
  });

  it('knows them after a restart of the adapter', async () => {
    const name = newName();
    const first = await under.state.ask(increment(), name);
    await under.adapter.stop();
    await under.adapter.start();
    await expectRepeat(increment(), name, first);
    expect(await value()).toEqual({ n: 1 });
  });

  async function expectRepeat(input: StateInput, name: Repeat, first: StateAnswer): Promise<void> {
    const { change: _, ...answer } = first;
    const again = await under.state.ask(input, name);
    expect(again).not.toHaveProperty('change');
    expect(again.result?.text).toBe(answer.result?.text);
  }
}
