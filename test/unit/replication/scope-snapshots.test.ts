import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Mirror } from '../../../src/replication/mirror/mirror.js';
import type { ScopeSnapshots } from '../../../src/replication/mirror/scope-snapshots.js';
import { ABSENT, type Known } from '../../../src/replication/view.js';
import { DamageReport } from '../../../src/storage/damage.js';
import { Database } from '../../../src/storage/database.js';
import { GroupCommit } from '../../../src/storage/group-commit.js';
import { silentLogger } from '../../support/silent-logger.js';
import { type TempDir, tempDir } from '../../support/temp-dir.js';

const text = (value: string): Known => ({ kind: 'value', text: value });

let folder: TempDir;
let database: Database;
let mirror: Mirror;
let scopes: ScopeSnapshots;
let now: number;

beforeEach(async () => {
  folder = await tempDir();
  database = new Database(folder.path, silentLogger());
  await database.open();
  now = 1_000_000;
  await open();
});
afterEach(async () => {
  await mirror.stop();
  await database.close();
  await folder.remove();
});

async function open(): Promise<void> {
  const damage = new DamageReport(silentLogger());
  mirror = await Mirror.open({
    database,
    commits: new GroupCommit(database, { sync: 'every-write' }),
    damage,
    maxBytes: 2 ** 28,
    now: () => now,
    isNeeded: () => false,
  });
  scopes = mirror.scopes;
}

async function restart(): Promise<void> {
  await mirror.stop();
  await open();
}

const learn = (list: string): boolean => scopes.learnList(scopes.beginList('s'), list);

describe('ScopeSnapshots: a list that is kept', () => {
  it('is given out as it came, with its time, now and after a restart', async () => {
    const at = now;
    expect(learn('[1, 1.0, {"b":1,"a":2}]')).toBe(true);
    now += 100;
    expect(scopes.listOf('s')).toEqual({ text: '[1, 1.0, {"b":1,"a":2}]', at });
    await restart();
    expect(scopes.hasSnapshot('s')).toBe(true);
    expect(scopes.listOf('s')).toEqual({ text: '[1, 1.0, {"b":1,"a":2}]', at });
    expect(scopes.listOf('other')).toBeUndefined();
  });

  it('shows the changes since, also after a restart', async () => {
    learn('[1,2.0,"x"]');
    scopes.changed('s', text('2'), text('2.5'));
    scopes.changed('s', ABSENT, text('null'));
    scopes.changed('s', text('"x"'), ABSENT);
    scopes.changed('s', ABSENT, ABSENT);
    expect(scopes.listOf('s')?.text).toBe('[1,2.5,null]');
    await restart();
    expect(scopes.listOf('s')?.text).toBe('[1,2.5,null]');
    scopes.changed('s', text('null'), text('[]'));
    expect(scopes.listOf('s')?.text).toBe('[1,2.5,[]]');
  });

  it('is replaced by the next list, with its changes', async () => {
    learn('[1]');
    scopes.changed('s', ABSENT, text('2'));
    await mirror.flush();
    learn('[3]');
    expect(scopes.listOf('s')?.text).toBe('[3]');
    await restart();
    expect(scopes.listOf('s')?.text).toBe('[3]');
  });

  it.each<[string, () => void]>([
    ['does not fit', () => scopes.changed('s', text('7'), text('8'))],
    ['came from a value that we do not know', () => scopes.changed('s', undefined, text('8'))],
  ])('is dropped when a change %s', async (_, change) => {
    learn('[1]');
    change();
    expect(scopes.listOf('s')).toBeUndefined();
    expect(scopes.hasSnapshot('s')).toBe(false);
    await restart();
    expect(scopes.hasSnapshot('s')).toBe(false);
  });

  it('is dropped when there are too many changes, or too large ones', () => {
    learn('[]');
    for (let i = 0; i < 1000; i += 1) scopes.changed('s', ABSENT, text('1'));
    expect(JSON.parse(scopes.listOf('s')?.text ?? '')).toHaveLength(1000);
    scopes.changed('s', ABSENT, text('1'));
    expect(scopes.hasSnapshot('s')).toBe(false);
    learn('[]');
    scopes.changed('s', ABSENT, text(JSON.stringify('x'.repeat(2 ** 20))));
    expect(scopes.hasSnapshot('s')).toBe(false);
  });

  it('does not fill up with writes that change nothing', () => {
    learn('[1]');
    for (let i = 0; i < 1001; i += 1) scopes.changed('s', text('1'), text('1'));
    expect(scopes.listOf('s')?.text).toBe('[1]');
  });

  it('is not one of more than 4 MiB, which takes the older one with it', () => {
    learn('[1]');
    expect(learn(JSON.stringify(['x'.repeat(4 * 2 ** 20)]))).toBe(false);
    expect(scopes.hasSnapshot('s')).toBe(false);
  });
});

describe('ScopeSnapshots: a list that was crossed', () => {
  it.each<[string, () => void]>([
    ['a write that started', () => scopes.writeStarted('s')],
    ['a write that ended', () => scopes.writeEnded('s')],
    ['an event', () => scopes.changedElsewhere('s', text('1'), text('2'))],
  ])('by %s is not kept', (_, cross) => {
    scopes.writeStarted('s');
    scopes.writeEnded('s');
    const question = scopes.beginList('s');
    cross();
    expect(scopes.learnList(question, '[1]')).toBe(false);
    expect(scopes.hasSnapshot('s')).toBe(false);
  });

  it('by a write that was under way all the time is not kept', () => {
    scopes.writeStarted('s');
    scopes.writeStarted('s');
    scopes.writeEnded('s');
    expect(learn('[1]')).toBe(false);
    scopes.writeEnded('s');
    expect(learn('[1]')).toBe(true);
  });

  it('by a write to another scope is kept, and so is one asked for after the write', () => {
    const question = scopes.beginList('s');
    scopes.writeStarted('t');
    expect(scopes.learnList(question, '[1]')).toBe(true);
  });

  it('by an event soon afterwards is dropped, for it may be in the list already', () => {
    learn('[1]');
    now += 1999;
    scopes.changedElsewhere('s', text('1'), text('2'));
    expect(scopes.hasSnapshot('s')).toBe(false);
    learn('[1]');
    now += 2000;
    scopes.changedElsewhere('s', text('1'), text('2'));
    expect(scopes.listOf('s')?.text).toBe('[2]');
  });
});

describe('ScopeSnapshots: the names of all scopes', () => {
  const names = () => [...(scopes.allScopes()?.scopes ?? [])].sort();

  it('are unknown until the remote has told them; then they grow with what we write', async () => {
    mirror.learn('early', 'k', text('1'));
    expect(scopes.allScopes()).toBeUndefined();
    scopes.learnGroups(scopes.beginGroups(), '{"groups":["a","b"]}');
    mirror.learn('c', 'k', text('1'));
    mirror.learn('absent', 'k', ABSENT);
    mirror.learn('a', 'k', ABSENT);
    expect(names()).toEqual(['a', 'b', 'c']);
    await restart();
    expect(names()).toEqual(['a', 'b', 'c']);
  });

  it('comprise a scope that came into being while the remote was asked', () => {
    const question = scopes.beginGroups();
    mirror.learn('new', 'k', text('1'));
    scopes.learnGroups(question, '{"groups":["a"]}');
    expect(names()).toEqual(['a', 'new']);
    scopes.learnGroups(scopes.beginGroups(), '{"groups":["a"]}');
    expect(names()).toEqual(['a']);
  });
});
