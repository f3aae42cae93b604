import { expect, it } from 'vitest';
import { ready } from '../../support/sdk.js';
import { analytics, tell } from '../programs/analytics.js';
import { eventually, type Setting, useSite } from '../site.js';

/** Analytics and feature counters, told with calls that wait for nothing. */
export function analyticsExample(setting: Setting): void {
  const site = useSite(setting);

  it('counts what it is told, from two workers at once', async () => {
    const counter = site.connect('counter');
    analytics(counter);
    const [web, app] = [site.connect('web'), site.connect('app')];
    await ready(counter, web, app);

    for (let n = 0; n < 25; n += 1) {
      const userId = `user-${n % 5}`;
      await tell(web, 'analytics::track-event', { event: 'page_view', userId, day: '2026-05-01' });
      await tell(app, 'analytics::track-event', { event: 'purchase', userId, day: '2026-05-01' });
      await tell(app, 'features::use', { feature: 'dark-mode', userId });
    }

    const hub = site.connectToHub('auditor');
    const kept = (scope: string, key: string) =>
      hub.trigger({ function_id: 'state::get', payload: { scope, key } });
    const visitors = { 'user-0': true, 'user-1': true, 'user-2': true, 'user-3': true, 'user-4': true };
    await eventually(async () =>
      expect(await kept('analytics', '2026-05-01')).toEqual({ page_view: 25, purchase: 25, visitors }),
    );
    await eventually(async () => {
      const feature = await kept('features', 'dark-mode');
      expect(feature).toMatchObject({ uses: 25 });
      expect(feature.users).toHaveLength(25);
    });
  });
}
