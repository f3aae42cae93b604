import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RepeatBounds } from '../../../src/operations/repeats.js';
import { DamageReport } from '../../../src/storage/damage.js';
import { Database } from '../../../src/storage/database.js';
import { GroupCommit } from '../../../src/storage/group-commit.js';
import { NamedRecords } from '../../../src/storage/named-records.js';
import { silentLogger } from '../../support/silent-logger.js';
import { type TempDir, tempDir } from '../../support/temp-dir.js';

type Answer = { text: string };

const MIB = 1024 * 1024;
const BOUNDS: RepeatBounds = { calls: 3, bytes: MIB };

let temp: TempDir;
let database: Database;
let commits: GroupCommit;
let damage: DamageReport;
let records: NamedRecords<Answer>;

beforeEach(async () => {
  temp = await tempDir();
  database = new Database(temp.path, silentLogger());
  damage = new DamageReport(silentLogger());
  await start();
});

afterEach(async () => {
  await database.close();
  await temp.remove();
});

async function start(bounds = BOUNDS): Promise<void> {
  await database.open();
  commits = new GroupCommit(database, { sync: 'every-write' });
  records = new NamedRecords(database, damage, bounds);
  await records.load();
}

async function restart(bounds = BOUNDS): Promise<void> {
  await commits.close();
  await database.close();
  await start(bounds);
}

const finish = (name: string, text = name) => commits.commit(records.finish(name, { text }));
const isKept = (name: string) => records.find(name) !== undefined;
const keptOf = (names: string[]) => names.filter(isKept);
const keys = () => database.level.keys({ gte: 'repeat/', lt: 'repeat0' }).all();
const notes = async () => (await keys()).filter((key) => key.startsWith('repeat/finished/'));
const tear = (key: string) => database.level.put(key, Buffer.from('?'));

async function finishAll(names: string[], text?: string): Promise<void> {
  for (const name of names) await finish(name, text);
}

describe('records under names', () => {
  it('are found as they were put, whatever their names', async () => {
    for (const name of ['key:a', 'key:ü/ ~', 'receipt:edge-1', 'receipt:ü/x-1', 'receipt:😀']) {
      await finish(name, `of ${name}`);
      expect(records.find(name)).toEqual({ text: `of ${name}` });
    }
    expect(records.find('key:other')).toBeUndefined();
  });

  it('are bounded in number, the oldest going first and leaving nothing', async () => {
    await finishAll(['key:a', 'key:b', 'key:c', 'key:d', 'key:e']);
    expect(keptOf(['key:a', 'key:b', 'key:c', 'key:d', 'key:e'])).toEqual(['key:c', 'key:d', 'key:e']);
    expect(await keys()).toHaveLength(2 * BOUNDS.calls);
  });

  it('are bounded in bytes', async () => {
    await finishAll(['key:a', 'key:b'], 'x'.repeat(0.4 * MIB));
    await finish('key:c', 'x'.repeat(0.3 * MIB));
    expect(keptOf(['key:a', 'key:b', 'key:c'])).toEqual(['key:b', 'key:c']);
    await finish('key:d', 'x'.repeat(0.2 * MIB));
    expect(keptOf(['key:b', 'key:c', 'key:d'])).toEqual(['key:b', 'key:c', 'key:d']);
  });

  it('are kept while they are the newest, however large', async () => {
    await finishAll(['key:a', 'key:b']);
    await finish('key:large', 'x'.repeat(2 * MIB));
    expect(keptOf(['key:a', 'key:b', 'key:large'])).toEqual(['key:large']);
    await finish('key:c');
    expect(keptOf(['key:large', 'key:c'])).toEqual(['key:c']);
  });

  it('make room for those of their own family only', async () => {
    const others = ['key:a', 'receipt:edge-1', 'receipt:edge-b-1', 'receipt:edge!-1'];
    await finishAll(others);
    await finishAll(['receipt:hub-1', 'receipt:hub-2', 'receipt:hub-3', 'receipt:hub-4']);
    expect(keptOf(others)).toEqual(others);
    expect(isKept('receipt:hub-1')).toBe(false);
  });

  it('stay for as long as they are not finished', async () => {
    await commits.commit([records.put('key:under way', { text: 'first' })]);
    await finishAll(['key:a', 'key:b', 'key:c', 'key:d'], 'x'.repeat(0.4 * MIB));
    expect(records.find('key:under way')).toEqual({ text: 'first' });
    await finish('key:under way', 'answer');
    expect(records.find('key:under way')).toEqual({ text: 'answer' });
  });

  it('finished together make room once they are on the disk', async () => {
    const names = Array.from({ length: 20 }, (_, n) => `key:${n}`);
    await Promise.all(names.map((name) => finish(name)));
    await finish('key:last');
    expect(keptOf([...names, 'key:last'])).toEqual(['key:18', 'key:19', 'key:last']);
    expect(await keys()).toHaveLength(2 * BOUNDS.calls);
  });

  it('are not dropped for an older call of the same name', async () => {
    await finishAll(['key:a', 'key:b', 'key:c']);
    await database.level.del('repeat/id/key:a'); // lost: so the call is made again
    await finish('key:a', 'again');
    expect(records.find('key:a')).toEqual({ text: 'again' });
  });

  it('whose receipts are of no gateway share a family, and so do those beyond the most families', async () => {
    for (const receipt of ['aa', 'bb', 'cc', 'dd']) await finish(`receipt:${receipt}`);
    expect(await notes()).toHaveLength(BOUNDS.calls);
    const crowd = Array.from({ length: 10_010 }, (_, n) => `receipt:edge${n}-1`);
    await Promise.all(crowd.map((name) => finish(name)));
    const families = (await notes()).map((key) => key.split('/')[2]);
    expect(new Set(families).size).toBe(10_000);
    expect(isKept('receipt:edge0-1')).toBe(true);
  });
});

