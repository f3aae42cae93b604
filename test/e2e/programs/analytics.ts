import { type IIIClient, TriggerAction } from 'iii-sdk';

/** Counts events of a day, and how often each feature is used; callers do not wait for it. */
export function analytics(iii: IIIClient): void {
  iii.registerFunction(
    'analytics::track-event',
    ({ event, userId, day }: { event: string; userId: string; day: string }) =>
      iii.trigger({
        function_id: 'state::update',
        payload: {
          scope: 'analytics',
          key: day,
          ops: [
            { type: 'increment', path: event, by: 1 },
            { type: 'merge', path: ['visitors'], value: { [userId]: true } },
          ],
        },
      }),
  );

  iii.registerFunction('features::use', ({ feature, userId }: { feature: string; userId: string }) =>
    iii.trigger({
      function_id: 'state::update',
      payload: {
        scope: 'features',
        key: feature,
        ops: [
          { type: 'increment', path: 'uses', by: 1 },
          { type: 'append', path: ['users'], value: { userId } },
        ],
      },
    }),
  );
}

/** Tells of something that happened, and goes on. */
export async function tell(iii: IIIClient, function_id: string, payload: object): Promise<void> {
  await iii.trigger({ function_id, payload, action: TriggerAction.Void() });
}
