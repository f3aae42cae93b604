import type { IIIClient } from 'iii-sdk';

/** The store that is left behind: sorted keys, one page at a time. */
export interface OldStore {
  page(after: string, limit: number): [key: string, value: unknown][];
}

interface Progress {
  last: string;
  moved: number;
  done: boolean;
}

const beginning: Progress = { last: '', moved: 0, done: false };

/**
 * Moves an old store's keys to a scope, a batch a call. How far it came stands in state too, so that whoever
 * calls next goes on from there; a batch that is moved twice is the same as moved once.
 */
export function keyMigration(iii: IIIClient, scope: string, store: OldStore): void {
  const progress = { scope: 'migrations', key: scope };

  iii.registerFunction('migration::next', async ({ limit }: { limit: number }): Promise<Progress> => {
    const soFar: Progress =
      (await iii.trigger({ function_id: 'state::get', payload: progress })) ?? beginning;
    const batch = store.page(soFar.last, limit);
    await Promise.all(
      batch.map(([key, value]) => iii.trigger({ function_id: 'state::set', payload: { scope, key, value } })),
    );
    const next: Progress = {
      last: batch.at(-1)?.[0] ?? soFar.last,
      moved: soFar.moved + batch.length,
      done: batch.length < limit,
    };
    await iii.trigger({ function_id: 'state::set', payload: { ...progress, value: next } });
    return next;
  });
}
