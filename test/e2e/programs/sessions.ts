import { randomUUID } from 'node:crypto';
import type { IIIClient } from 'iii-sdk';

/** What lives for a while. The key stands in the value, because a list of a scope gives values only. */
interface Perishable {
  scope: 'sessions' | 'cache';
  key: string;
  expiresAt: number;
  value: unknown;
}

/** Time is handed in, as a schedule hands it in: nothing here looks at a clock. */
interface Moment {
  now: number;
}

/** Sessions and a cache with a time to live; a sweeping function clears away what is over. */
export function sessions(iii: IIIClient): void {
  const keep = (perishable: Perishable) =>
    iii.trigger({
      function_id: 'state::set',
      payload: { scope: perishable.scope, key: perishable.key, value: perishable },
    });
  const fresh = async (scope: Perishable['scope'], key: string, now: number): Promise<unknown> => {
    const found = await iii.trigger<unknown, Perishable | undefined>({
      function_id: 'state::get',
      payload: { scope, key },
    });
    // Swept or not, what is over is not given out.
    return found && found.expiresAt > now ? found.value : null;
  };

  iii.registerFunction(
    'sessions::open',
    async ({ userId, now, ttlMs }: Moment & { userId: string; ttlMs: number }) => {
      const token = randomUUID();
      await keep({ scope: 'sessions', key: token, expiresAt: now + ttlMs, value: { userId } });
      return { token };
    },
  );
  iii.registerFunction('sessions::check', ({ token, now }: Moment & { token: string }) =>
    fresh('sessions', token, now),
  );

  iii.registerFunction(
    'cache::put',
    ({ key, value, now, ttlMs }: Moment & { key: string; value: unknown; ttlMs: number }) =>
      keep({ scope: 'cache', key, expiresAt: now + ttlMs, value }),
  );
  iii.registerFunction('cache::get', ({ key, now }: Moment & { key: string }) => fresh('cache', key, now));

  iii.registerFunction('sweep::expired', async ({ now }: Moment) => {
    let swept = 0;
    for (const scope of ['sessions', 'cache']) {
      const all = await iii.trigger<unknown, Perishable[]>({
        function_id: 'state::list',
        payload: { scope },
      });
      for (const { key } of all.filter(({ expiresAt }) => expiresAt <= now)) {
        await iii.trigger({ function_id: 'state::delete', payload: { scope, key } });
        swept += 1;
      }
    }
    return { swept };
  });
}
