import { setTimeout as sleep } from 'node:timers/promises';
import { notesOnRefusals, rateRatioRow, rateRow } from '../harness/compare.js';
import { doorOf, type EngineStub, startEngineStub } from '../harness/engine.js';
import { startGatewayWith } from '../harness/gateway.js';
import { withCpuOf } from '../harness/process-figures.js';
import { atLeast, type Row } from '../harness/report.js';
import type { Executed } from '../harness/roles/engine-stub.js';
import type { LoadClientCommands, LoadWindow } from '../harness/roles/load-client.js';
import type { Scenario } from '../harness/scenario.js';
import { spreadOf } from '../harness/spread.js';
import type { Role, Stage } from '../harness/stage.js';
import { interleave, type Pace } from '../harness/windows.js';
import type { Workload } from '../harness/workload.js';

interface WithCpu {
  readonly cpuMicroseconds: number;
}

const BACKLOG = 100_000;
const WINDOWS = [64, 512];
/** A round writes and drains the whole backlog, so that few are enough. */
const PACE = { rounds: 3, warmUps: 1 };

export const drain: Scenario = {
  name: 'drain',
  title:
    'replay of logged sets of 256 B to a remote that is back against a client that pipelines the same sets',
  async run(stage, pace) {
    const engine = await startEngineStub(stage);
    const client = stage.startRole<LoadClientCommands>('load-client');
    await client.commands.connect({ side: 'direct', url: engine.url, connections: 1 });
    const rows: Row[] = [];
    const notes: string[] = [];
    for (const window of WINDOWS) {
      const { drained, direct, logged } = await compare(stage, engine, client, window, pace);
      rows.push(
        rateRow(`${window} in flight, written while the remote is away`, logged),
        rateRow(`${window} in flight, direct`, direct),
        rateRow(`${window} in flight, drain`, drained),
        {
          measured: `${window} in flight, CPU per write in the gateway`,
          unit: 'us',
          spread: spreadOf(drained.map(({ cpuMicroseconds = Number.NaN }) => cpuMicroseconds / sizeOf(pace))),
        },
        rateRatioRow(`${window} in flight, rate, drain / direct`, drained, direct, atLeast(0.85)),
      );
      notes.push(...notesOnRefusals(`${window} in flight, written while the remote is away`, logged));
    }
    return { rows, notes: [`${sizeOf(pace)} sets in a backlog`, ...notes] };
  },
};

function sizeOf({ entries }: Pace): number {
  return Math.min(BACKLOG, entries);
}

async function compare(
  stage: Stage,
  engine: EngineStub,
  client: Role<LoadClientCommands>,
  window: number,
  pace: Pace,
): Promise<{
  readonly drained: readonly (Executed & Partial<WithCpu>)[];
  readonly direct: readonly Executed[];
  readonly logged: readonly LoadWindow[];
}> {
  const sets = sizeOf(pace);
  const door = await doorOf(engine);
  const options = { drain: { window }, remote: { window, reconnect_ms: [100, 100] } };
  const gateway = await startGatewayWith(stage, { remoteUrl: door.url, options });
  await client.commands.connect({ side: 'gateway', url: gateway.url, connections: 8 });
  const logged: LoadWindow[] = [];
  let round = 0;
  const workloadOf = (side: string): Workload => ({
    functionId: 'state::set',
    scope: `drain-${window}-${side}-${round}`,
    keys: sets,
    valueBytes: 256,
  });
  const { drained, direct } = await interleave<'drained' | 'direct', Executed & Partial<WithCpu>>(
    {
      drained: async () => {
        round++;
        const workload = workloadOf('gateway');
        logged.push(await client.commands.callAll({ side: 'gateway', workload, calls: sets, inFlight: 512 }));
        await engine.commands.countWrites({ writes: sets });
        await door.open();
        const executed = await withCpuOf(gateway.pid, () => engine.commands.counted({}));
        await door.shut();
        await sleep(500); // until the gateway has noticed
        return executed;
      },
      direct: async () => {
        await engine.commands.countWrites({ writes: sets });
        const workload = workloadOf('direct');
        const [executed] = await Promise.all([
          engine.commands.counted({}),
          client.commands.callAll({ side: 'direct', workload, calls: sets, inFlight: window }),
        ]);
        return executed;
      },
    },
    PACE,
  );
  await client.commands.disconnect({ side: 'gateway' });
  await stage.end(gateway.program);
  return { drained, direct, logged: logged.slice(PACE.warmUps) };
}
