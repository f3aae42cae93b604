import { setTimeout as sleep } from 'node:timers/promises';
import {
  notesOnRefusals,
  p50Row,
  prepareSides,
  rateRatioRow,
  rateRow,
  takeTurns,
} from '../harness/compare.js';
import { startEngineStub } from '../harness/engine.js';
import { startGatewayWith } from '../harness/gateway.js';
import { withCpuOf } from '../harness/process-figures.js';
import { atLeast, type Row } from '../harness/report.js';
import type { LoadClientCommands } from '../harness/roles/load-client.js';
import type { Scenario } from '../harness/scenario.js';
import { spreadOf } from '../harness/spread.js';
import type { Role } from '../harness/stage.js';
import { inputOf, type Workload, workload } from '../harness/workload.js';

const SIDES = ['direct', 'gateway'] as const;
const CONNECTIONS = 8;
const UNDER_LOAD = 128;

export const cachedGet: Scenario = {
  name: 'cached-get',
  title: 'state::get from the mirror (consistency: cache) against client -> engine',
  async run(stage, pace) {
    const engine = await startEngineStub(stage);
    const options = { scopes: [{ match: 'bench-*', consistency: 'cache' }] };
    const gateway = await startGatewayWith(stage, { remoteUrl: engine.url, options });
    const client = stage.startRole<LoadClientCommands>('load-client');
    const workloads = [100, 1024].map((bytes) => workload('state::get', bytes));
    await prepareSides(client, { direct: engine.url, gateway: gateway.url }, CONNECTIONS, workloads);

    const rows: Row[] = [];
    const notes: string[] = [];
    for (const work of workloads) {
      await untilFromMirror(client, work);
      const name = `get ${work.valueBytes} B`;
      const busy = await takeTurns(client, SIDES, { workload: work, inFlight: UNDER_LOAD }, pace, (measure) =>
        withCpuOf(gateway.pid, measure),
      );
      const cpuPerCall = busy.gateway.map(({ cpuMicroseconds, completed }) => cpuMicroseconds / completed);
      rows.push(
        rateRow(`${name}, ${UNDER_LOAD} in flight, direct`, busy.direct),
        rateRow(`${name}, ${UNDER_LOAD} in flight, mirror`, busy.gateway),
        rateRatioRow(`${name}, rate, mirror / direct`, busy.gateway, busy.direct, atLeast(0.95)),
        { measured: `${name}, CPU per call in the gateway`, unit: 'us', spread: spreadOf(cpuPerCall) },
      );
      const quiet = await takeTurns(client, SIDES, { workload: work, inFlight: 1 }, pace);
      rows.push(
        p50Row(`${name}, 1 in flight, p50 direct`, quiet.direct),
        p50Row(`${name}, 1 in flight, p50 mirror`, quiet.gateway),
      );
      await untilFromMirror(client, work, 0); // it still does, or something else was measured
      notes.push(...notesOnRefusals(`${name} from the mirror`, [...busy.gateway, ...quiet.gateway]));
    }
    return { rows, notes };
  },
};

/** Resolves when the gateway says of every key that its value comes from the mirror. */
async function untilFromMirror(
  client: Role<LoadClientCommands>,
  work: Workload,
  patienceMs = 15_000,
): Promise<void> {
  const deadline = Date.now() + patienceMs;
  for (let number = 0; number < work.keys; ) {
    const data = inputOf({ ...work, extraInput: { with_meta: true } }, number);
    const { result } = await client.commands.ask({ side: 'gateway', functionId: 'state::get', data });
    const source = typeof result === 'object' && result && 'source' in result ? result.source : undefined;
    if (source === 'mirror') number++;
    else if (Date.now() < deadline) await sleep(50);
    else throw new Error(`a get was answered by ${String(source)}, not from the mirror`);
  }
}
