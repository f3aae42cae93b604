import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { renderReport } from './harness/report.js';
import type { Scenario } from './harness/scenario.js';
import { cleanUpOnExit, Stage } from './harness/stage.js';
import type { Pace } from './harness/windows.js';
import { backlog } from './scenarios/backlog.js';
import { cachedGet } from './scenarios/cached-get.js';
import { drain } from './scenarios/drain.js';
import { drainPolicies } from './scenarios/drain-policies.js';
import { fanOut } from './scenarios/fan-out.js';
import { forwarded } from './scenarios/forwarded.js';
import { groupCommit } from './scenarios/group-commit.js';
import { idleWorkers } from './scenarios/idle-workers.js';
import { lostLink } from './scenarios/lost-link.js';
import { offlineSet } from './scenarios/offline-set.js';
import { realEngine } from './scenarios/real-engine.js';
import { storeVerify } from './scenarios/store-verify.js';

const SCENARIOS: readonly Scenario[] = [
  forwarded,
  idleWorkers,
  fanOut,
  offlineSet,
  groupCommit,
  drain,
  drainPolicies,
  cachedGet,
  backlog,
  storeVerify,
  lostLink,
  realEngine,
];

const USAGE = `npm run bench -- [names...] [--rounds N] [--window-ms N] [--entries N]

${SCENARIOS.map(({ name, title }) => `  ${name.padEnd(16)}${title}`).join('\n')}

Without a name all of them run. III_ENGINE=<binary> adds a real engine, BENCH_GATEWAY=<main.js> measures another build.
Only what could not be measured is a failure; a target that is not reached is not.`;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const request = readRequest(args);
  if (typeof request === 'string') {
    console.log(request);
    return request === USAGE ? 0 : 2;
  }
  cleanUpOnExit();
  console.log(describeMachine());
  console.log('The load of the machine moves every absolute figure; read the ratios.\n');
  let failures = 0;
  for (const scenario of request.scenarios) {
    console.log(`${scenario.name}: ${scenario.title}`);
    failures += (await runScenario(scenario, request.pace)) ? 0 : 1;
  }
  return failures > 0 ? 1 : 0;
}

interface Request {
  readonly scenarios: readonly Scenario[];
  readonly pace: Pace;
}

/** What to run, or what to say instead. */
function readRequest(args: readonly string[]): Request | string {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        rounds: { type: 'string', default: '7' },
        'window-ms': { type: 'string', default: '300' },
        entries: { type: 'string', default: '1000000' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) return USAGE;
    const unknown = positionals.filter((wanted) => !SCENARIOS.some(({ name }) => name === wanted));
    if (unknown.length > 0) return `unknown scenario: ${unknown.join(', ')}\n\n${USAGE}`;
    const pace = {
      rounds: positiveInteger('rounds', values.rounds),
      windowMs: positiveInteger('window-ms', values['window-ms']),
      warmUps: 2,
      entries: positiveInteger('entries', values.entries),
    };
    const wanted = new Set(positionals);
    return { pace, scenarios: SCENARIOS.filter(({ name }) => wanted.size === 0 || wanted.has(name)) };
  } catch (error) {
    return `${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`;
  }
}

function positiveInteger(option: string, text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new Error(`--${option} must be a positive whole number, not "${text}"`);
  return Number(text);
}

async function runScenario(scenario: Scenario, pace: Pace): Promise<boolean> {
  const stage = new Stage();
  const begin = Date.now();
  try {
    const outcome = await scenario.run(stage, pace);
    console.log('skipped' in outcome ? `skipped: ${outcome.skipped}` : `\n${renderReport(outcome)}`);
    return true;
  } catch (error) {
    console.log(`could not be measured: ${error instanceof Error ? error.message : String(error)}`);
    return false;
  } finally {
    await stage.close();
    console.log(`(${((Date.now() - begin) / 1_000).toFixed(0)} s)\n`);
  }
}

function describeMachine(): string {
  const [processor] = cpus();
  const load = loadavg()[0]?.toFixed(1);
  return `Node ${process.version}, ${cpus().length} x ${processor?.model.trim() ?? 'unknown'}, load ${load}`;
}
