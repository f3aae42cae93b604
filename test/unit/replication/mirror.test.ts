import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readChunk } from '../../../src/replication/mirror/chunk.js';
import { valueId } from '../../../src/replication/mirror/layout.js';
import { Mirror, type MirrorOptions } from '../../../src/replication/mirror/mirror.js';
import { ABSENT, type Known, knownValue } from '../../../src/replication/view.js';
import { DamageReport } from '../../../src/storage/damage.js';
import { Database } from '../../../src/storage/database.js';
import { GroupCommit, type WriteOp } from '../../../src/storage/group-commit.js';
import { ManualSchedule } from '../../support/manual-schedule.js';
import { silentLogger } from '../../support/silent-logger.js';
import { type TempDir, tempDir } from '../../support/temp-dir.js';

const text = (value: string): Known => ({ kind: 'value', text: value });

let folder: TempDir;
let database: Database;
let commits: GroupCommit;
let damage: DamageReport;
let timers: ManualSchedule;
let now: number;

beforeEach(async () => {
  folder = await tempDir();
  database = new Database(folder.path, silentLogger());
  await database.open();
  commits = new GroupCommit(database, { sync: 'every-write' });
  damage = new DamageReport(silentLogger());
  timers = new ManualSchedule();
  now = 1_000_000;
});
afterEach(async () => {
  await database.close();
  await folder.remove();
});

function open(options: Partial<MirrorOptions> = {}): Promise<Mirror> {
  return Mirror.open({
    database,
    commits,
    damage,
    maxBytes: 2 ** 28,
    now: () => now,
    isNeeded: () => false,
    schedule: timers.schedule,
    ...options,
  });
}

/** As a process that was killed leaves it, seen by the next one. */
const reopened = open;

function commit(batch: readonly WriteOp[]): Promise<void> {
  return commits.commit(batch);
}

async function recordsIn(space: string): Promise<number> {
  return (await database.level.keys({ gte: space, lt: `${space.slice(0, -1)}0` }).all()).length;
}

