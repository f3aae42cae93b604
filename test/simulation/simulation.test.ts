import { describe, expect, it } from 'vitest';
import { DEFECTS } from './defects.js';
import { type Outcome, type SimulationOptions, simulate } from './simulation.js';

const FIRST = Number(process.env.SIM_SEED ?? 1);
const SCHEDULES = Number(process.env.SIM_SCHEDULES ?? 3000);
/** Schedules within which a planted defect must be found; most are found within the first ten. */
const MOST_FOR_A_DEFECT = 1500;

describe('the core of the replication, on simulated time, link, disk and remote', () => {
  it(`keeps its promises in ${SCHEDULES} schedules from seed ${FIRST} on`, { timeout: 300_000 }, async () => {
    const broken = await firstBroken(SCHEDULES, {});
    expect(broken && [`seed ${broken.seed}`, ...broken.violations].join('\n')).toBeUndefined();
  });

  it('does the same again for the same seed', async () => {
    for (const seed of [FIRST, FIRST + 1, FIRST + 2]) {
      expect((await simulate(seed)).digest).toBe((await simulate(seed)).digest);
    }
  });

  it.each(DEFECTS)('finds: $name', { timeout: 60_000 }, async ({ plant }) => {
    expect((await firstBroken(MOST_FOR_A_DEFECT, { plant }))?.seed).toBeDefined();
  });
});

async function firstBroken(schedules: number, options: SimulationOptions): Promise<Outcome | undefined> {
  for (let seed = FIRST; seed < FIRST + schedules; seed += 1) {
    const outcome = await simulate(seed, options);
    if (outcome.violations.length > 0) return outcome;
  }
  return undefined;
}
