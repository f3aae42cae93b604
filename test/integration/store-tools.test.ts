import { randomUUID } from 'node:crypto';
import { cp, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { Level } from 'level';
import { describe, expect, it } from 'vitest';
import { exportStore } from '../../src/cli/commands/store.js';
import { repairReport } from '../../src/cli/store-report.js';
import { entryKey, laneAt } from '../../src/replication/log/layout.js';
import { exportLines } from '../../src/replication/store-tools/export.js';
import { isWhole } from '../../src/replication/store-tools/inspection.js';
import { type Repair, repairStore } from '../../src/replication/store-tools/repair.js';
import { verifyStore } from '../../src/replication/store-tools/verify.js';
import { findMark, makeMark, markIn } from '../../src/storage/high-water-mark.js';
import type { Slot } from '../../src/storage/mark-slots.js';
import {
  expectExactAccounts,
  numbers,
  Outpost,
  type OutpostOptions,
  SCOPE,
  valuesIn,
} from '../support/outpost.js';
import { stopsAfterEach } from '../support/running.js';
import { fakeTerminal } from '../unit/cli/fake-terminal.js';

const stopLater = stopsAfterEach();
const outpost = async (options: OutpostOptions = {}) => stopLater(await Outpost.start(options));

const repair = (dataDir: string, adopt = false): Promise<Repair> =>
  repairStore(dataDir, { adopt, now: Date.now, randomUuid: randomUUID, agrees: () => true });

const seqOf = (receipt: string) => Number(receipt.split('-').at(-1));

/** A gateway that was offline, has three writes to each of these keys in its log, and is stopped. */
async function stoppedWith(keys: readonly string[], options: OutpostOptions = {}) {
  const site = await outpost(options);
  await site.goOffline();
  const receipts = new Map<string, string[]>();
  for (const key of keys) {
    const all: string[] = [];
    for (const value of numbers(3)) all.push((await site.setPending(key, value)).receipt);
    receipts.set(key, all);
  }
  await site.close();
  return { site, receipts, store: join(site.dataDir, 'store') };
}

async function markOf(site: Outpost): Promise<Slot> {
  const found = await findMark(site.dataDir);
  return found.kind === 'mark' ? found.slot : expect.fail(`the mark is ${found.kind}`);
}

async function change(store: string, key: string, make: (record: Buffer) => Buffer): Promise<void> {
  const level = new Level<string, Buffer>(store, { valueEncoding: 'buffer' });
  await level.put(key, make((await level.get(key)) as Buffer));
  await level.close();
}

const flipped = (bytes: Buffer, at: number): Buffer => {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] as number) ^ 0x10;
  return copy;
};

/** As a restart of a gateway does: what was in the log becomes a table. */
async function intoTables(store: string): Promise<void> {
  const level = new Level(store);
  await level.open();
  await level.close();
}

async function fileLike(store: string, pattern: RegExp): Promise<string> {
  const file = (await readdir(store))
    .filter((name) => pattern.test(name))
    .sort()
    .at(-1);
  return join(store, file ?? expect.fail(`no file like ${pattern}`));
}

async function contents(folder: string): Promise<Map<string, string>> {
  const files = await readdir(folder, { recursive: true, withFileTypes: true });
  const all = new Map<string, string>();
  for (const file of files) {
    const path = join(file.parentPath, file.name);
    if (file.isFile()) all.set(path, (await readFile(path)).toString('base64'));
  }
  return all;
}

/** Every value that a key got at the remote, in order. */
const arrived = (site: Outpost, key: string) => valuesIn(site.remote.journalOf(SCOPE, key));

describe('a whole store', () => {
  it('is found whole, and neither looking nor repairing changes a byte', async () => {
    const { site } = await stoppedWith(['a', 'b', 'c']);
    const before = await contents(site.dataDir);
    const inspection = await verifyStore(site.dataDir);
    expect(isWhole(inspection), JSON.stringify(inspection)).toBe(true);
    expect(inspection.records).toMatchObject({ entries: 9, lanes: 3, links: 6 });
    expect((await repair(site.dataDir)).kind).toBe('whole');
    expect(await contents(site.dataDir)).toEqual(before);
  });

  it('is found whole after a drain, with quarantine, conflicts and a mirror', async () => {
    const { site } = await stoppedWith(['a', 'b', 'c']);
    site.remote.writesElsewhere(SCOPE, 'a', 'other');
    site.remote.refuse('VALUE_TOO_LARGE', { key: 'b' }, 1);
    await site.open();
    await site.goOnline();
    await expect.poll(async () => (await site.status()).writes).toMatchObject({ pending: 0, sent: 0 });
    await site.close();
    const inspection = await verifyStore(site.dataDir);
    expect(isWhole(inspection), JSON.stringify(inspection)).toBe(true);
    expect(inspection.records).toMatchObject({ entries: 0, quarantined: 1 });
  });
});

