/** `npm run simulate -- --schedules 100000 [--seed N]`: runs schedules until one breaks a promise. */
import { parseArgs } from 'node:util';
import { simulate } from './simulation.js';

const PROGRESS = 1000;

const { values } = parseArgs({
  options: {
    schedules: { type: 'string', default: '10000' },
    /** The first one; by default what the clock gives. */
    seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
  },
});
const first = Number(values.seed);
const count = Number(values.schedules);

console.log(`schedules ${first} to ${first + count - 1}`);
const startedAt = performance.now();
for (let seed = first; seed < first + count; seed += 1) {
  const { violations } = await simulate(seed);
  if (violations.length > 0) {
    const { trace } = await simulate(seed, { isTraced: true });
    console.log([...trace, '', `seed ${seed}:`, ...violations].join('\n'));
    process.exit(1);
  }
  const done = seed - first + 1;
  if (done % PROGRESS === 0) console.log(`${done} schedules, ${rate(done)} a second`);
}
console.log(`${count} schedules, ${rate(count)} a second: every promise was kept`);

function rate(done: number): number {
  return Math.round((done / (performance.now() - startedAt)) * 1000);
}
