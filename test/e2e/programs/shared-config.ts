import type { IIIClient } from 'iii-sdk';
import type { StateEvent } from './state-event.js';

type Settings = Record<string, unknown>;

const place = { scope: 'config', key: 'app' };

/** Where the configuration is changed, one setting at a time. */
export function configOwner(iii: IIIClient): void {
  iii.registerFunction('config::change', (change: Settings) =>
    iii.trigger({
      function_id: 'state::update',
      payload: { ...place, ops: [{ type: 'merge', value: withoutCaller(change) }] },
    }),
  );
}

/** A worker that reads the configuration once and follows it from then on. */
export function configReader(iii: IIIClient, instance: string): { load(): Promise<void> } {
  let settings: Settings = {};
  const follow = iii.registerFunction(`config::follow::${instance}`, async (event: StateEvent<Settings>) => {
    settings = event.new_value ?? {};
  });
  iii.registerTrigger({ type: 'state', function_id: follow.id, config: place });
  iii.registerFunction(`config::current::${instance}`, async () => settings);
  return {
    load: async () => {
      settings = (await iii.trigger({ function_id: 'state::get', payload: place })) ?? {};
    },
  };
}

/** The engine adds who called. */
function withoutCaller({ _caller_worker_id: _, ...change }: Settings): Settings {
  return change;
}
