import { setTimeout as sleep } from 'node:timers/promises';
import { startEngineStub } from '../harness/engine.js';
import { type ProbedGateway, startProbedGatewayTo } from '../harness/gateway.js';
import { memoryOf } from '../harness/process-figures.js';
import { atMost } from '../harness/report.js';
import type { WorkerFleetCommands } from '../harness/roles/worker-fleet.js';
import type { Scenario } from '../harness/scenario.js';
import { spreadOf } from '../harness/spread.js';
import type { Role, Stage } from '../harness/stage.js';

const WORKERS = 1_000;
const FRESH_GATEWAYS = 3;

interface Figures {
  readonly rssKiB: number;
  readonly anonymousKiB: number;
  readonly heapKiB: number;
}

export const idleWorkers: Scenario = {
  name: 'idle-workers',
  title: `memory of the gateway for each of ${WORKERS} connected, registered, idle workers (garbage collected)`,
  async run(stage) {
    const engine = await startEngineStub(stage);
    const fleet = stage.startRole<WorkerFleetCommands>('worker-fleet');
    const perWorker: Figures[] = [];
    const alone: Figures[] = [];
    for (let turn = 0; turn < FRESH_GATEWAYS; turn++) {
      const { without, difference } = await measureOneGateway(stage, fleet, engine.url);
      alone.push(without);
      perWorker.push(difference);
    }
    const spread = (all: readonly Figures[], member: keyof Figures) =>
      spreadOf(all.map((one) => one[member]));
    return {
      rows: [
        { measured: 'RSS without workers', unit: 'KiB', spread: spread(alone, 'rssKiB') },
        { measured: 'RSS per worker', unit: 'KiB', spread: spread(perWorker, 'rssKiB'), target: atMost(20) },
        { measured: 'anonymous memory per worker', unit: 'KiB', spread: spread(perWorker, 'anonymousKiB') },
        { measured: 'heap and buffers per worker', unit: 'KiB', spread: spread(perWorker, 'heapKiB') },
      ],
      notes: [`each figure from ${FRESH_GATEWAYS} fresh gateways`],
    };
  },
};

async function measureOneGateway(
  stage: Stage,
  fleet: Role<WorkerFleetCommands>,
  engineUrl: string,
): Promise<{ readonly without: Figures; readonly difference: Figures }> {
  const gateway = await startProbedGatewayTo(stage, engineUrl);
  const side = 'gateway';
  const few = { side, url: gateway.url, workers: 20, functionsPerWorker: 1 };
  await fleet.commands.connect(few); // so that code and caches do not count as a worker's memory
  await fleet.commands.disconnect({ side });
  const without = await settledFigures(gateway);
  await fleet.commands.connect({ ...few, workers: WORKERS });
  const withWorkers = await settledFigures(gateway);
  await stage.end(gateway.program);
  await fleet.commands.disconnect({ side });
  const perWorker = (member: keyof Figures) => (withWorkers[member] - without[member]) / WORKERS;
  return {
    without,
    difference: {
      rssKiB: perWorker('rssKiB'),
      anonymousKiB: perWorker('anonymousKiB'),
      heapKiB: perWorker('heapKiB'),
    },
  };
}

async function settledFigures(gateway: ProbedGateway): Promise<Figures> {
  await sleep(500);
  await gateway.probe.collectGarbage({});
  await sleep(500);
  const { heapKiB } = await gateway.probe.collectGarbage({});
  return { ...memoryOf(gateway.pid), heapKiB };
}
