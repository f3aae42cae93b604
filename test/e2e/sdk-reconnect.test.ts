import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunningGateway } from '../support/gateway.js';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { startRelay } from '../support/gateway-relay.js';
import { startHub } from '../support/hub.js';
import { describePython, startPython } from '../support/python.js';
import { ready, Workers } from '../support/sdk.js';
import { NODE_SDKS, type NodeWorker } from '../support/sdk-node.js';
import { type TempDir, tempDir } from '../support/temp-dir.js';
import { neighbour } from './programs/neighbour.js';
import { eventually, linked, stopInTurn } from './site.js';

const ENDS = ['SIGTERM', 'SIGKILL'] as const;
const workers = new Workers();
let data: TempDir;
let hub: RunningGateway;
let gateway: GatewayProcess;
beforeEach(async () => {
  data = await tempDir();
  hub = await startHub();
  gateway = await startGatewayProcess({ remote: hub.url, dataDir: data.path });
  await linked(gateway.url);
});
afterEach(async () => {
  await workers.shutdown();
  await stopInTurn(gateway, hub);
  await data.remove();
});

/** Ends the gateway and starts it again where it was. */
async function restart(end: NodeJS.Signals): Promise<void> {
  const { port } = gateway;
  await gateway.signal(end);
  await gateway.stop();
  gateway = await startGatewayProcess({ remote: hub.url, dataDir: data.path, port });
  await linked(gateway.url);
}

/** Notes the values of the scope `news`, as the Python program does. */
function noteNews(worker: NodeWorker, name: string): unknown[] {
  const noted: unknown[] = [];
  worker.register(
    `note::${name}`,
    async ({ new_value }: { new_value: unknown }) => void noted.push(new_value),
  );
  worker.bind('state', `note::${name}`, { scope: 'news' });
  return noted;
}

function writeNews(value: string): Promise<unknown> {
  const writer = workers.connect(hub.url, 'writer');
  return writer.trigger({ function_id: 'state::set', payload: { scope: 'news', key: 'today', value } });
}

describe.for(NODE_SDKS)('npm iii-sdk $version', (sdk) => {
  it.for(ENDS)('comes back by itself after the gateway ended by %s, and its triggers fire', async (end) => {
    const worker = sdk.connect(workers, gateway.url, 'worker');
    const noted = noteNews(worker, 'worker');
    neighbour(worker, 'worker');
    const bound: string[] = [];
    worker.provide('bell', {
      registerTrigger: async ({ function_id }) => void bound.push(function_id),
      unregisterTrigger: async () => {},
    });
    worker.bind('bell', 'greet::worker', {});
    await ready(worker.client);
    await eventually(() => expect(bound).toHaveLength(1));
    await writeNews('before');
    await eventually(() => expect(noted).toEqual(['before']));

    await restart(end);

    await eventually(() => expect(bound).toHaveLength(2)); // its own type, bound anew
    const guest = sdk.connect(workers, gateway.url, 'guest');
    expect(await guest.call('ask::worker', { whom: 'worker' })).toBe('hello worker, this is worker');
    await ready(worker.client);
    await writeNews('after');
    await eventually(() => expect(noted).toEqual(['before', 'after']));
  });
});

describe('npm iii-sdk 0.22.1', () => {
  it('takes its place back when the gateway still believes in its lost connection', async () => {
    const relay = await startRelay(gateway.port);
    try {
      const worker = workers.connect(relay.url, 'worker');
      const calls: string[] = [];
      worker.registerFunction('only::one', async ({ from }: { from: string }) => void calls.push(from));
      const noted: unknown[] = [];
      worker.registerFunction('note', async ({ new_value }: { new_value: unknown }) => {
        noted.push(new_value);
      });
      worker.registerTrigger({ type: 'state', function_id: 'note', config: { scope: 'news' } });
      await ready(worker);

      relay.loseWorkers();
      await eventually(() => expect(relay.upgrades).toHaveLength(2));
      await ready(worker);

      const guest = workers.connect(gateway.url, 'guest');
      await guest.trigger({ function_id: 'only::one', payload: { from: 'guest' } });
      expect(calls).toEqual(['guest']);
      await writeNews('heard once');
      await eventually(() => expect(noted).toEqual(['heard once']));
      const { workers: known } = await guest.trigger({ function_id: 'engine::workers::list', payload: {} });
      expect(known.filter(({ name }: { name: string }) => name === 'worker')).toHaveLength(1);
    } finally {
      await workers.shutdown();
      await relay.stop();
    }
  });
});

describePython('PyPI iii-sdk', (sdk) => {
  it.for(ENDS)('comes back by itself after the gateway ended by %s, and its triggers fire', async (end) => {
    const python = await startPython(sdk, 'neighbour.py', { url: gateway.url, name: 'python' });
    try {
      const guest = workers.connect(gateway.url, 'guest');
      const noted = () => guest.trigger({ function_id: 'noted::python', payload: {} });
      await writeNews('before');
      await eventually(async () => expect(await noted()).toEqual(['before']));

      await restart(end);

      await eventually(async () => expect(await noted()).toEqual(['before']));
      const ask = { function_id: 'ask::python', payload: { whom: 'python' } };
      expect(await guest.trigger(ask)).toBe('hello python, this is python');
      await linked(gateway.url);
      await writeNews('after');
      await eventually(async () => expect(await noted()).toEqual(['before', 'after']));
    } finally {
      await python.stop();
    }
  });
});
