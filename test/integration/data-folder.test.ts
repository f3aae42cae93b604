import { randomBytes, randomUUID } from 'node:crypto';
import { cp, mkdir, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Level } from 'level';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Book } from '../../src/replication/log/book.js';
import { BOOK_KEY, entryKey, laneAt } from '../../src/replication/log/layout.js';
import { newestSlot } from '../../src/storage/mark-slots.js';
import { openRecord } from '../../src/storage/record.js';
import { BY_ITSELF_MS, numbers, Outpost, SCOPE, type Status } from '../support/outpost.js';
import { stopsAfterEach } from '../support/running.js';

/** Runs of the gateway, each of which leaves what it accepted in a file of its own. */
const RUNS = 3;
const KEYS_PER_RUN = 20;
const LINKS_PER_RUN = 4;
/** A log in which nothing moves for so many looks, breaker and connection included, is stuck. */
const LOOKS = 8;
const LOOK_MS = 100;

/** A gateway with accepted writes in several tables and a log, whose data folder can be put back as it was. */
class Ruin {
  readonly keys: string[] = [];
  private markBytes = Buffer.alloc(0);

  private constructor(readonly site: Outpost) {}

  static async build(makeValue: () => string): Promise<Ruin> {
    const ruin = new Ruin(await Outpost.start({ away: true }));
    const { site } = ruin;
    for (const run of numbers(RUNS)) {
      if (run > 0) await site.restart();
      if (run === RUNS - 1) await cp(ruin.store, ruin.older, { recursive: true });
      ruin.keys.push(...numbers(KEYS_PER_RUN).map((n) => `${run}-${n}`));
      await Promise.all(ruin.keys.slice(-KEYS_PER_RUN).map((key) => site.setPending(key, makeValue())));
      for (const n of numbers(LINKS_PER_RUN)) await site.setPending('chain', run * LINKS_PER_RUN + n);
    }
    await site.close();
    await cp(ruin.store, ruin.whole, { recursive: true });
    ruin.markBytes = await readFile(ruin.mark);
    return ruin;
  }

  get store(): string {
    return join(this.site.dataDir, 'store');
  }

  get mark(): string {
    return join(this.site.dataDir, 'high-water-mark');
  }

  /** The store as it was, and as it was a run earlier. */
  get whole(): string {
    return join(this.site.dataDir, '..', 'whole');
  }

  get older(): string {
    return join(this.site.dataDir, '..', 'older');
  }

  /** The mark stays the same file: in another one it would be a copy's. */
  async putBack(): Promise<void> {
    await this.replaceStore(this.whole);
    await writeFile(this.mark, this.markBytes);
  }

  async replaceStore(by: string): Promise<void> {
    await rm(this.store, { recursive: true, force: true });
    await cp(by, this.store, { recursive: true });
  }

  /** What a start gives: the refusal, or what became of the writes. */
  async start(): Promise<{ refusal: string } | { lost: number; noticed: boolean }> {
    const { site } = this;
    try {
      await site.open();
    } catch (error) {
      expect(error).toMatchObject({ code: 'GATEWAY_STORAGE' });
      return { refusal: (error as Error).message };
    }
    await site.goOnline('lost');
    const status = await this.standstill();
    const last = RUNS * LINKS_PER_RUN - 1;
    const missing = this.keys.filter((key) => site.remote.value(SCOPE, key) === undefined).length;
    const lost = missing + (site.remote.value(SCOPE, 'chain') === last ? 0 : 1);
    await site.goOffline();
    await site.close().catch(() => undefined); // a store that takes no more writes says so when it is closed too
    return { lost, noticed: status.log.damaged > 0 || !status.log.accepting };
  }

  /** Nothing is left to send, or nothing that can be. */
  private async standstill(): Promise<Status> {
    let before = -1;
    let looks = 0;
    await expect
      .poll(
        async () => {
          const { log, replay } = await this.site.status();
          const isStill = log.entries === before && replay.in_flight + replay.settling === 0;
          looks = isStill ? looks + 1 : 0;
          before = log.entries;
          return log.entries === 0 || looks === LOOKS;
        },
        { timeout: BY_ITSELF_MS, interval: LOOK_MS },
      )
      .toBe(true);
    return this.site.status();
  }
}

const HARMS: Record<string, (path: string, size: number) => Promise<void>> = {
  'cut in half': (path, size) => truncate(path, Math.floor(size / 2)),
  'cut to nothing': (path) => truncate(path, 0),
  'cut by one byte': (path, size) => truncate(path, size - 1),
  'with a bit flipped at its start': (path) => flip(path, 0.02),
  'with a bit flipped in the middle': (path) => flip(path, 0.5),
  'with a bit flipped near its end': (path) => flip(path, 0.95),
  deleted: (path) => rm(path),
};

