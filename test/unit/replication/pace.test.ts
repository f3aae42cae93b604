import { describe, expect, it } from 'vitest';
import { Pace } from '../../../src/replication/replay/pace.js';

const options = { window: 8, linkWindow: 10, share: 0.5, ratePerS: 0 };

describe('the pace of the replay', () => {
  it('fills its window while nobody else uses the link', () => {
    const pace = new Pace(options, 0);
    expect(pace.mayTake(0, 7, 0)).toBe(true);
    expect(pace.mayTake(0, 8, 0)).toBe(false);
  });

  it('refills a full window half at a time, or after two milliseconds', () => {
    const pace = new Pace({ ...options, window: 100 }, 0);
    expect(pace.mayTake(0, 100, 0)).toBe(false);
    expect(pace.waitMs(0)).toBe(0); // it takes an answer
    expect(pace.mayTake(0, 99, 0)).toBe(false);
    expect(pace.waitMs(0)).toBe(2);
    expect(pace.mayTake(0, 51, 0)).toBe(false);
    expect(pace.mayTake(0, 50, 0)).toBe(true);
    expect(pace.mayTake(0, 99, 0)).toBe(true);
    expect(pace.mayTake(1, 100, 0)).toBe(false);
    expect(pace.mayTake(3, 99, 0)).toBe(true);
  });

  it('takes its share of the link beside fresh calls, and one at least', () => {
    const pace = new Pace(options, 0);
    expect(pace.mayTake(0, 4, 1)).toBe(true);
    expect(pace.mayTake(0, 5, 1)).toBe(false);
    expect(new Pace({ ...options, share: 0.01 }, 0).mayTake(0, 0, 1)).toBe(true);
  });

  it('keeps to the cap, and says how long it holds', () => {
    const pace = new Pace({ ...options, ratePerS: 2 }, 0);
    for (let taken = 0; taken < 2; taken += 1) {
      expect(pace.mayTake(0, 0, 0)).toBe(true);
      pace.took();
    }
    expect(pace.mayTake(0, 0, 0)).toBe(false);
    expect(pace.waitMs(0)).toBe(500);
    expect(pace.mayTake(499, 0, 0)).toBe(false);
    expect(pace.mayTake(500, 0, 0)).toBe(true);
  });

  it('does not save up for more than a second, and survives a clock that jumps back', () => {
    const pace = new Pace({ ...options, ratePerS: 2 }, 0);
    expect(pace.mayTake(60_000, 0, 0)).toBe(true);
    pace.took();
    pace.took();
    expect(pace.mayTake(60_000, 0, 0)).toBe(false);
    expect(pace.mayTake(1000, 0, 0)).toBe(false);
    expect(pace.mayTake(1500, 0, 0)).toBe(true);
  });
});
