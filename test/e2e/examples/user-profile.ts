import { expect, it } from 'vitest';
import { ready } from '../../support/sdk.js';
import { type User, userProfiles } from '../programs/user-profile.js';
import { eventually, type Setting, useSite } from '../site.js';

/** A profile in state, and a reactive function that mirrors it to another scope. */
export function userProfileExample(setting: Setting): void {
  const site = useSite(setting);

  it('creates a user, reads it through another worker, and mirrors every change', async () => {
    const profiles = site.connect('profiles');
    const shop = site.connect('shop');
    userProfiles(profiles);
    await ready(profiles, shop);

    const { userId } = await shop.trigger<unknown, { userId: string }>({
      function_id: 'users::create',
      payload: { name: 'Ada', email: 'ada@example.com' },
    });
    const user = await shop.trigger<unknown, User>({ function_id: 'users::get', payload: { userId } });
    expect(user).toEqual({ id: userId, name: 'Ada', email: 'ada@example.com' });

    const hub = site.connectToHub('auditor');
    const inDirectory = () =>
      hub.trigger({ function_id: 'state::get', payload: { scope: 'directory', key: userId } });
    await eventually(async () => expect(await inDirectory()).toBe('Ada'));

    await shop.trigger({
      function_id: 'state::update',
      payload: { scope: 'users', key: userId, ops: [{ type: 'set', path: 'name', value: 'Ada L.' }] },
    });
    await eventually(async () => expect(await inDirectory()).toBe('Ada L.'));

    await shop.trigger({ function_id: 'state::delete', payload: { scope: 'users', key: userId } });
    await eventually(async () => expect(await inDirectory()).toBeUndefined());
  });

  it('says so of a user who is not there', async () => {
    const profiles = site.connect('profiles');
    userProfiles(profiles);
    await ready(profiles);

    const nobody = await profiles.trigger({ function_id: 'users::get', payload: { userId: 'nobody' } });

    expect(nobody).toBeUndefined();
  });
}