describe('damage that is told, mended, and harms nothing else', () => {
  it('a flipped bit in an entry: its key goes on without it', async () => {
    const { site, receipts, store } = await stoppedWith(['a', 'b']);
    const seq = seqOf(receipts.get('a')?.[1] ?? '');
    await change(store, entryKey(seq), (record) => flipped(record, record.length - 1));

    const inspection = await verifyStore(site.dataDir);
    expect(inspection.damaged).toEqual({
      count: 1,
      named: [{ record: `entry ${seq} of the log`, seq, scope: SCOPE, key: 'a' }],
    });
    const done = await repair(site.dataDir);
    expect(repairReport(site.dataDir, done)).toMatch(/kept: 5 writes in the log.*lost: 1 write of the log/s);
    expect(isWhole(await verifyStore(site.dataDir))).toBe(true);

    await site.open();
    await site.goOnline();
    for (const receipt of [receipts.get('a')?.[0], receipts.get('a')?.[2], ...(receipts.get('b') ?? [])]) {
      expect(await site.ending(receipt ?? '')).toMatchObject({ status: 'committed' });
    }
    expect(arrived(site, 'a')).toEqual([0, 2]);
    expect(arrived(site, 'b')).toEqual([0, 1, 2]);
    expectExactAccounts(await site.status());
  });

  it('a damaged lane is made anew of its entries', async () => {
    const { site, store } = await stoppedWith(['a', 'b']);
    await change(store, laneAt(SCOPE, 'a'), (record) => flipped(record, 6));
    expect((await verifyStore(site.dataDir)).damaged.named).toEqual([
      { record: 'a lane of the log', scope: SCOPE, key: 'a' },
    ]);
    await repair(site.dataDir);
    await site.open();
    await site.goOnline();
    await expect.poll(() => arrived(site, 'a')).toEqual([0, 1, 2]);
    await expect.poll(() => arrived(site, 'b')).toEqual([0, 1, 2]);
  });

  it.each(['log/book', 'meta/identity', 'meta/format'])(
    'a damaged %s, with which no gateway starts',
    async (key) => {
      const { site, store, receipts } = await stoppedWith(['a']);
      await change(store, key, (record) => flipped(record, 5));
      await expect(site.open()).rejects.toMatchObject({ code: 'GATEWAY_STORAGE' });
      expect((await verifyStore(site.dataDir)).damaged.count).toBe(1);
      await repair(site.dataDir);
      await site.open();
      const { receipt } = await site.setPending('a', 3);
      expect(seqOf(receipt)).toBeGreaterThan(seqOf(receipts.get('a')?.[2] ?? ''));
      await site.goOnline();
      await expect.poll(() => arrived(site, 'a')).toEqual([0, 1, 2, 3]);
      expectExactAccounts(await site.status());
    },
  );

  it('a flipped bit in the log file costs the group of writes that it is in', async () => {
    const { site, store } = await stoppedWith(['a', 'b', 'c']);
    const file = await fileLike(store, /\.log$/);
    const bytes = await readFile(file);
    await writeFile(file, flipped(bytes, bytes.indexOf('"value":1') + 8));

    const inspection = await verifyStore(site.dataDir);
    expect(inspection.files).toEqual([expect.stringMatching(/^The file \d+\.log is damaged at byte \d+/)]);
    const done = await repair(site.dataDir);
    expect(repairReport(site.dataDir, done)).toMatch(/kept: 8 writes in the log/);
    await site.open();
    await site.goOnline();
    await expect.poll(() => arrived(site, 'a')).toEqual([0, 2]);
    await expect.poll(() => arrived(site, 'b')).toEqual([0, 1, 2]);
    await expect.poll(() => arrived(site, 'c')).toEqual([0, 1, 2]);
  });

  it.each([
    ['CURRENT is missing', /^CURRENT$/, rm],
    ['the manifest is missing', /^MANIFEST/, rm],
    ['the manifest is empty', /^MANIFEST/, truncate],
    ['the manifest is cut', /^MANIFEST/, (file: string) => truncate(file, 60)],
  ])('%s: everything is pieced together from the tables', async (_, pattern, damage) => {
    const { site, store } = await stoppedWith(['a', 'b']);
    await intoTables(store);
    await damage(await fileLike(store, pattern));
    const inspection = await verifyStore(site.dataDir);
    expect(inspection.refusal).toBeDefined();
    await repair(site.dataDir);
    await site.open();
    await site.goOnline();
    await expect.poll(() => arrived(site, 'a')).toEqual([0, 1, 2]);
    await expect.poll(() => arrived(site, 'b')).toEqual([0, 1, 2]);
  });

  it.each([
    ['missing', rm],
    ['cut', (file: string) => truncate(file, 100)],
  ])('a table that is %s is named; what the log has is kept', async (_, damage) => {
    const { site, store } = await stoppedWith(['a']);
    await intoTables(store);
    await site.open();
    await site.setPending('b', 0);
    await site.close();
    const table = await fileLike(store, /\.ldb$/);
    const name = table.slice(store.length + 1);
    await damage(table);
    const inspection = await verifyStore(site.dataDir);
    expect(inspection.files.join()).toContain(name);
    await repair(site.dataDir);
    await site.open();
    await site.goOnline();
    await expect.poll(() => arrived(site, 'b')).toEqual([0]);
    expectExactAccounts(await site.status());
  });

  it('a log file that is missing is noticed, which LevelDB does not do', async () => {
    const { site, store } = await stoppedWith(['a']);
    await intoTables(store);
    await site.open();
    await site.setPending('b', 0);
    await site.close();
    await rm(await fileLike(store, /\.log$/));
    const inspection = await verifyStore(site.dataDir);
    expect(inspection.files).toEqual([
      expect.stringMatching(/\.log is missing: the newest writes were in it$/),
    ]);
    expect(inspection.mayHaveLostGroups).toBe(true);
  });
});