async function flip(path: string, part: number): Promise<void> {
  const bytes = await readFile(path);
  const at = Math.floor(bytes.length * part);
  bytes[at] = (bytes[at] ?? 0) ^ 0x10;
  await writeFile(path, bytes);
}

describe.each([
  ['values that cannot be compressed', () => randomBytes(300).toString('base64')],
  ['values that can', () => randomUUID().repeat(20)],
])('a store of %s with a damaged file', (_, makeValue) => {
  let ruin: Ruin;
  beforeAll(async () => {
    ruin = await Ruin.build(makeValue);
  }, 60_000);
  afterAll(() => ruin.site.stop());

  it.each(Object.keys(HARMS))(
    'is refused with one sentence, or started with the damage told, each file %s',
    async (harm) => {
      const silent: string[] = [];
      for (const file of await readdir(ruin.whole)) {
        const { size } = await stat(join(ruin.whole, file));
        if (size === 0 && harm !== 'deleted') continue;
        await ruin.putBack();
        await HARMS[harm]?.(join(ruin.store, file), size);
        const outcome = await ruin.start();
        if ('refusal' in outcome) {
          expect(outcome.refusal, file).toMatch(/store repair --data-dir/);
          expect(await ruin.start(), `${file}, started again`).toEqual(outcome);
        } else if (outcome.lost > 0 && !outcome.noticed) silent.push(`${file}: ${outcome.lost}`);
      }
      expect(silent).toEqual([]);
    },
    120_000,
  );
});

describe('a data folder that is not what it was', () => {
  let ruin: Ruin;
  beforeAll(async () => {
    ruin = await Ruin.build(() => 'v');
  }, 60_000);
  afterAll(() => ruin.site.stop());

  const refusedTwice = async (sentence: RegExp) => {
    const outcome = await ruin.start();
    expect(outcome).toEqual({ refusal: expect.stringMatching(sentence) });
    expect(await ruin.start()).toEqual(outcome);
  };

  it('starts and loses nothing where nothing happened', async () => {
    await ruin.putBack();
    expect(await ruin.start()).toEqual({ lost: 0, noticed: false });
  });

  it('has a mark that says what the store says', async () => {
    await ruin.putBack();
    const store = new Level<string, Buffer>(ruin.store, { valueEncoding: 'buffer' });
    const body = openRecord(BOOK_KEY, (await store.get(BOOK_KEY)) as Buffer);
    await store.close();
    const { groups, next } = JSON.parse(String(body)) as Book;
    expect(groups).toBeGreaterThan(RUNS * LINKS_PER_RUN);
    const said = newestSlot(await readFile(ruin.mark))?.mark;
    expect(said).toMatchObject({ next, isClean: true });
    expect(groups - (said?.groups ?? 0), 'groups after the last synced one').toBeOneOf([0, 1]);
  });

  it('refuses an older store', async () => {
    await ruin.putBack();
    await ruin.replaceStore(ruin.older);
    await refusedTwice(/end of the log .+ is missing: at least \d+ groups of writes .+store repair/s);
  });

  it('refuses a store that was deleted, and makes none in its place', async () => {
    await ruin.putBack();
    await rm(ruin.store, { recursive: true });
    await refusedTwice(/store .+ is gone/);
    expect(await readdir(ruin.site.dataDir)).not.toContain('store');
  });

  it('refuses a store whose files were deleted', async () => {
    await ruin.putBack();
    for (const file of await readdir(ruin.store)) await rm(join(ruin.store, file));
    await refusedTwice(/store .+ is gone/);
  });

  it("refuses another gateway's store", async () => {
    const other = await Outpost.start({ away: true });
    await other.setPending('k', 1);
    await other.close();
    await ruin.putBack();
    await ruin.replaceStore(join(other.dataDir, 'store'));
    await other.stop();
    await refusedTwice(/is not the one that was used here last/);
  });

  it.each([
    ['deleted', () => rm(ruin.mark), /high-water-mark .+ is missing.+store repair/s],
    ['emptied', () => truncate(ruin.mark, 0), /high-water-mark .+ is damaged.+store repair/s],
    ['overwritten', () => writeFile(ruin.mark, randomBytes(8192)), /is damaged/],
  ])('refuses to start where the mark was %s', async (_, harm, sentence) => {
    await ruin.putBack();
    await harm();
    await refusedTwice(sentence);
    await writeFile(ruin.mark, ''); // where it was deleted, the next one is another file
  });
});

