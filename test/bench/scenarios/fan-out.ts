import { ratioRow } from '../harness/compare.js';
import { startEngineStub } from '../harness/engine.js';
import { startEmbeddedGateway } from '../harness/gateway.js';
import { withCpuOf } from '../harness/process-figures.js';
import { atMost, type Row } from '../harness/report.js';
import type { FanOut, FanOutWindow, WorkerFleetCommands } from '../harness/roles/worker-fleet.js';
import type { Scenario } from '../harness/scenario.js';
import { spreadOf } from '../harness/spread.js';
import { interleave } from '../harness/windows.js';

const SOCKETS = 10;
const TRIGGERS = 1_000;
const VALUE_BYTES = 100;

type Window = FanOutWindow & { readonly cpuMicroseconds: number };

export const fanOut: Scenario = {
  name: 'fan-out',
  title: `one change to ${TRIGGERS} triggers on ${SOCKETS} sockets: the gateway against stringifying each delivery`,
  async run(stage, pace) {
    const stringifyEach = await startEngineStub(stage);
    const gateway = await startEmbeddedGateway(stage);
    const fleet = stage.startRole<WorkerFleetCommands>('worker-fleet');
    const shape = { workers: SOCKETS, functionsPerWorker: TRIGGERS / SOCKETS, triggerScope: 'fan-out' };
    await fleet.commands.connect({ side: 'stringify each', url: stringifyEach.url, ...shape });
    await fleet.commands.connect({ side: 'gateway', url: gateway.url, ...shape });

    const windowOf = (side: string, pid: number, answers: FanOut['answers']) => async () => {
      const options = { side, windowMs: pace.windowMs, valueBytes: VALUE_BYTES, answers };
      const window = await withCpuOf(pid, () => fleet.commands.fanOut(options));
      await fleet.commands.releaseAnswers({ side });
      return window;
    };
    const rows: Row[] = [];
    for (const answers of ['held back', 'at once'] as const) {
      const windows = await interleave(
        {
          reference: windowOf('stringify each', stringifyEach.pid, answers),
          gateway: windowOf('gateway', gateway.pid, answers),
        },
        pace,
      );
      const kind = answers === 'held back' ? 'delivery' : 'delivery and its answer';
      const target = answers === 'held back' ? atMost(0.35) : undefined;
      const [ours, theirs] = [windows.gateway.map(cpuPerDelivery), windows.reference.map(cpuPerDelivery)];
      rows.push(
        { measured: `CPU per ${kind}, stringify each`, unit: 'us', spread: spreadOf(theirs) },
        { measured: `CPU per ${kind}, gateway`, unit: 'us', spread: spreadOf(ours) },
        ratioRow(`CPU per ${kind}, gateway / stringify each`, ours, theirs, target),
        rateOf('stringify each', kind, windows.reference),
        rateOf('gateway', kind, windows.gateway),
      );
    }
    return { rows };
  },
};

function cpuPerDelivery({ cpuMicroseconds, deliveries }: Window): number {
  return cpuMicroseconds / deliveries;
}

function rateOf(who: string, kind: string, windows: readonly Window[]): Row {
  const spread = spreadOf(windows.map(({ perSecond }) => perSecond));
  return { measured: `rate of ${kind}, ${who}`, unit: 'op/s', spread };
}
