import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EXAMPLES } from '../e2e/examples/all.js';
import type { StateEvent } from '../e2e/programs/state-event.js';
import { eventually, linked, type Setting, stopInTurn } from '../e2e/site.js';
import { type RunningGateway, startGateway } from '../support/gateway.js';
import { ready, Workers } from '../support/sdk.js';
import { describeEngine, type Engine, startEngine } from './engine.js';

const engineBeforeGateway: Setting = async () => {
  const gateway = await startGateway();
  const engine = await startEngine({ bridgeUrl: gateway.url });
  await linked(engine.url);
  return { url: engine.url, hubUrl: gateway.url, close: () => stopInTurn(engine, gateway) };
};

describeEngine('a real engine that bridges its state to a gateway', () => {
  describe.for(Object.entries(EXAMPLES))('example: %s', ([, example]) => example(engineBeforeGateway));
});

describeEngine('two real engines that bridge to one gateway at once', () => {
  const workers = new Workers();
  let gateway: RunningGateway;
  let engines: Engine[];
  beforeEach(async () => {
    gateway = await startGateway();
    const bridging = () => startEngine({ bridgeUrl: gateway.url });
    engines = await Promise.all([bridging(), bridging()]);
    await Promise.all(engines.map(({ url }) => linked(url)));
  });
  afterEach(async () => {
    await workers.shutdown();
    await stopInTurn(...engines, gateway);
  });
  // Both call themselves iii-state-bridge.
  const atBoth = () => engines.map(({ url }, n) => workers.connect(url, `worker ${n}`));

  it('share their state', async () => {
    const [north, south] = atBoth();

    await north?.trigger({ function_id: 'state::set', payload: { scope: 'stock', key: 'lamp', value: 5 } });

    const lamp = { function_id: 'state::get', payload: { scope: 'stock', key: 'lamp' } };
    expect(await south?.trigger(lamp)).toBe(5);
  });

  it('both go on being answered', async () => {
    const both = atBoth();
    const ops = [{ type: 'increment', path: 'n', by: 1 }];
    const count = { function_id: 'state::update', payload: { scope: 'stock', key: 'visits', ops } };

    await Promise.all(Array.from({ length: 100 }, (_, n) => both[n % 2]?.trigger(count)));

    const visits = { function_id: 'state::get', payload: { scope: 'stock', key: 'visits' } };
    for (const worker of both) expect(await worker.trigger(visits)).toEqual({ n: 100 });
  });

  it('are heard at the gateway, whichever of them wrote', async () => {
    const watcher = workers.connect(gateway.url, 'watcher');
    const seen: string[] = [];
    watcher.registerFunction('watch', async ({ event_type, key }: StateEvent<unknown>) => {
      seen.push(`${event_type} ${key}`);
    });
    watcher.registerTrigger({ type: 'state', function_id: 'watch', config: { scope: 'stock' } });
    await ready(watcher);

    for (const [n, worker] of atBoth().entries())
      await worker.trigger({
        function_id: 'state::set',
        payload: { scope: 'stock', key: `from ${n}`, value: n },
      });

    await eventually(() => expect(seen).toHaveLength(2));
    expect(seen.sort()).toEqual(['state:created from 0', 'state:created from 1']);
  });
});
