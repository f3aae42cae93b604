import { afterEach, beforeEach, expect, it } from 'vitest';
import { describePython, type PythonWorker, startPython } from '../support/python.js';
import { ready, Workers } from '../support/sdk.js';
import { NODE_SDKS } from '../support/sdk-node.js';
import { neighbour } from './programs/neighbour.js';
import { gatewayBeforeHub, useSite } from './site.js';

describePython('SDKs of two languages and several versions at one gateway', (sdk) => {
  const site = useSite(gatewayBeforeHub);
  const workers = new Workers();
  const names = ['python', ...NODE_SDKS.map(({ version }) => version)];
  let python: PythonWorker;
  beforeEach(async () => {
    python = await startPython(sdk, 'neighbour.py', { url: site.url, name: 'python' });
  });
  afterEach(async () => {
    await python.stop();
    await workers.shutdown();
  });

  it('call each other', async () => {
    for (const { version, connect } of NODE_SDKS) {
      const worker = connect(workers, site.url, version);
      neighbour(worker, version);
      await ready(worker.client);
    }
    const guest = site.connect('guest');

    for (const who of names)
      for (const whom of names) {
        const greeting = await guest.trigger({ function_id: `ask::${who}`, payload: { whom } });
        expect(greeting).toBe(`hello ${who}, this is ${whom}`);
      }
  });
});
