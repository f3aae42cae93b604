import { randomUUID } from 'node:crypto';
import { createKv } from '../../src/state/adapters/kv.js';
import { stateAdapterSuite } from '../../src/state/adapters/suite.js';
import { silentLogger } from '../support/silent-logger.js';

stateAdapterSuite(
  'kv in memory',
  async () => ({
    adapter: createKv(
      { storeMethod: 'in_memory', filePath: '', saveIntervalMs: 5000 },
      { logger: silentLogger(), now: Date.now, randomId: randomUUID },
    ),
  }),
  { insertionOrder: true, knowsRepeats: true },
);
