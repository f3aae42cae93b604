import { expect, it } from 'vitest';
import { describePython, startPython } from '../../support/python.js';
import { ready } from '../../support/sdk.js';
import { loginCounter } from '../programs/login-counter.js';
import { type Setting, type SiteInUse, useSite } from '../site.js';

const LOGINS = 20;

/** Shared state with atomic updates: a login counter, in the older API and in Python. */
export function loginCounterExample(setting: Setting): void {
  const site = useSite(setting);

  it('counts every login, also those that come at once', async () => {
    const counter = site.connectOlder('counter');
    loginCounter(counter);
    await ready(counter);

    await logInAtOnce(site);
  });

  describePython('and in Python', (sdk) => {
    it('counts every login, also those that come at once', async () => {
      const counter = await startPython(sdk, 'login_counter.py', { url: site.url, name: 'counter' });
      try {
        await logInAtOnce(site);
      } finally {
        await counter.stop();
      }
    });
  });
}

async function logInAtOnce(site: SiteInUse): Promise<void> {
  const doors = [site.connect('front door'), site.connect('back door')];
  const logins = Array.from({ length: LOGINS }, (_, n) =>
    doors[n % doors.length]?.trigger({
      function_id: 'users::record-login',
      payload: { userId: 'kim', at: '2026-05-01T09:00:00.000Z' },
    }),
  );
  expect(await Promise.all(logins)).toEqual(Array(LOGINS).fill({ recorded: true }));

  const kept = await site
    .connectToHub('auditor')
    .trigger({ function_id: 'state::get', payload: { scope: 'logins', key: 'kim' } });
  expect(kept).toEqual({ loginCount: LOGINS, lastLogin: '2026-05-01T09:00:00.000Z' });
}