describe('Mirror: what it knows', () => {
  it('is nothing before it has learnt anything', async () => {
    expect((await open()).get('s', 'k')).toBeUndefined();
  });

  it('is a value or an absence, with the time and the epoch in which it was learnt', async () => {
    const mirror = await open();
    mirror.learn('s', 'k', text('{"a":1}'), 'epoch');
    mirror.learn('s', 'gone', ABSENT);
    expect(mirror.get('s', 'k')).toEqual({ known: text('{"a":1}'), at: now, epoch: 'epoch' });
    expect(mirror.get('s', 'gone')?.known).toEqual(ABSENT);
  });

  it('is there after a restart, without the epoch', async () => {
    const mirror = await open();
    mirror.learn('s\u0000\u0001x', 'k', text('"ü😀"'), 'epoch');
    mirror.learn('s', 'gone', ABSENT, 'epoch');
    mirror.learn('s', 'parsed', knownValue([1, 2]));
    const at = now;
    now += 50;
    await mirror.stop();
    const next = await reopened();
    expect(next.get('s\u0000\u0001x', 'k')).toEqual({ known: text('"ü😀"'), at, epoch: undefined });
    expect(next.get('s', 'gone')).toEqual({ known: ABSENT, at, epoch: undefined });
    expect(next.get('s', 'parsed')?.known).toEqual(text('[1,2]'));
  });

  it('is nothing after it was told to forget, now and after a restart', async () => {
    const mirror = await open();
    mirror.learn('s', 'k', text('1'));
    await mirror.flush();
    mirror.forget('s', 'k');
    expect(mirror.get('s', 'k')).toBeUndefined();
    await mirror.flush();
    expect(mirror.get('s', 'k')).toBeUndefined();
    expect((await reopened()).get('s', 'k')).toBeUndefined();
  });

  it('is not an answer to a question that is older than what is known', async () => {
    const mirror = await open();
    const asked = mirror.asking();
    const askedLater = mirror.asking();
    expect(mirror.learnAnswer('s', 'k', text('2'), askedLater)).toBe(true);
    expect(mirror.learnAnswer('s', 'k', text('1'), asked)).toBe(false);
    expect(mirror.get('s', 'k')?.known).toEqual(text('2'));
    const askedBeforeWrite = mirror.asking();
    mirror.learn('s', 'k', text('3'));
    expect(mirror.learnAnswer('s', 'k', text('2'), askedBeforeWrite)).toBe(false);
    expect(mirror.get('s', 'k')?.known).toEqual(text('3'));
    const askedBeforeForgetting = mirror.asking();
    mirror.forget('s', 'k');
    expect(mirror.learnAnswer('s', 'k', text('3'), askedBeforeForgetting)).toBe(false);
    expect(mirror.get('s', 'k')).toBeUndefined();
  });

  it('is not an old answer either when the newer knowledge has left the memory', async () => {
    const mirror = await open({ cacheBytes: 600 });
    const asked = mirror.asking();
    mirror.learn('s', 'k', text('"new"'));
    for (const key of ['a', 'b', 'c']) mirror.learn('s', key, text('1'));
    await mirror.flush();
    expect(mirror.learnAnswer('s', 'k', text('"old"'), asked)).toBe(false);
    expect(mirror.get('s', 'k')?.known).toEqual(text('"new"'));
  });

  it('is not what a damaged record says; that is counted, and can be learnt anew', async () => {
    const mirror = await open();
    mirror.learn('s', 'k', text('1'));
    await mirror.flush();
    const record = Buffer.from(database.read(valueId('s', 'k')) ?? expect.fail('no record'));
    record[record.length - 1] = 0x32;
    await database.level.put(valueId('s', 'k'), record);
    const next = await reopened();
    expect(next.get('s', 'k')).toBeUndefined();
    expect(damage.count).toBe(1);
    next.learn('s', 'k', text('3'));
    await next.flush();
    expect((await reopened()).get('s', 'k')?.known).toEqual(text('3'));
  });

  it('comprises all keys of a scope, on the disk or not, with the newest value of each', async () => {
    const mirror = await open();
    for (const key of ['a', 'b', 'c', 'd']) mirror.learn('s', key, text(`"old ${key}"`));
    mirror.learn('t', 'a', text('"other scope"'));
    await mirror.flush();
    mirror.learn('s', 'b', text('"new b"'));
    mirror.learn('s', 'e', text('"new e"'));
    mirror.learn('s', 'c', ABSENT);
    mirror.forget('s', 'd');
    const present = await mirror.presentIn('s');
    expect(present?.map((known) => known.kind === 'value' && known.text).sort()).toEqual([
      '"new b"',
      '"new e"',
      '"old a"',
    ]);
  });
});