describe('what may have been sent', () => {
  it.each([
    {
      what: 'the list of tables is gone',
      damage: async (store: string) => rm(await fileLike(store, /^MANIFEST/)),
      quarantined: 1,
    },
    {
      what: 'only its lane is damaged',
      damage: (store: string) => change(store, laneAt(SCOPE, 'k'), (record) => flipped(record, 6)),
      quarantined: 0,
    },
  ])(
    'an increment is never sent twice: $what, $quarantined in quarantine',
    async ({ damage, quarantined }) => {
      const site = await outpost();
      await site.goOffline();
      const store = join(site.dataDir, 'store');
      await site.setPending('k', { n: 1 });
      await site.increment('k');
      await site.close();
      await damage(store);
      const done = await repair(site.dataDir);
      expect(repairReport(site.dataDir, done)).toMatch(
        quarantined ? /1 update may have been executed/ : /anew/,
      );
      await site.open();
      await site.goOnline();
      await expect.poll(async () => (await site.status()).writes).toMatchObject({ pending: 0, sent: 0 });
      expect(arrived(site, 'k')).toEqual(quarantined ? [{ n: 1 }] : [{ n: 1 }, { n: 2 }]);
      expect((await site.status()).quarantine).toMatchObject({ unknown: quarantined });
      expectExactAccounts(await site.status());
    },
  );
});

describe('the mark outside the store', () => {
  it('tells of an end that is missing; numbers that were given away there are not given away again', async () => {
    const { site } = await stoppedWith(['a']);
    const { mark } = await markOf(site);
    await makeMark(site.dataDir, { ...mark, groups: mark.groups + 1000, next: 50_000_000 });
    const inspection = await verifyStore(site.dataDir);
    expect(inspection).toMatchObject({
      mayHaveLostGroups: true,
      contradictions: [expect.stringMatching(/^At least \d+ of the groups/)],
    });
    const done = await repair(site.dataDir);
    expect(repairReport(site.dataDir, done)).toMatch(
      /lost: at least [\d ]+ groups of writes at the end of the log/,
    );
    expect(isWhole(await verifyStore(site.dataDir))).toBe(true);
    await site.open();
    expect(seqOf((await site.setPending('a', 3)).receipt)).toBeGreaterThan(50_000_000);
    await site.goOnline();
    await expect.poll(() => arrived(site, 'a')).toEqual([0, 1, 2, 3]);
  });

  it('that is lost is made anew', async () => {
    const { site } = await stoppedWith(['a']);
    await rm(markIn(site.dataDir));
    await expect(site.open()).rejects.toMatchObject({ code: 'GATEWAY_STORAGE' });
    expect((await verifyStore(site.dataDir)).mark.kind).toBe('lost');
    await repair(site.dataDir);
    expect(isWhole(await verifyStore(site.dataDir))).toBe(true);
    await site.open();
    await site.goOnline();
    await expect.poll(() => arrived(site, 'a')).toEqual([0, 1, 2]);
  });

  it('tells of a copied folder, whose gateway becomes another one or stays refused', async () => {
    const { site, receipts } = await stoppedWith(['a']);
    const original = `${site.dataDir}-original`;
    await rename(site.dataDir, original);
    await cp(original, site.dataDir, { recursive: true });
    await expect(site.open()).rejects.toMatchObject({ code: 'GATEWAY_STORAGE' });
    expect((await verifyStore(site.dataDir)).mark.kind).toBe('copied');
    expect((await repair(site.dataDir)).kind).toBe('needs-adoption');

    const adopted = await repair(site.dataDir, true);
    const formerId = (receipts.get('a')?.[0] ?? '').replace(/-\d+$/, '');
    expect(adopted).toMatchObject({ kind: 'repaired', newId: expect.not.stringContaining(formerId) });
    expect(isWhole(await verifyStore(site.dataDir))).toBe(true);
    expect(isWhole(await verifyStore(original)), 'the original is untouched').toBe(true);
    await site.open();
    expect((await site.setPending('a', 3)).receipt).not.toContain(formerId);
  });
});

