import { describe, expect, it } from 'vitest';
import { Payload } from '../../../src/protocol/payload.js';
import { Lanes } from '../../../src/replication/log/lanes.js';
import { WriteAheadLog } from '../../../src/replication/log/write-ahead-log.js';
import { Database } from '../../../src/storage/database.js';
import { stopsAfterEach } from '../../support/running.js';
import { silentLogger } from '../../support/silent-logger.js';
import { tempDir } from '../../support/temp-dir.js';

const stopAfter = stopsAfterEach();
async function begin() {
  const dir = await tempDir();
  stopAfter({ stop: dir.remove });
  const database = new Database(`${dir.path}/store`, silentLogger());
  await database.open();
  stopAfter({ stop: () => database.close() });
  const log = new WriteAheadLog(database, silentLogger());
  return { database, log };
}
const entryOf = (key: string, value: number) => ({
  write: {
    input: { functionId: 'state::set' as const, scope: 's', key, value },
    payload: Payload.of({ scope: 's', key, value }),
  },
  acceptedAt: 1000,
  sent: false,
});

describe('a scope whose order option was taken back', () => {
  it('keeps a key in one lane while its batches are on their way', async () => {
    const { log } = await begin();
    let ordered = true;
    const lanes = new Lanes(log, () => ordered);
    await log.append(lanes.open('other', 'k'), { ...entryOf('k', 0), scope: 'other' } as never).durable; // a lane of another scope
    const lane = lanes.open('s', 'k');
    const { entry, durable } = log.append(lane, entryOf('k', 1));
    await durable;
    ordered = false; // after a restart
    lane.turn = 'logged';
    const left = log.end({ lane, entry, together: [] }, 'committed');
    const same = lanes.open('s', 'k'); // the disk still has the scope's lane
    expect(same).toBe(lane);
    await Promise.resolve().then(() => undefined); // the group of the departure is sealed
    const second = log.append(same, entryOf('k', 2));
    await left; // the lane's record is gone from the disk, and comes again with the next group
    expect(lanes.open('s', 'k')).toBe(lane);
    await second.durable;
  });
});
