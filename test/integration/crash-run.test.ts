import { describe, expect, it } from 'vitest';
import { runRound } from '../crash/round.js';
import { casesTaken } from '../crash/rules.js';

/** The long form is `npm run test:crash`; `CRASH_SEEDS=1,2,3` chooses the rounds of this one. */
const { CRASH_SEEDS = '1' } = process.env;

describe.each(CRASH_SEEDS.split(',').map(Number))('kill -9 at any moment, seed %i', (seed) => {
  it('leaves every write as its caller was told', { timeout: 90_000 }, async () => {
    const { kills, accepted } = await runRound({ seed, disturbances: 3, cases: await casesTaken() });
    expect(Object.values(kills).reduce((sum, count) => sum + count)).toBeGreaterThan(0);
    expect(accepted).toBeGreaterThan(0);
  });
});
