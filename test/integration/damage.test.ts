import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Level } from 'level';
import { describe, expect, it } from 'vitest';
import { entryKey } from '../../src/replication/log/layout.js';
import { Outpost, type OutpostOptions, SCOPE } from '../support/outpost.js';
import { stopsAfterEach } from '../support/running.js';

const stopLater = stopsAfterEach();
const outpost = async (options: OutpostOptions = {}) => stopLater(await Outpost.start(options));

/** Where the store lies in a data folder. */
async function storeIn(dataDir: string): Promise<string> {
  const entries = await readdir(dataDir, { recursive: true });
  const current = entries.find((path) => path.endsWith('CURRENT'));
  return join(dataDir, current ?? '', '..');
}

describe('a damaged entry that is not the first of its lane', () => {
  it('holds up its own key only', async () => {
    const site = await outpost({ away: true });
    const first = await site.setPending('k', 1);
    const second = await site.setPending('k', 2);
    const third = await site.setPending('other', 3);
    const fourth = await site.setPending('other', 4);
    await site.close();

    const store = new Level<string, Buffer>(await storeIn(site.dataDir), { valueEncoding: 'buffer' });
    const key = entryKey(Number(second.receipt.split('-').at(-1)));
    const record = (await store.get(key)) as Buffer;
    record[record.length - 1] = (record.at(-1) ?? 0) ^ 0xff;
    await store.put(key, record);
    await store.close();

    await site.open();
    await site.goOnline();
    for (const { receipt } of [first, third, fourth]) {
      expect(await site.ending(receipt)).toMatchObject({ status: 'committed' });
    }
    expect([site.remote.value(SCOPE, 'k'), site.remote.value(SCOPE, 'other')]).toEqual([1, 4]);
  });
});
