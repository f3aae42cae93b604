import { TriggerAction } from 'iii-sdk';
import { describe, expect, it } from 'vitest';
import { ready } from '../support/sdk.js';
import { eventually, gatewayBeforeHub, useSite } from './site.js';

describe('what npm iii-sdk 0.22.1 has and 0.9.0 has not', () => {
  const site = useSite(gatewayBeforeHub);

  it('sends metadata beside the payload, with calls and with calls that wait for nothing', async () => {
    const [host, guest] = [site.connect('host'), site.connect('guest')];
    const told: unknown[] = [];
    host.registerFunction('look', async (data: { n: number }, metadata: unknown) => {
      told.push(metadata);
      return { n: data.n, metadata };
    });
    await ready(host);
    const request = { function_id: 'look', payload: { n: 1 } };

    expect(await guest.trigger({ ...request, metadata: { tenant: 'a' } })).toEqual({
      n: 1,
      metadata: { tenant: 'a' },
    });
    expect(await guest.trigger(request)).toEqual({ n: 1 });
    await guest.trigger({ ...request, metadata: ['any', 'json'], action: TriggerAction.Void() });
    await eventually(() => expect(told).toEqual([{ tenant: 'a' }, undefined, ['any', 'json']]));
  });

  it("gets a trigger's metadata with each of its events", async () => {
    const watcher = site.connect('watcher');
    const heard: unknown[] = [];
    watcher.registerFunction('hear', async ({ key }: { key: string }, metadata: unknown) => {
      heard.push({ key, metadata });
    });
    for (const key of ['a', 'b'])
      watcher.registerTrigger({
        type: 'state',
        function_id: 'hear',
        config: { scope: 'letters', key },
        metadata: { watches: key },
      });
    await ready(watcher);

    for (const key of ['b', 'a'])
      await watcher.trigger({ function_id: 'state::set', payload: { scope: 'letters', key, value: 1 } });

    await eventually(() => expect(heard).toHaveLength(2));
    expect(heard).toContainEqual({ key: 'a', metadata: { watches: 'a' } });
    expect(heard).toContainEqual({ key: 'b', metadata: { watches: 'b' } });
  });

  it('tells the provider of a trigger type when a trigger is taken back', async () => {
    const [tower, listener] = [site.connect('tower'), site.connect('listener')];
    const bound = new Set<string>();
    tower.registerTriggerType(
      { id: 'bell', description: 'Rings' },
      {
        registerTrigger: async ({ id }) => void bound.add(id),
        unregisterTrigger: async ({ id }) => void bound.delete(id),
      },
    );
    listener.registerFunction('listen', async () => {});
    const trigger = listener.registerTrigger({ type: 'bell', function_id: 'listen', config: {} });
    await eventually(() => expect(bound.size).toBe(1));

    trigger.unregister();

    await eventually(() => expect(bound.size).toBe(0));
  });
});
