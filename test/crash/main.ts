import { parseArgs } from 'node:util';
import type { Kills } from './disturbances.js';
import { type RoundResult, runRound, Violation } from './round.js';
import { casesTaken } from './rules.js';

const USAGE = `npm run test:crash -- [--minutes 10] [--seed N] [--disturbances 8] [--scopes a,b]

Kills the built gateway again and again, and compares what its remote executed with what callers were told.
The rounds have the seeds N, N + 1, ...; a violation ends the run, with the seed of its round.`;

process.exitCode = await main(process.argv.slice(2));

async function main(args: string[]): Promise<number> {
  const request = readRequest(args);
  if (!request) {
    console.log(USAGE);
    return 2;
  }
  const cases = (await casesTaken()).filter(({ scope }) => !request.scopes || request.scopes.includes(scope));
  console.log(`seed ${request.seed}, scopes: ${cases.map(({ scope }) => scope).join(', ')}`);
  const end = Date.now() + request.minutes * 60_000;
  const results: RoundResult[] = [];
  try {
    for (let seed = request.seed; Date.now() < end; seed += 1) {
      const result = await runRound({ seed, disturbances: request.disturbances, cases });
      results.push(result);
      console.log(lineOf(`seed ${seed}`, [result]));
    }
    return 0;
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    console.error(`VIOLATION, ${error.message}`);
    return 1;
  } finally {
    console.log(lineOf(`${results.length} rounds`, results));
  }
}

interface Request {
  minutes: number;
  seed: number;
  disturbances: number;
  /** Undefined: all. */
  scopes: string[] | undefined;
}

function readRequest(args: string[]): Request | undefined {
  const { values } = parseArgs({
    args,
    options: {
      minutes: { type: 'string', default: '10' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      disturbances: { type: 'string', default: '8' },
      scopes: { type: 'string' },
    },
  });
  const [minutes, seed, disturbances] = [values.minutes, values.seed, values.disturbances].map(Number);
  const numbers = { minutes: minutes ?? 0, seed: seed ?? 0, disturbances: disturbances ?? 0 };
  if (!Object.values(numbers).every((value) => value > 0)) return undefined;
  return { ...numbers, scopes: values.scopes?.split(',') };
}

function lineOf(name: string, results: readonly RoundResult[]): string {
  const sum = (count: (result: RoundResult) => number) => results.reduce((sum, one) => sum + count(one), 0);
  const killed = (phase: keyof Kills) => `${phase} ${sum(({ kills }) => kills[phase])}`;
  return [
    name,
    `killed: ${killed('starting')}, ${killed('serving')}, ${killed('offline')}, ${killed('draining')}`,
    `written ${sum(({ written }) => written)}`,
    `accepted ${sum(({ accepted }) => accepted)}`,
    `committed ${sum(({ committed }) => committed)}`,
    `quarantined ${sum(({ quarantined }) => quarantined)}`,
    `overflown ${sum(({ overflown }) => overflown)}`,
    `decided ${sum(({ decided }) => decided)}`,
    `unknown ${sum(({ unknown }) => unknown)}`,
  ].join(' | ');
}
