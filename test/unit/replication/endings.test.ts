import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Payload } from '../../../src/protocol/payload.js';
import { Conflicts } from '../../../src/replication/log/conflicts.js';
import { Lanes } from '../../../src/replication/log/lanes.js';
import { Quarantine } from '../../../src/replication/log/quarantine.js';
import { Receipts } from '../../../src/replication/log/receipts.js';
import { Repeats } from '../../../src/replication/log/repeats.js';
import { WriteAheadLog } from '../../../src/replication/log/write-ahead-log.js';
import { AwaitedWrites } from '../../../src/replication/replay/awaited.js';
import { Endings } from '../../../src/replication/replay/endings.js';
import { knownValue } from '../../../src/replication/view.js';
import { Database } from '../../../src/storage/database.js';
import { silentLogger } from '../../support/silent-logger.js';
import { type TempDir, tempDir } from '../../support/temp-dir.js';

let folder: TempDir;
let database: Database;
let log: WriteAheadLog;
let lanes: Lanes;
let endings: Endings;
let receipts: Receipts;

beforeEach(async () => {
  folder = await tempDir();
  database = new Database(folder.path, silentLogger());
  await database.open();
  log = new WriteAheadLog(database, silentLogger());
  lanes = new Lanes(log, () => false);
  receipts = new Receipts(database, 'g');
  log.writeAlong(() => receipts.closing());
  const known = { learnIn: () => {}, forgetIn: () => {}, peek: () => ({ kind: 'absent' }) as const };
  const quarantine = new Quarantine(database, (seq) => receipts.nameOf(seq), log.damage);
  endings = new Endings(
    log,
    known,
    receipts,
    quarantine,
    new Conflicts(
      database,
      (seq) => receipts.nameOf(seq),
      () => 5000,
    ),
    new Repeats(database, log.damage),
    new AwaitedWrites({ schedule: () => () => {} }),
    { wants: () => false, confirmedIn: () => {}, outcomeUnknown: () => {} },
    () => false,
    () => 5000,
    silentLogger(),
  );
});

afterEach(async () => {
  await log.close();
  await database.close();
  await folder.remove();
});

async function logged(key: string) {
  const lane = lanes.open('s', key);
  const { entry, durable } = log.append(lane, {
    write: {
      input: { functionId: 'state::set', scope: 's', key, value: 1 },
      payload: Payload.of({ scope: 's', key, value: 1 }),
    },
    acceptedAt: 1000,
    sent: false,
  });
  await durable;
  return { lane, entry };
}

describe('a write that leaves the log', () => {
  it('is told to whoever waits, also to one who came while it was on its way out', async () => {
    const [first, second] = [await logged('a'), await logged('b')];
    const told: number[] = [];
    endings.whenSettled(first.entry.seq, () => told.push(first.entry.seq));
    const leaving = [first, second].map(({ lane, entry }) => endings.commit(lane, entry, knownValue(1)));
    endings.whenSettled(second.entry.seq, () => told.push(second.entry.seq));
    expect(told).toEqual([]); // it is not settled before that is on the disk
    await Promise.all(leaving);
    expect(told).toEqual([first.entry.seq, second.entry.seq]);
  });

  it('leaves its receipt, which is found in the pack of its group, after a restart too', async () => {
    const writes = [await logged('a'), await logged('b'), await logged('c')];
    await Promise.all(writes.map(({ lane, entry }) => endings.commit(lane, entry, knownValue(1))));
    const again = new Receipts(database, 'g');
    await again.load();
    for (const { entry } of writes) {
      expect(again.find(entry.seq)).toEqual({
        receipt: `g-${entry.seq}`,
        status: 'committed',
        scope: 's',
        key: entry.write.key,
        function_id: 'state::set',
        accepted_at: '1970-01-01T00:00:01.000Z',
        settled_at: '1970-01-01T00:00:05.000Z',
      });
    }
    expect(again.find(99)).toBeUndefined();
  });

  it('counts where it went, and the sum stays what was accepted', async () => {
    const [a, b, c] = [await logged('a'), await logged('b'), await logged('c')];
    await endings.lose(a.lane, a.entry, knownValue(2));
    await endings.setAside(b.lane, b.entry, 'refused', { code: 'E', message: 'm' });
    await endings.supersede(c.lane, c.entry);
    expect(log.book).toMatchObject({
      accepted: 3,
      entries: 0,
      ended: { committed: 0, conflicted: 1, superseded: 1 },
      quarantined: { refused: 1 },
    });
  });
});