describe('records after a restart', () => {
  it('go on in their order, with their bytes, each family for itself', async () => {
    await finishAll(['key:a', 'key:b'], 'x'.repeat(0.4 * MIB));
    await finishAll(['receipt:edge-1', 'receipt:edge-2', 'receipt:edge-3', 'receipt:edge-b-1']);
    await restart();
    await finish('key:c', 'x'.repeat(0.4 * MIB));
    expect(keptOf(['key:a', 'key:b', 'key:c'])).toEqual(['key:b', 'key:c']);
    await finish('receipt:edge-4');
    expect(keptOf(['receipt:edge-1', 'receipt:edge-2', 'receipt:edge-b-1'])).toEqual([
      'receipt:edge-2',
      'receipt:edge-b-1',
    ]);
    await restart();
    await finish('key:d');
    expect(keptOf(['key:b', 'key:c', 'key:d'])).toEqual(['key:b', 'key:c', 'key:d']);
  });

  it('make room for smaller bounds', async () => {
    await finishAll(['key:a', 'key:b', 'key:c']);
    await restart({ calls: 2, bytes: MIB });
    await finish('key:d');
    expect(keptOf(['key:a', 'key:b', 'key:c', 'key:d'])).toEqual(['key:c', 'key:d']);
  });
});

describe('a damaged record', () => {
  const damaged = expect.objectContaining({ code: 'GATEWAY_STORAGE' });

  it('is not taken for one that was never there, and makes room in its turn', async () => {
    await finishAll(['key:a', 'key:b', 'key:c']);
    await tear('repeat/id/key:a');
    expect(() => records.find('key:a')).toThrow(damaged);
    expect(damage.count).toBe(1);
    await finish('key:d');
    expect(records.find('key:a')).toBeUndefined();
  });

  it('of the order, the newest, does not count; those before it tell where the family stands', async () => {
    await finishAll(['key:a', 'key:b', 'key:c']);
    await tear((await notes()).at(-1) as string);
    await restart();
    expect(damage.count).toBe(1);
    await finishAll(['key:d', 'key:e']);
    expect(keptOf(['key:a', 'key:b', 'key:c', 'key:d', 'key:e'])).toEqual([
      'key:b',
      'key:c',
      'key:d',
      'key:e',
    ]);
    expect(await notes()).toHaveLength(BOUNDS.calls);
  });

  it('of the order, the newest, gives its place to one that is kept, however large', async () => {
    await finishAll(['key:a', 'key:b']);
    await tear((await notes()).at(-1) as string);
    await restart();
    await finish('key:large', 'x'.repeat(2 * MIB));
    expect(isKept('key:large')).toBe(true);
    await finish('key:c');
    expect(keptOf(['key:large', 'key:c'])).toEqual(['key:c']);
    expect(await notes()).toHaveLength(1);
  });

  it.each(['damaged', 'missing'])('of the order, %s, does not keep others from making room', async (how) => {
    await finishAll(['key:a', 'key:b', 'key:c']);
    const [oldest = ''] = await notes();
    if (how === 'damaged') await tear(oldest);
    else await database.level.del(oldest);
    await restart();
    await finishAll(['key:d', 'key:e']);
    expect(keptOf(['key:b', 'key:c', 'key:d', 'key:e'])).toEqual(['key:c', 'key:d', 'key:e']);
    expect(await notes()).toHaveLength(BOUNDS.calls);
  });
});
