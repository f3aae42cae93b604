import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Payload } from '../../../src/protocol/payload.js';
import { LoggedWrite, QUARANTINE, seqKey } from '../../../src/replication/log/layout.js';
import { Quarantine } from '../../../src/replication/log/quarantine.js';
import { DamageReport } from '../../../src/storage/damage.js';
import { Database } from '../../../src/storage/database.js';
import { silentLogger } from '../../support/silent-logger.js';
import { type TempDir, tempDir } from '../../support/temp-dir.js';

let folder: TempDir;
let database: Database;
let damage: DamageReport;
let quarantine: Quarantine;

beforeEach(async () => {
  folder = await tempDir();
  database = new Database(folder.path, silentLogger());
  await database.open();
  damage = new DamageReport(silentLogger());
  quarantine = new Quarantine(database, (seq) => `g-${seq}`, damage);
  for (const seq of [1, 2, 3, 4]) await database.level.batch([quarantine.add(entryOf(seq), WHY)]);
});

afterEach(async () => {
  await database.close();
  await folder.remove();
});

const WHY = { reason: 'refused', settledAt: 2000 } as const;

function entryOf(seq: number) {
  const key = `k${seq}`;
  const input = { functionId: 'state::set', scope: 's', key, value: seq } as const;
  const write = LoggedWrite.of({ input, payload: Payload.of({ scope: 's', key, value: seq }) });
  return { seq, acceptedAt: 1000, write, inScopeOrder: false, sent: false, isAlone: false, bytes: 0 };
}

const seqs = (writes: { seq: number }[]) => writes.map(({ seq }) => seq);

describe('a damaged record in quarantine', () => {
  beforeEach(() => database.level.put(seqKey(QUARANTINE, 2), Buffer.from('damaged')));

  it('cuts no page short, and is counted as damage', async () => {
    expect(seqs(await quarantine.list(0, 2))).toEqual([1, 3]);
    expect(seqs(await quarantine.list(3, 2))).toEqual([4]);
    expect(damage.count).toBe(1);
  });

  it('is missing from what is exported, and the others are not', async () => {
    const found: number[] = [];
    for await (const { seq, input } of quarantine.inputs(0)) {
      expect(JSON.parse(input)).toMatchObject({ value: seq });
      found.push(seq);
    }
    expect(found).toEqual([1, 3, 4]);
  });
});