describe('Mirror: writing behind', () => {
  it('waits for 200 ms, and writes the last of several values', async () => {
    const mirror = await open();
    mirror.learn('s', 'k', text('1'));
    mirror.learn('s', 'k', text('2'));
    expect(database.read(valueId('s', 'k'))).toBeUndefined();
    expect(timers.pending).toEqual([200]);
    timers.fire();
    await expect.poll(() => database.read(valueId('s', 'k'))?.toString()).toMatch(/2$/);
  });

  it('writes an unchanged value again only after half a minute; its age in memory is exact', async () => {
    const mirror = await open();
    mirror.learn('s', 'k', text('1'));
    await mirror.flush();
    const first = database.read(valueId('s', 'k'));
    now += 29_999;
    mirror.learn('s', 'k', text('1'));
    await mirror.flush();
    expect(mirror.get('s', 'k')?.at).toBe(now);
    expect(database.read(valueId('s', 'k'))).toEqual(first);
    now += 1;
    mirror.learn('s', 'k', text('1'));
    await mirror.flush();
    expect(database.read(valueId('s', 'k'))).not.toEqual(first);
    mirror.learn('s', 'k', text('2'));
    await mirror.flush();
    expect(database.read(valueId('s', 'k'))?.toString()).toMatch(/2$/);
  });

  it('puts a value into a batch of somebody else, and does not overwrite it with an older one', async () => {
    const mirror = await open();
    mirror.learn('s', 'k', text('"waiting"'));
    const batch: WriteOp[] = [];
    mirror.learnIn(batch, 's', 'k', text('"settled"'));
    expect(mirror.get('s', 'k')?.known).toEqual(text('"settled"'));
    await mirror.flush();
    await commit(batch);
    expect((await reopened()).get('s', 'k')?.known).toEqual(text('"settled"'));
  });

  it('writes what is learnt after such a batch after it', async () => {
    const mirror = await open();
    const batch: WriteOp[] = [];
    mirror.learnIn(batch, 's', 'k', text('"settled"'));
    const committed = commit(batch);
    mirror.learn('s', 'k', text('"newer"'));
    await mirror.flush();
    await committed;
    expect((await reopened()).get('s', 'k')?.known).toEqual(text('"newer"'));
  });

  it('keeps what is in such a batch in memory until it is written, however little room there is', async () => {
    const mirror = await open({ cacheBytes: 600 });
    const written: Promise<void>[] = [];
    for (const key of ['a', 'b', 'c', 'd', 'e']) {
      const batch: WriteOp[] = [];
      mirror.learnIn(batch, 's', key, text('"settled"'));
      written.push(commit(batch));
    }
    for (const key of ['a', 'b', 'c', 'd', 'e']) {
      expect(mirror.get('s', key)?.known, key).toEqual(text('"settled"'));
    }
    await Promise.all(written);
    for (const key of ['a', 'b', 'c', 'd', 'e']) {
      expect(mirror.get('s', key)?.known, key).toEqual(text('"settled"'));
    }
  });

  it('takes a value away in a batch of somebody else', async () => {
    const mirror = await open();
    mirror.learn('s', 'k', text('1'));
    await mirror.flush();
    const batch: WriteOp[] = [];
    mirror.forgetIn(batch, 's', 'k');
    expect(mirror.get('s', 'k')).toBeUndefined();
    await commit(batch);
    await mirror.stop();
    expect((await reopened()).get('s', 'k')).toBeUndefined();
  });

  it('ends with the first write that fails; reads go on, and what was forgotten stays forgotten', async () => {
    const mirror = await open({ cacheBytes: 2000 });
    mirror.learn('s', 'k', text('1'));
    mirror.learn('s', 'forgotten', text('1'));
    await mirror.flush();
    database.refuseWrites(new Error('disk full'));
    mirror.learn('s', 'k', text('2'));
    mirror.forget('s', 'forgotten');
    await mirror.flush();
    expect(mirror.get('s', 'k')?.known).toEqual(text('2'));
    for (let i = 0; i < 100; i += 1) mirror.learn('s', `k${i}`, text('1'));
    expect(mirror.get('s', 'k')?.known).toEqual(text('1')); // pushed out of the cache
    expect(mirror.get('s', 'forgotten')).toBeUndefined();
    await mirror.stop();
  });

  it('keeps what is not on the disk yet in memory, however little room there is', async () => {
    const mirror = await open({ cacheBytes: 600 });
    for (const key of ['a', 'b', 'c', 'd']) mirror.learn('s', key, text('"old"'));
    await mirror.flush();
    mirror.get('s', 'a');
    mirror.learn('s', 'a', text('"new"'));
    for (const key of ['b', 'c', 'd', 'b', 'c', 'd']) mirror.get('s', key);
    expect(mirror.get('s', 'a')?.known).toEqual(text('"new"'));
  });

  it('keeps recent entries in memory, and finds the others on the disk', async () => {
    const mirror = await open({ cacheBytes: 4000 });
    for (let i = 0; i < 200; i += 1) mirror.learn('s', `k${i}`, text(`${i}`), 'epoch');
    await mirror.flush();
    const found = Array.from({ length: 200 }, (_, i) => mirror.get('s', `k${i}`));
    expect(found.map((entry) => entry?.known)).toEqual(Array.from({ length: 200 }, (_, i) => text(`${i}`)));
    expect(found.filter((entry) => entry?.epoch === undefined).length).toBeGreaterThan(150);
  });
});

