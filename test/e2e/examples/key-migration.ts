import { expect, it } from 'vitest';
import { ready } from '../../support/sdk.js';
import { keyMigration, type OldStore } from '../programs/key-migration.js';
import { type Setting, useSite } from '../site.js';

const KEYS = 250;
const BATCH = 100;

/** Keys of another store move into state, batch by batch. */
export function keyMigrationExample(setting: Setting): void {
  const site = useSite(setting);

  it('moves every key, also when another worker goes on where the first one left', async () => {
    const old = new Map(Array.from({ length: KEYS }, (_, n) => [`user:${1000 + n}`, awkward(n)] as const));
    const next = { function_id: 'migration::next', payload: { limit: BATCH } };

    const first = site.connect('first mover');
    keyMigration(first, 'users', pagesOf(old));
    await ready(first);
    expect(await first.trigger(next)).toMatchObject({ moved: BATCH, done: false });
    await first.shutdown();

    const second = site.connect('second mover');
    keyMigration(second, 'users', pagesOf(old));
    await ready(second);
    expect(await second.trigger(next)).toMatchObject({ moved: 2 * BATCH, done: false });
    expect(await second.trigger(next)).toMatchObject({ moved: KEYS, done: true });

    const hub = site.connectToHub('auditor');
    const moved = await Promise.all(
      [...old.keys()].map((key) =>
        hub.trigger({ function_id: 'state::get', payload: { scope: 'users', key } }),
      ),
    );
    expect(moved).toEqual([...old.values()]);
  });
}

/** Values of all kinds, because an old store has them. */
function awkward(n: number): unknown {
  const kinds = [
    { n, tags: [] },
    `text ${n} ✓ 数`,
    n / 8,
    [n, { deep: [null] }],
    n % 2 === 0,
    { __proto: n },
  ];
  return kinds[n % kinds.length];
}

function pagesOf(store: Map<string, unknown>): OldStore {
  const sorted = [...store].sort(([a], [b]) => (a < b ? -1 : 1));
  return { page: (after, limit) => sorted.filter(([key]) => key > after).slice(0, limit) };
}
