import { randomUUID } from 'node:crypto';
import { createKv } from '../../src/state/adapters/kv.js';
import { stateAdapterSuite } from '../../src/state/adapters/suite.js';
import { silentLogger } from '../support/silent-logger.js';
import { tempDir } from '../support/temp-dir.js';

for (const saveIntervalMs of [0, 5000]) {
  stateAdapterSuite(
    `kv in files, save_interval_ms ${saveIntervalMs}`,
    async () => {
      const folder = await tempDir();
      const adapter = createKv(
        { storeMethod: 'file_based', filePath: folder.path, saveIntervalMs },
        { logger: silentLogger(), now: Date.now, randomId: randomUUID },
      );
      return { adapter, stop: folder.remove };
    },
    { insertionOrder: true, knowsRepeats: true },
  );
}
