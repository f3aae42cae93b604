import { existsSync } from 'node:fs';
import {
  notesOnRefusals,
  p50RatioRow,
  p50Row,
  prepareSides,
  rateRatioRow,
  rateRow,
  takeTurns,
} from '../harness/compare.js';
import { startBridgingEngine, startRealEngine } from '../harness/engine.js';
import { startGatewayTo } from '../harness/gateway.js';
import { atLeast, atMost, type Row } from '../harness/report.js';
import type { LoadClientCommands } from '../harness/roles/load-client.js';
import type { Scenario } from '../harness/scenario.js';
import { workload } from '../harness/workload.js';

const SIDES = ['direct', 'bridge', 'gateway'] as const;
const CONNECTIONS = 8;
const UNDER_LOAD = 128;

export const realEngine: Scenario = {
  name: 'real-engine',
  title: 'a real engine: direct, through the Bridge adapter of a second engine, and through the gateway',
  async run(stage, pace) {
    const binary = process.env['III_ENGINE'];
    if (!binary) return { skipped: 'III_ENGINE does not name an engine binary' };
    if (!existsSync(binary)) return { skipped: `III_ENGINE names ${binary}, which is not there` };

    const engine = await startRealEngine(stage, binary);
    const bridge = await startBridgingEngine(stage, binary, engine.url);
    const gateway = await startGatewayTo(stage, engine.url);
    const client = stage.startRole<LoadClientCommands>('load-client');
    const workloads = [100, 1024].flatMap((bytes) => [
      workload('state::get', bytes),
      workload('state::set', bytes),
    ]);
    const urls = { direct: engine.url, bridge: bridge.url, gateway: gateway.url };
    await prepareSides(client, urls, CONNECTIONS, workloads);

    const rows: Row[] = [];
    const notes: string[] = [];
    for (const work of workloads) {
      const name = `${work.functionId.slice('state::'.length)} ${work.valueBytes} B`;
      const busy = await takeTurns(client, SIDES, { workload: work, inFlight: UNDER_LOAD }, pace);
      const quiet = await takeTurns(client, SIDES, { workload: work, inFlight: 1 }, pace);
      rows.push(
        ...SIDES.map((side) => rateRow(`${name}, ${UNDER_LOAD} in flight, ${side}`, busy[side])),
        rateRatioRow(`${name}, rate, bridge / direct`, busy.bridge, busy.direct),
        rateRatioRow(`${name}, rate, gateway / direct`, busy.gateway, busy.direct),
        rateRatioRow(`${name}, rate, gateway / bridge`, busy.gateway, busy.bridge, atLeast(1.6, 2)),
        ...SIDES.map((side) => p50Row(`${name}, 1 in flight, p50 ${side}`, quiet[side])),
        p50RatioRow(`${name}, p50, gateway / bridge`, quiet.gateway, quiet.bridge, atMost(1)),
      );
      for (const side of SIDES) {
        notes.push(...notesOnRefusals(`${name}, ${side}`, [...busy[side], ...quiet[side]]));
      }
    }
    return { rows, notes };
  },
};
