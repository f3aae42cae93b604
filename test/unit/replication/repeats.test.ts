import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Repeats } from '../../../src/replication/log/repeats.js';
import { DamageReport } from '../../../src/storage/damage.js';
import { Database } from '../../../src/storage/database.js';
import { GroupCommit } from '../../../src/storage/group-commit.js';
import { silentLogger } from '../../support/silent-logger.js';
import { type TempDir, tempDir } from '../../support/temp-dir.js';

const CALL = { fingerprint: 'f', seq: 1, first: { isBlind: false } };

let folder: TempDir;
let database: Database;
let commits: GroupCommit;
let damage: DamageReport;
let repeats: Repeats;

beforeEach(async () => {
  folder = await tempDir();
  database = new Database(folder.path, silentLogger());
  await database.open();
  commits = new GroupCommit(database, { sync: 'every-write' });
  damage = new DamageReport(silentLogger());
  repeats = new Repeats(database, damage);
  await repeats.load();
  await commits.commit([repeats.begin('key:a', CALL)]);
});

afterEach(async () => {
  await commits.close();
  await database.close();
  await folder.remove();
});

describe('a named call whose record is damaged', () => {
  beforeEach(() => database.level.put('repeat/id/key:a', Buffer.from('?')));

  it('is refused, for nobody knows whether it was done', () => {
    expect(() => repeats.find('key:a')).toThrow(expect.objectContaining({ code: 'GATEWAY_STORAGE' }));
    expect(damage.count).toBe(1);
  });

  it('does not keep its write in the log, and is refused from then on too', async () => {
    await commits.commit(
      repeats.finish('key:a', { kind: 'given-up', error: { code: 'FORBIDDEN', message: 'no' } }),
    );
    expect(() => repeats.find('key:a')).toThrow(expect.objectContaining({ code: 'GATEWAY_STORAGE' }));
  });
});
