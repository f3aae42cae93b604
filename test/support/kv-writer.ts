/**
 * A process that writes to a file store and prints the number of each write once it was acknowledged, to be killed.
 * Run it with `--import tsx` and the arguments: folder, save_interval_ms.
 */
import { writeSync } from 'node:fs';
import { createKv } from '../../src/state/adapters/kv.js';
import { SuiteClient } from '../../src/state/adapters/suite/client.js';
import { silentLogger } from './silent-logger.js';

const [, , filePath = '', saveIntervalMs = ''] = process.argv;
const config = { storeMethod: 'file_based', filePath, saveIntervalMs: Number(saveIntervalMs) } as const;
const kv = createKv(config, { logger: silentLogger(), now: Date.now, randomId: () => 'id' });
await kv.start();
const state = new SuiteClient(kv);

/** Sixteen writers, each on keys of its own, all counting in one key. */
async function writeForEver(writer: number): Promise<void> {
  for (let n = writer; ; n += 16) {
    await state.set(`s${n % 3}`, `k${n}`, { n, text: 'x'.repeat(n % 2000) });
    await state.update('count', 'all', { type: 'increment', path: 'n', by: 1 });
    writeSync(1, `${n}\n`); // in the pipe before the process can be killed
  }
}
await Promise.all(Array.from({ length: 16 }, (_, writer) => writeForEver(writer)));