describe('a repair that is cut short', () => {
  it('after the old store was put aside, is finished by whatever comes next', async () => {
    const { site, store } = await stoppedWith(['a']);
    await change(store, laneAt(SCOPE, 'a'), (record) => flipped(record, 6));
    await repair(site.dataDir);
    await rename(store, join(site.dataDir, 'store.mended'));
    await expect(site.open()).rejects.toMatchObject({ code: 'GATEWAY_STORAGE' });
    expect(isWhole(await verifyStore(site.dataDir))).toBe(true);
    await site.open();
    await site.goOnline();
    await expect.poll(() => arrived(site, 'a')).toEqual([0, 1, 2]);
  });

  it.each(['store.mending', 'store.mended', '.store-tools-x'])(
    'with %s left behind, is run again',
    async (left) => {
      const { site, store } = await stoppedWith(['a']);
      await change(store, laneAt(SCOPE, 'a'), (record) => flipped(record, 6));
      await cp(store, join(site.dataDir, left), { recursive: true });
      expect((await repair(site.dataDir)).kind).toBe('repaired');
      expect(isWhole(await verifyStore(site.dataDir))).toBe(true);
      const names = (await readdir(site.dataDir)).filter((name) => name.includes('store'));
      expect(names.sort()).toEqual(['store', expect.stringMatching(/^store\.damaged-/)]);
    },
  );
});

describe('export', () => {
  it('waits for whoever reads it, and ends when nobody does', async () => {
    const { site } = await stoppedWith(['a', 'b']);
    await site.open();
    await site.setPending('large', 'x'.repeat(200_000));
    await site.setPending('larger', 'x'.repeat(200_000));
    await site.close();
    const given: string[] = [];
    let ahead = 0;
    const slow = new Writable({
      highWaterMark: 1,
      write: (chunk: Buffer, _, done) => {
        given.push(chunk.toString());
        ahead = Math.max(ahead, slow.writableLength);
        setImmediate(done);
      },
    });
    const { terminal } = fakeTerminal('/');
    await exportStore({ dataDir: site.dataDir }, terminal, slow);
    await new Promise<void>((ended) => slow.end(ended));
    expect(given.join('').trim().split('\n')).toHaveLength(8);
    expect(ahead).toBeLessThan(300_000); // one portion, not both large values

    const gone = new Writable({ write: (_, __, done) => done(new Error('EPIPE')) });
    await exportStore({ dataDir: site.dataDir }, terminal, gone);
    expect(await readdir(site.dataDir)).not.toContainEqual(expect.stringContaining('.store-tools'));
  });

  it('gives writes, conflicts and known values to the digit, and names what is damaged', async () => {
    const { site, store, receipts } = await stoppedWith(['a', 'b']);
    const seq = seqOf(receipts.get('a')?.[1] ?? '');
    await change(store, entryKey(seq), (record) => flipped(record, record.length - 1));
    await rm(await fileLike(store, /^CURRENT$/));
    const lines: Record<string, unknown>[] = [];
    for await (const line of exportLines(site.dataDir))
      lines.push(JSON.parse(line) as Record<string, unknown>);
    const pending = lines.filter(({ kind }) => kind === 'pending');
    expect(pending).toHaveLength(5);
    expect(pending[0]).toMatchObject({
      receipt: receipts.get('a')?.[0],
      scope: SCOPE,
      key: 'a',
      function_id: 'state::set',
      input: { scope: SCOPE, key: 'a', value: 0 },
    });
    expect(lines.filter(({ kind }) => kind === 'damaged')).toEqual([
      { kind: 'damaged', record: expect.stringContaining('the store as a whole') },
      { kind: 'damaged', record: `entry ${seq} of the log`, seq, scope: SCOPE, key: 'a' },
    ]);
  });
});
