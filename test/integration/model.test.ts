import { describe, expect, it } from 'vitest';
import { applied, type Op } from '../model/plain-ops.js';
import { differenceIn, mostMs } from '../model/property.js';
import { SABOTAGES } from '../model/sabotage.js';
import { canonical } from '../support/json-values.js';
import { APPLIED, readApplied } from '../support/update-op-vectors.js';

/** `MODEL_RUNS=5000 npm run test:model` for the long form; the others repeat a failure as it was printed. */
const RUNS = Number(process.env['MODEL_RUNS'] ?? 30);
const SEED = Number(process.env['MODEL_SEED'] ?? 1);
const PATH = process.env['MODEL_PATH'];
const REPLAY_PATH = process.env['MODEL_REPLAY'];

/** Lives within which something planted is found; most are found in the first. */
const MOST_FOR_A_SABOTAGE = 60;
const SABOTAGE_SEED = 3;

describe('a gateway whose link comes and goes', () => {
  it(`is like a plain map, in ${RUNS} lives from seed ${SEED} on`, {
    timeout: mostMs(RUNS) + 30_000,
  }, async () => {
    const run = { runs: RUNS, seed: SEED, path: PATH, replayPath: REPLAY_PATH };
    expect(await differenceIn(run)).toBeUndefined();
  });
});

describe('the model notices', { timeout: mostMs(MOST_FOR_A_SABOTAGE) }, () => {
  it.each(SABOTAGES)('$name', async ({ plant }) => {
    const run = { runs: MOST_FOR_A_SABOTAGE, seed: SABOTAGE_SEED, plant, isShrunk: false };
    expect(await differenceIn(run)).toContain('Contradiction: ');
  });
});

describe('the operations of the model', () => {
  const vectors = APPLIED.flatMap(readApplied).filter(isModelled);

  it.each(vectors)('do as an engine does: $name', ({ before, ops, after, errors }) => {
    const done = applied(before, ops as unknown as Op[]);
    expect(canonical(done.after)).toBe(canonical(after));
    const told = errors.map((error) => error.slice(0, error.indexOf(':')));
    expect(done.errors.map(({ op_index, code }) => `#${op_index} ${code}`)).toEqual(told);
  });
});

/** The model has no limits of size and depth, and takes no operation that leaves a member out. */
function isModelled({ ops, errors }: { ops: unknown; errors: readonly string[] }): boolean {
  if (errors.some((error) => /too_(deep|long|many_keys)/.test(error))) return false;
  return (ops as Op[]).every((op) => typeof op.path === 'string' && (op.type !== 'set' || 'value' in op));
}