describe('Mirror: any sequence of what it may be told', () => {
  const key = fc.constantFrom('a', 'b', 'c', 'ü');
  const known = fc.option(fc.integer({ min: 0, max: 5 }), { nil: undefined });
  const step = fc.oneof(
    fc.record({ does: fc.constant('learn'), key, known }),
    fc.record({ does: fc.constant('learnIn'), key, known }),
    fc.record({ does: fc.constant('forget'), key }),
    fc.record({ does: fc.constant('forgetIn'), key }),
    fc.record({ does: fc.constant('answer'), key, known, late: fc.boolean() }),
    fc.record({ does: fc.constant('flush'), wait: fc.boolean() }),
    fc.record({ does: fc.constant('pass'), ms: fc.constantFrom(10, 600, 1500) }),
    fc.record({ does: fc.constant('restart') }),
  );
  const asKnown = (value: number | undefined): Known => (value === undefined ? ABSENT : text(`${value}`));

  it('is what it knows afterwards, in memory and on the disk, whatever is on its way to it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        await database.level.clear();
        let mirror = await open({ cacheBytes: 600 });
        const model = new Map<string, Known>();
        const batches: Promise<void>[] = [];
        const early = mirror.asking();
        let isFirstRun = true;
        for (const { does, ...given } of steps) {
          const { key: name = '', known: value, late, wait, ms = 0 } = given as Partial<Given>;
          const batch: WriteOp[] = [];
          if (does === 'learn') mirror.learn('s', name, asKnown(value));
          if (does === 'learnIn') mirror.learnIn(batch, 's', name, asKnown(value));
          if (does === 'learn' || does === 'learnIn') model.set(name, asKnown(value));
          if (does === 'forget') mirror.forget('s', name);
          if (does === 'forgetIn') mirror.forgetIn(batch, 's', name);
          if (does === 'forget' || does === 'forgetIn') model.delete(name);
          if (does === 'answer') {
            const asked = late && isFirstRun ? early : mirror.asking();
            if (mirror.learnAnswer('s', name, asKnown(value), asked)) model.set(name, asKnown(value));
          }
          if (batch.length > 0) batches.push(commit(batch));
          if (does === 'flush') await (wait ? mirror.flush() : void mirror.flush());
          if (does === 'pass') {
            await Promise.all(batches);
            now += ms;
          }
          if (does === 'restart') {
            await Promise.all(batches);
            await mirror.stop();
            mirror = await open({ cacheBytes: 600 });
            isFirstRun = false;
          }
          for (const each of ['a', 'b', 'c', 'ü'])
            expect(mirror.get('s', each)?.known).toEqual(model.get(each));
        }
        await Promise.all(batches);
        await mirror.stop();
        const next = await reopened();
        for (const each of ['a', 'b', 'c', 'ü']) expect(next.get('s', each)?.known).toEqual(model.get(each));
        const present = [...model.values()].filter(({ kind }) => kind === 'value').length;
        expect(await next.presentIn('s')).toHaveLength(present);
        await next.stop();
      }),
      { numRuns: 150 },
    );
  });
});

interface Given {
  key: string;
  known: number | undefined;
  late: boolean;
  wait: boolean;
  ms: number;
}

