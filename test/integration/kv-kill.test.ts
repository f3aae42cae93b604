import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createKv } from '../../src/state/adapters/kv.js';
import { SuiteClient, valueIn } from '../../src/state/adapters/suite/client.js';
import { silentLogger } from '../support/silent-logger.js';
import { type TempDir, tempDir } from '../support/temp-dir.js';

const WRITER = join(import.meta.dirname, '../support/kv-writer.ts');

let temp: TempDir;

beforeEach(async () => {
  temp = await tempDir();
});

afterEach(() => temp.remove());

/** Lets a process write to the store, kills it after `count` acknowledged writes, and gives all that it acknowledged. */
async function writeAndKill(saveIntervalMs: number, count: number): Promise<number[]> {
  const writer = spawn(process.execPath, ['--import', 'tsx', WRITER, temp.path, String(saveIntervalMs)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(writer, 'exit');
  const acknowledged: number[] = [];
  for await (const line of createInterface(writer.stdout)) {
    acknowledged.push(Number(line));
    if (acknowledged.length === count) writer.kill('SIGKILL');
  }
  await exited;
  expect(acknowledged.length, 'the writer ended by itself').toBeGreaterThanOrEqual(count);
  return acknowledged;
}

describe.each([0, 60_000])('kill -9 with save_interval_ms %i', (saveIntervalMs) => {
  it('keeps every acknowledged write, none twice, two kills in a row', async () => {
    const acknowledged = new Set<number>();
    let increments = 0;
    for (const count of [300, 700]) {
      const written = await writeAndKill(saveIntervalMs, count);
      for (const n of written) acknowledged.add(n);
      increments += written.length;
    }
    const config = { storeMethod: 'file_based', filePath: temp.path, saveIntervalMs } as const;
    const kv = createKv(config, { logger: silentLogger(), now: Date.now, randomId: () => 'id' });
    const state = new SuiteClient(kv);
    await kv.start();
    for (const n of acknowledged) {
      expect(valueIn(await state.get(`s${n % 3}`, `k${n}`)), `write ${n}`).toEqual({
        n,
        text: 'x'.repeat(n % 2000),
      });
    }
    const counted = (valueIn(await state.get('count', 'all')) as { n: number }).n;
    expect(counted).toBeGreaterThanOrEqual(increments);
    expect(counted).toBeLessThanOrEqual(increments + 2 * 16); // one write of each writer may have been on its way
    await kv.stop();
  });
});
