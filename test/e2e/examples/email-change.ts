import { expect, it } from 'vitest';
import { ready } from '../../support/sdk.js';
import { emailVerification } from '../programs/email-change.js';
import { eventually, type Setting, useSite } from '../site.js';

/** A trigger with a condition function, in the older API. */
export function emailChangeExample(setting: Setting): void {
  const site = useSite(setting);

  it('verifies an address when it changes, not when something else does', async () => {
    const mailer = site.connectOlder('mailer');
    const verified: string[] = [];
    emailVerification(mailer, (address) => verified.push(address));
    await ready(mailer);
    const save = (value: object, key = 'profile') =>
      mailer.trigger({ function_id: 'state::set', payload: { scope: 'users', key, value } });

    await save({ name: 'Kim', email: 'kim@old.example' }); // created: nothing to compare with
    await save({ name: 'Kim Lee', email: 'kim@old.example' });
    await save({ name: 'Kim Lee', email: 'kim@old.example', n: 1 }, 'another key');
    await save({ name: 'Kim Lee', email: 'kim@new.example' });
    await eventually(() => expect(verified).toEqual(['kim@new.example']));

    await save({ name: 'Kim Lee', email: 'kim@newest.example' });
    await eventually(() => expect(verified).toEqual(['kim@new.example', 'kim@newest.example']));
  });
}
