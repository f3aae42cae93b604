import { type ISdk, Logger } from 'iii-sdk-0.9';

/** Counts logins with an atomic update, so that two at once both count. */
export function loginCounter(iii: ISdk): void {
  iii.registerFunction(
    { id: 'users::record-login', description: 'Counts a login' },
    async ({ userId, at }: { userId: string; at: string }) => {
      await iii.trigger({
        function_id: 'state::update',
        payload: {
          scope: 'logins',
          key: userId,
          ops: [
            { type: 'increment', path: 'loginCount', by: 1 },
            { type: 'set', path: 'lastLogin', value: at },
          ],
        },
      });
      new Logger().debug('a login', { userId });
      return { recorded: true };
    },
  );
}