describe('a table with a flipped bit', () => {
  const stopLater = stopsAfterEach();

  it('refuses the start before LevelDB, which would end the process, comes by', async () => {
    const ruin = await Ruin.build(() => 'v'.repeat(100));
    stopLater(ruin.site);
    const tables = (await readdir(ruin.store)).filter((file) => file.endsWith('.ldb'));
    expect(tables.length).toBeGreaterThan(1);
    for (const table of tables) {
      for (const part of [0.01, 0.3, 0.6]) {
        await ruin.putBack();
        await flip(join(ruin.store, table), part);
        const refusal = expect.stringMatching(
          new RegExp(`blocks of the file ${table} are damaged.+store repair`),
        );
        expect(await ruin.start()).toEqual({ refusal });
      }
    }
  });
});

describe('a copy of a data folder', () => {
  const stopLater = stopsAfterEach();

  it('is refused, and so is the folder itself when it was brought back from the copy', async () => {
    const site = stopLater(await Outpost.start({ away: true }));
    await site.setPending('k', 1);
    await site.close();
    const copy = join(site.dataDir, '..', 'copy');
    await cp(site.dataDir, copy, { recursive: true, preserveTimestamps: true });
    await site.open({ admin: 'off' }); // the original goes on
    await site.close();
    await rm(site.dataDir, { recursive: true });
    await rename(copy, site.dataDir);
    for (const _ of numbers(2)) {
      await expect(site.open()).rejects.toMatchObject({
        code: 'GATEWAY_STORAGE',
        message: expect.stringMatching(/is a copy, .+store repair --data-dir .+ --adopt/s),
      });
    }
  });

  it('may be moved on its disk', async () => {
    const site = stopLater(await Outpost.start({ away: true }));
    await site.setPending('k', 1);
    await site.close();
    await rename(site.dataDir, `${site.dataDir}-moved`);
    await mkdir(site.dataDir);
    await rm(site.dataDir, { recursive: true });
    await rename(`${site.dataDir}-moved`, site.dataDir);
    await site.open();
    expect((await site.status()).log.entries).toBe(1);
  });
});

describe('a record of the log that has vanished', () => {
  const stopLater = stopsAfterEach();

  const withoutRecord = async (pick: (receipts: string[]) => string) => {
    const site = stopLater(await Outpost.start({ away: true }));
    const receipts: string[] = [];
    for (const n of numbers(4)) receipts.push((await site.setPending('k', n)).receipt);
    await site.setPending('other', 'there');
    await site.close();
    const store = new Level<string, Buffer>(join(site.dataDir, 'store'), { valueEncoding: 'buffer' });
    const key = pick(receipts);
    expect(await store.get(key)).toBeDefined();
    await store.del(key);
    await store.close();
    await site.open();
    return site;
  };
  const entryOf = (receipt = '') => entryKey(Number(receipt.split('-').at(-1)));
  const damaged = (site: Outpost) => async () => (await site.status()).log.damaged;

  it.each([0, 1, 3])('is told of while the remote is still away, entry %i of four', async (at) => {
    const site = await withoutRecord((receipts) => entryOf(receipts[at]));
    await expect.poll(damaged(site), { timeout: BY_ITSELF_MS }).toBe(1);
    expect(site.gateway.log()).toContain('1 accepted write is missing from the log');
    await site.goOnline();
    await expect.poll(() => site.remote.value(SCOPE, 'other'), { timeout: BY_ITSELF_MS }).toBe('there');
    await expect
      .poll(() => site.gateway.log(), { timeout: BY_ITSELF_MS })
      .toContain('"waits":"key \\"k\\" in scope \\"s\\""');
    expect(await damaged(site)()).toBe(1);
  });

  it('is told of when it is a lane, once its turn comes', async () => {
    const site = await withoutRecord(() => laneAt(SCOPE, 'k'));
    await site.goOnline();
    await expect.poll(damaged(site), { timeout: BY_ITSELF_MS }).toBe(1);
    expect(site.gateway.log()).toContain('the lane of key \\"k\\" in scope \\"s\\", whose writes wait,');
  });
});

describe('a folder that goes away under the gateway', () => {
  const stopLater = stopsAfterEach();

  it.each([
    ['the data folder is deleted', (site: Outpost) => rm(site.dataDir, { recursive: true })],
    ['its store is deleted', (site: Outpost) => rm(join(site.dataDir, 'store'), { recursive: true })],
    [
      'its store is replaced by a copy',
      async ({ dataDir }: Outpost) => {
        await rename(join(dataDir, 'store'), join(dataDir, 'away'));
        await cp(join(dataDir, 'away'), join(dataDir, 'store'), { recursive: true });
      },
    ],
  ])('accepts nothing more soon after %s', async (_, harm) => {
    const site = stopLater(await Outpost.start({ away: true }));
    await site.setPending('k', 1);
    await harm(site);
    await expect
      .poll(async () => (await site.set('k', 2))['error'], { timeout: BY_ITSELF_MS })
      .toMatchObject({
        code: 'GATEWAY_STORAGE',
        message: expect.stringContaining('deleted or replaced while it was in use'),
      });
    await site.close().catch(() => undefined);
  });
});
