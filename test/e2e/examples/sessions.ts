import { expect, it } from 'vitest';
import { ready } from '../../support/sdk.js';
import { sessions } from '../programs/sessions.js';
import { type Setting, useSite } from '../site.js';

const MINUTE = 60_000;
const NINE = Date.parse('2026-05-01T09:00:00.000Z');

/** Sessions and a cache with a time to live, kept by a sweeping function. */
export function sessionsExample(setting: Setting): void {
  const site = useSite(setting);

  it('gives out nothing that is over, and sweeps it away', async () => {
    const keeper = site.connect('keeper');
    const web = site.connect('web');
    sessions(keeper);
    await ready(keeper);
    // An engine passes a worker's null on as no result at all.
    const ask = async (function_id: string, payload: object) =>
      (await web.trigger({ function_id, payload })) ?? null;

    const { token } = await ask('sessions::open', { userId: 'kim', now: NINE, ttlMs: 30 * MINUTE });
    await ask('sessions::open', { userId: 'lee', now: NINE, ttlMs: 5 * MINUTE });
    await ask('cache::put', { key: 'rates', value: [1.1, 1.2], now: NINE, ttlMs: MINUTE });
    expect(await ask('cache::get', { key: 'rates', now: NINE })).toEqual([1.1, 1.2]);
    expect(await ask('cache::get', { key: 'rates', now: NINE + MINUTE })).toBeNull();

    const half = NINE + 10 * MINUTE;
    expect(await ask('sweep::expired', { now: half })).toEqual({ swept: 2 });
    expect(await ask('sweep::expired', { now: half })).toEqual({ swept: 0 });
    expect(await ask('sessions::check', { token, now: half })).toEqual({ userId: 'kim' });
    expect(await ask('sessions::check', { token, now: NINE + 30 * MINUTE })).toBeNull();

    const hub = site.connectToHub('auditor');
    const kept = (scope: string) => hub.trigger({ function_id: 'state::list', payload: { scope } });
    expect(await kept('cache')).toEqual([]);
    expect(await kept('sessions')).toMatchObject([{ key: token, value: { userId: 'kim' } }]);
  });
}
