import { afterEach, beforeEach, expect, it } from 'vitest';
import { type RunningGateway, startGateway } from '../../support/gateway.js';
import { ready, Workers } from '../../support/sdk.js';
import type { StateEvent } from '../programs/state-event.js';
import { eventually, linked, stopInTurn } from '../site.js';

export interface Hub {
  url: string;
  port: number;
  stop(): Promise<void>;
}

/** Two sites, a gateway each, and one hub: what changes at one is told at the other. */
export function federation(startHub: (port?: number) => Promise<Hub>): void {
  const workers = new Workers();
  let hub: Hub;
  let north: RunningGateway;
  let south: RunningGateway;
  beforeEach(async () => {
    hub = await startHub();
    [north, south] = await Promise.all([
      startGateway({ remote: hub.url }),
      startGateway({ remote: hub.url }),
    ]);
    await Promise.all([linked(north.url), linked(south.url)]);
  });
  afterEach(async () => {
    await workers.shutdown();
    await stopInTurn(north, south, hub);
  });

  /** A worker that notes the changes of stock that it is told of. */
  async function watchStock(url: string, name: string) {
    const worker = workers.connect(url, name);
    const seen: string[] = [];
    worker.registerFunction(`watch::${name}`, async ({ event_type, key, new_value }: StateEvent<number>) => {
      seen.push(`${event_type} ${key} ${new_value}`);
    });
    worker.registerTrigger({ type: 'state', function_id: `watch::${name}`, config: { scope: 'stock' } });
    await ready(worker);
    return { worker, seen };
  }

  it('tells workers of both sites of a change, once each', async () => {
    const [inNorth, inSouth] = await Promise.all([
      watchStock(north.url, 'north'),
      watchStock(south.url, 'south'),
    ]);
    const place = { scope: 'stock', key: 'lamp' };
    const toldOf = (...events: string[]) =>
      eventually(() => {
        expect(inNorth.seen).toEqual(events);
        expect(inSouth.seen).toEqual(events);
      });

    await inNorth.worker.trigger({ function_id: 'state::set', payload: { ...place, value: 5 } });
    await toldOf('state:created lamp 5');
    const ops = [{ type: 'decrement', path: '', by: 1 }];
    await inSouth.worker.trigger({ function_id: 'state::update', payload: { ...place, ops } });
    await toldOf('state:created lamp 5', 'state:updated lamp 4');
    await workers.connect(hub.url, 'head office').trigger({ function_id: 'state::delete', payload: place });
    await toldOf('state:created lamp 5', 'state:updated lamp 4', 'state:deleted lamp null');
  });

  it('reads at one site what the other wrote', async () => {
    const [writer, reader] = [workers.connect(north.url, 'writer'), workers.connect(south.url, 'reader')];
    const place = { scope: 'stock', key: 'chair' };

    await writer.trigger({ function_id: 'state::set', payload: { ...place, value: { count: 3 } } });

    expect(await reader.trigger({ function_id: 'state::get', payload: place })).toEqual({ count: 3 });
  });

  it('counts what both sites count at once', async () => {
    const both = [workers.connect(north.url, 'north'), workers.connect(south.url, 'south')];
    const count = { scope: 'stock', key: 'visits', ops: [{ type: 'increment', path: 'n', by: 1 }] };

    await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        both[n % 2]?.trigger({ function_id: 'state::update', payload: count }),
      ),
    );

    const visits = await both[0]?.trigger({
      function_id: 'state::get',
      payload: { scope: 'stock', key: 'visits' },
    });
    expect(visits).toEqual({ n: 50 });
  });

  it('goes on after the hub was restarted', async () => {
    const { worker, seen } = await watchStock(south.url, 'south');
    await hub.stop();
    hub = await startHub(hub.port);
    await Promise.all([linked(north.url), linked(south.url)]);

    const writer = workers.connect(north.url, 'writer');
    await writer.trigger({
      function_id: 'state::set',
      payload: { scope: 'stock', key: 'lamp', value: 9 },
    });

    await eventually(() => expect(seen).toEqual(['state:created lamp 9']));
    expect(
      await worker.trigger({ function_id: 'state::get', payload: { scope: 'stock', key: 'lamp' } }),
    ).toBe(9);
  });
}
