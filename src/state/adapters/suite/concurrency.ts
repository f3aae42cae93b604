import { expect, it } from 'vitest';
import type { Json } from '../../../protocol/json.js';
import { valueIn } from './client.js';
import type { SuiteContext } from './context.js';

export function concurrency(under: SuiteContext): void {
  const hundred = Array.from({ length: 100 }, (_, index) => index);

  it('counts every one of 100 increments of one key', async () => {
    await Promise.all(
      hundred.map(() => under.state.update(under.scope, 'k', { type: 'increment', path: 'n', by: 1 })),
    );
    expect(valueIn(await under.state.get(under.scope, 'k'))).toEqual({ n: 100 });
  });

  it('gives every set the value that it replaced', async () => {
    const answers = await Promise.all(hundred.map((n) => under.state.set(under.scope, 'k', n)));
    const replaced = answers.map((answer) => (valueIn(answer) as { old_value: Json }).old_value);
    const last = valueIn(await under.state.get(under.scope, 'k')) ?? null;
    expect(new Set([...replaced, last])).toEqual(new Set([null, ...hundred]));
  });

  it('keeps writes of different keys apart', async () => {
    await Promise.all(hundred.map((n) => under.state.set(under.scope, `k${n}`, n)));
    const list = (await under.state.list(under.scope)) as number[];
    expect([...list].sort((a, b) => a - b)).toEqual(hundred);
  });
}
