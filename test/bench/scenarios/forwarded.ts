import {
  notesOnRefusals,
  p50RatioRow,
  p50Row,
  prepareSides,
  rateRatioRow,
  rateRow,
  takeTurns,
} from '../harness/compare.js';
import { startEngineStub } from '../harness/engine.js';
import { startGatewayTo } from '../harness/gateway.js';
import { withCpuOf } from '../harness/process-figures.js';
import { atLeast, atMost, type Row } from '../harness/report.js';
import type { LoadClientCommands } from '../harness/roles/load-client.js';
import type { Scenario } from '../harness/scenario.js';
import { spreadOf } from '../harness/spread.js';
import { workload } from '../harness/workload.js';

const SIDES = ['direct', 'gateway'] as const;
const CONNECTIONS = 8;
const UNDER_LOAD = 128;

export const forwarded: Scenario = {
  name: 'forwarded',
  title: 'state::get and state::set: client -> gateway -> engine against client -> engine',
  async run(stage, pace) {
    const engine = await startEngineStub(stage);
    const gateway = await startGatewayTo(stage, engine.url);
    const client = stage.startRole<LoadClientCommands>('load-client');
    const workloads = [100, 1024].flatMap((bytes) => [
      workload('state::get', bytes),
      workload('state::set', bytes),
    ]);
    await prepareSides(client, { direct: engine.url, gateway: gateway.url }, CONNECTIONS, workloads);

    const rows: Row[] = [];
    const notes: string[] = [];
    for (const work of workloads) {
      const name = `${work.functionId.slice('state::'.length)} ${work.valueBytes} B`;
      const busy = await takeTurns(client, SIDES, { workload: work, inFlight: UNDER_LOAD }, pace, (measure) =>
        withCpuOf(gateway.pid, measure),
      );
      const cpuPerCall = busy.gateway.map(({ cpuMicroseconds, completed }) => cpuMicroseconds / completed);
      rows.push(
        rateRow(`${name}, ${UNDER_LOAD} in flight, direct`, busy.direct),
        rateRow(`${name}, ${UNDER_LOAD} in flight, gateway`, busy.gateway),
        rateRatioRow(`${name}, rate, gateway / direct`, busy.gateway, busy.direct, atLeast(0.5, 0.6)),
        { measured: `${name}, CPU per call in the gateway`, unit: 'us', spread: spreadOf(cpuPerCall) },
      );
      const quiet = await takeTurns(client, SIDES, { workload: work, inFlight: 1 }, pace);
      rows.push(
        p50Row(`${name}, 1 in flight, p50 direct`, quiet.direct),
        p50Row(`${name}, 1 in flight, p50 gateway`, quiet.gateway),
        p50RatioRow(`${name}, p50, gateway / direct`, quiet.gateway, quiet.direct, atMost(2.5, 2.3)),
      );
      notes.push(...notesOnRefusals(`${name} through the gateway`, [...busy.gateway, ...quiet.gateway]));
    }
    return { rows, notes };
  },
};
