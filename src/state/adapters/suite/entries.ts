import { expect, it } from 'vitest';
import { type Page, SuiteClient } from './client.js';
import type { SuiteContext } from './context.js';

export function listEntries(under: SuiteContext): void {
  const fill = async (count: number) => {
    for (let n = 0; n < count; n += 1) await under.state.set(under.scope, `k${n}`, n);
  };
  const cursorOf = (page: Page): string => page.next_cursor ?? expect.fail('there is no further page');

  it('gives keys and values, stored nulls included', async () => {
    expect(await under.state.page(under.scope)).toEqual({
      entries: [],
      next_cursor: null,
      done: true,
      offset: 0,
      total: 0,
    });
    await under.state.set(under.scope, 'k', null);
    expect(await under.state.page(under.scope)).toMatchObject({
      entries: [['k', null]],
      done: true,
      total: 1,
    });
  });

  it('gives pages of one snapshot, whatever is written meanwhile', async () => {
    await fill(5);
    const first = await under.state.page(under.scope, { limit: 2 });
    expect(first).toMatchObject({ done: false, offset: 0, total: 5 });
    await under.state.set(under.scope, 'k4', 'changed');
    await under.state.set(under.scope, 'new', 1);
    await under.state.delete(under.scope, 'k3');
    const second = await under.state.page(under.scope, { limit: 2, cursor: cursorOf(first) });
    expect(second).toMatchObject({ done: false, offset: 2, total: 5 });
    const third = await under.state.page(under.scope, { limit: 2, cursor: cursorOf(second) });
    expect(third).toMatchObject({ done: true, next_cursor: null, offset: 4, total: 5 });
    const all = [...first.entries, ...second.entries, ...third.entries];
    expect(new Map(all)).toEqual(new Map([0, 1, 2, 3, 4].map((n) => [`k${n}`, n])));
  });

  it('gives pages no larger than max_bytes', async () => {
    for (let n = 0; n < 4; n += 1) await under.state.set(under.scope, `k${n}`, 'x'.repeat(100));
    const page = await under.state.page(under.scope, { maxBytes: 256 });
    expect(page.entries).toHaveLength(2);
    await under.state.set(under.scope, 'large', 'x'.repeat(300));
    await expect(scanAll(under, { maxBytes: 256 })).rejects.toMatchObject({ code: 'ROW_TOO_LARGE' });
  });

  it('takes a cursor once, and only with the same caller, scope, limit and max_bytes', async () => {
    await fill(3);
    const cursor = cursorOf(await under.state.page(under.scope, { limit: 1 }));
    const refused = { code: 'INVALID_CURSOR' };
    const stranger = new SuiteClient(under.adapter, 'another-worker');
    await expect(stranger.page(under.scope, { limit: 1, cursor })).rejects.toMatchObject(refused);
    await expect(under.state.page(`${under.scope}x`, { limit: 1, cursor })).rejects.toMatchObject(refused);
    await expect(under.state.page(under.scope, { limit: 2, cursor })).rejects.toMatchObject(refused);
    await expect(under.state.page(under.scope, { limit: 1, maxBytes: 999, cursor })).rejects.toMatchObject(
      refused,
    );
    expect(await under.state.page(under.scope, { limit: 1, cursor })).toMatchObject({ offset: 1 });
    await expect(under.state.page(under.scope, { limit: 1, cursor })).rejects.toMatchObject(refused);
    await expect(under.state.page(under.scope, { cursor: 'no-such' })).rejects.toMatchObject(refused);
  });
}

async function scanAll(under: SuiteContext, options: { maxBytes: number }): Promise<void> {
  for (let page = await under.state.page(under.scope, options); page.next_cursor !== null; ) {
    page = await under.state.page(under.scope, { ...options, cursor: page.next_cursor });
  }
}
