import { describe, expect, it } from 'vitest';
import { Lanes } from '../../../src/replication/log/lanes.js';

const nothing = { laneRecord: () => undefined, laneRecordOf: () => undefined, scopeLanes: 0 };
const byKey = () => false;

describe('the lanes in memory', () => {
  it('are one for each key, as long as something is under way in it', () => {
    const lanes = new Lanes(nothing, byKey);
    const lane = lanes.open('s', 'k');
    lane.turn = 'online';
    lanes.release(lane);
    expect(lanes.open('s', 'k')).toBe(lane);
    expect(lanes.open('s', 'other')).not.toBe(lane);
  });

  it('are not let go by somebody who still holds one that was begun anew since', () => {
    const lanes = new Lanes(nothing, byKey);
    const old = lanes.open('s', 'k');
    lanes.release(old);
    const lane = lanes.open('s', 'k');
    lane.appending = 1;
    lanes.release(old);
    expect(lanes.open('s', 'k')).toBe(lane);
  });

  it('rest with what is logged in them, the longest unused making room', () => {
    const lanes = new Lanes(nothing, byKey);
    const record = {
      count: 1,
      head: 1,
      last: 1,
      fenceFirst: false,
      heldBy: 0,
      losesUpTo: 0,
      parks: false,
      floor: 0,
    };
    const lane = lanes.open('s', 'k');
    lane.record = record;
    lanes.release(lane);
    expect([...lanes.underWay()]).toEqual([]);
    expect(lanes.isBusy('s', 'k')).toBe(true);
    expect(lanes.open('s', 'k')).toBe(lane);
    lanes.release(lane);
    for (let n = 0; n < 5000; n += 1) {
      const other = lanes.open('s', `k${n}`);
      other.record = record;
      lanes.release(other);
    }
    expect(lanes.isBusy('s', 'k4999')).toBe(true);
    expect(lanes.isBusy('s', 'k')).toBe(false); // the log would tell
  });
});