describe('Mirror: its bounds', () => {
  const value = text(JSON.stringify('x'.repeat(500)));

  async function fill(mirror: Mirror, from: number, to: number): Promise<void> {
    for (let i = from; i < to; i += 1) {
      now += 1;
      mirror.learn('s', `k${String(i).padStart(5, '0')}`, value);
    }
    await mirror.flush();
  }

  it('counts exactly what lies on the disk, and finds the count again after a stop and after a crash', async () => {
    const mirror = await open();
    await fill(mirror, 0, 1500);
    await fill(mirror, 0, 700); // overwriting adds nothing
    mirror.scopes.learnGroups(mirror.scopes.beginGroups(), '{"groups":["s"]}');
    mirror.scopes.learnList(mirror.scopes.beginList('s'), '[1]');
    mirror.scopes.changed('s', text('1'), text('2'));
    const batch: WriteOp[] = [];
    mirror.learnIn(batch, 's', 'k00001', text('1'));
    mirror.learnIn(batch, 's', 'new', text('1'));
    mirror.forgetIn(batch, 's', 'k00002');
    await commit(batch);
    mirror.forget('s', 'k00003');
    await mirror.flush();
    let bytes = 0;
    for await (const [id, record] of database.level.iterator({ gte: 'mirror/', lt: 'mirror0' })) {
      if (id !== 'mirror/size') bytes += Buffer.byteLength(id) + record.length;
    }
    expect(mirror.bytes).toBe(bytes);
    const afterCrash = await reopened();
    await expect.poll(() => afterCrash.bytes).toBe(bytes);
    await mirror.stop();
    expect((await reopened()).bytes).toBe(bytes);
  });

  it('evicts older values when there is too much, and keeps newer ones', async () => {
    const mirror = await open({ maxBytes: 1_000_000, cacheBytes: 100_000 });
    await fill(mirror, 0, 2500);
    await expect.poll(() => mirror.bytes, { timeout: 5000 }).toBeLessThanOrEqual(900_000);
    expect(mirror.evicted).toBeGreaterThan(500);
    await expect
      .poll(async () => (await recordsIn('mirror/value/')) + mirror.evicted, { timeout: 5000 })
      .toBe(2500);
    expect(mirror.get('s', 'k00000')).toBeUndefined();
    expect(mirror.get('s', 'k02499')?.known).toEqual(value);
    expect((await reopened()).get('s', 'k00000')).toBeUndefined();
  });

  it('evicts no key, and no list, that pending writes need, and rests when there is nothing else', async () => {
    const needed = new Set<string | undefined>([undefined]);
    const mirror = await open({
      maxBytes: 300_000,
      cacheBytes: 100_000,
      isNeeded: (_, key) => needed.has(key) || (key ?? '').startsWith('k'),
    });
    const question = mirror.scopes.beginList('s');
    mirror.scopes.learnList(question, '[1]');
    const chunks = vi.spyOn(database.level, 'iterator');
    await fill(mirror, 0, 1500);
    await expect.poll(() => chunks.mock.calls.length).toBeGreaterThanOrEqual(4);
    const swept = chunks.mock.calls.length;
    for (let i = 0; i < 20; i += 1) await readChunk(database); // a sweep that goes on would do as many
    expect(chunks.mock.calls.length - swept - 20).toBeLessThan(5);
    expect(mirror.bytes).toBeGreaterThan(300_000);
    expect(mirror.evicted).toBe(0);
    mirror.learn('s', 'other', value);
    for (let i = 0; i < 30; i += 1) mirror.learn('t', `other${i}`, value);
    await mirror.flush();
    await expect.poll(() => mirror.evicted, { timeout: 5000 }).toBeGreaterThan(0);
    expect(mirror.get('s', 'k00000')?.known).toEqual(value);
    expect(mirror.scopes.listOf('s')?.text).toBe('[1]');
  });

  it('evicts a list with all its changes', async () => {
    const mirror = await open({ maxBytes: 300_000, cacheBytes: 100_000 });
    mirror.scopes.learnList(mirror.scopes.beginList('s'), '[1]');
    mirror.scopes.changed('s', text('1'), text('2'));
    await mirror.flush();
    expect(await recordsIn('mirror/list/')).toBe(2);
    await fill(mirror, 0, 1500);
    await expect.poll(() => mirror.bytes, { timeout: 5000 }).toBeLessThanOrEqual(270_000);
    await mirror.flush();
    expect(mirror.scopes.hasSnapshot('s')).toBe(false);
    expect(await recordsIn('mirror/list/')).toBe(0);
  });
});
