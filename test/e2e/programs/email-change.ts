import type { ISdk } from 'iii-sdk-0.9';
import type { StateEvent } from './state-event.js';

interface Profile {
  name: string;
  email: string;
}

/** Has a new address verified, and only then: the condition looks at the change before the function is called. */
export function emailVerification(iii: ISdk, verify: (address: string) => void): void {
  const emailChanged = iii.registerFunction(
    { id: 'conditions::emailChanged' },
    async ({ event_type, old_value, new_value }: StateEvent<Profile>) =>
      event_type === 'state:updated' && old_value?.email !== new_value?.email,
  );
  const onEmailChange = iii.registerFunction(
    { id: 'state::onEmailChange' },
    async ({ new_value: profile }: StateEvent<Profile>) => {
      if (profile) verify(profile.email);
      return {};
    },
  );
  iii.registerTrigger({
    type: 'state',
    function_id: onEmailChange.id,
    config: { scope: 'users', key: 'profile', condition_function_id: emailChanged.id },
  });
}
