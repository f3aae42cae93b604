import { randomUUID } from 'node:crypto';
import type { IIIClient } from 'iii-sdk';
import type { StateEvent } from './state-event.js';

export interface User {
  id: string;
  name: string;
  email: string;
}

/** Keeps users, and a directory of their names that follows by itself whoever changes them. */
export function userProfiles(iii: IIIClient): void {
  iii.registerFunction('users::create', async ({ name, email }: Omit<User, 'id'>) => {
    const user: User = { id: randomUUID(), name, email };
    await iii.trigger({
      function_id: 'state::set',
      payload: { scope: 'users', key: user.id, value: user },
    });
    return { userId: user.id };
  });

  iii.registerFunction('users::get', ({ userId }: { userId: string }) =>
    iii.trigger({ function_id: 'state::get', payload: { scope: 'users', key: userId } }),
  );

  const mirror = iii.registerFunction(
    'state::onUserUpdated',
    async ({ key, new_value: user }: StateEvent<User>) => {
      const entry = { scope: 'directory', key };
      if (user === null) await iii.trigger({ function_id: 'state::delete', payload: entry });
      else await iii.trigger({ function_id: 'state::set', payload: { ...entry, value: user.name } });
    },
  );
  iii.registerTrigger({ type: 'state', function_id: mirror.id, config: { scope: 'users' } });
}
