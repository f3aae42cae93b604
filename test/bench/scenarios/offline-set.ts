import {
  notesOnRefusals,
  p50Row,
  prepareSides,
  rateRatioRow,
  rateRow,
  ratioRow,
  type Timed,
  takeTurns,
} from '../harness/compare.js';
import { startEngineStub } from '../harness/engine.js';
import { startGatewayWith } from '../harness/gateway.js';
import { withCpuOf } from '../harness/process-figures.js';
import { atLeast, atMost, type Row } from '../harness/report.js';
import type { LoadClientCommands, LoadWindow } from '../harness/roles/load-client.js';
import type { StoreCommands } from '../harness/roles/store.js';
import type { Scenario } from '../harness/scenario.js';
import { spreadOf } from '../harness/spread.js';
import { freePort } from '../harness/stage.js';
import { interleave } from '../harness/windows.js';
import { workload } from '../harness/workload.js';

const SIDES = ['direct', 'offline', 'behind'] as const;
const CONNECTIONS = 8;
const UNDER_LOAD = 128;
const KEYS = 4_096;

export const offlineSet: Scenario = {
  name: 'offline-set',
  title: 'state::set logged with fsync (remote dead, or write: behind) against client -> engine',
  async run(stage, pace) {
    const engine = await startEngineStub(stage);
    const deadUrl = `ws://127.0.0.1:${await freePort()}`;
    const offline = await startGatewayWith(stage, { remoteUrl: deadUrl });
    const options = { scopes: [{ match: '*', write: 'behind' }] };
    const behind = await startGatewayWith(stage, { remoteUrl: engine.url, options });
    const client = stage.startRole<LoadClientCommands>('load-client');
    const store = stage.startRole<StoreCommands>('store');
    await store.commands.open({ folder: stage.temporaryFolder() });
    const workloads = [100, 1024].map((bytes) => ({ ...workload('state::set', bytes), keys: KEYS }));
    const urls = { direct: engine.url, offline: offline.url, behind: behind.url };
    await prepareSides(client, urls, CONNECTIONS, workloads);

    const rows: Row[] = [];
    const notes: string[] = [];
    for (const work of workloads) {
      const name = `set ${work.valueBytes} B`;
      const pids: Readonly<Record<string, number>> = { offline: offline.pid, behind: behind.pid };
      const busy = await takeTurns(
        client,
        SIDES,
        { workload: work, inFlight: UNDER_LOAD },
        pace,
        async (measure, side) => {
          const result = await withCpuOf(pids[side] ?? engine.pid, measure);
          if (side === 'behind') await engine.commands.idle({ forMs: 50 }); // what is sent later is nobody else's load
          return result;
        },
      );
      const cpuPerCall = busy.offline.map(({ cpuMicroseconds, completed }) => cpuMicroseconds / completed);
      rows.push(
        ...SIDES.map((side) => rateRow(`${name}, ${UNDER_LOAD} in flight, ${side}`, busy[side])),
        rateRatioRow(`${name}, rate, offline / direct`, busy.offline, busy.direct, atLeast(0.55, 0.65)),
        rateRatioRow(`${name}, rate, behind / direct`, busy.behind, busy.direct, atLeast(0.35)),
        {
          measured: `${name}, CPU per call in the gateway, offline`,
          unit: 'us',
          spread: spreadOf(cpuPerCall),
        },
      );
      const { windowMs } = pace;
      const oneAtATime = (side: string) => () =>
        client.commands.measure({ side, workload: work, inFlight: 1, windowMs });
      const quiet = await interleave<'direct' | 'offline' | 'put', Timed & Partial<LoadWindow>>(
        {
          direct: oneAtATime('direct'),
          offline: oneAtATime('offline'),
          put: () => store.commands.oneByOne({ valueBytes: work.valueBytes, windowMs }),
        },
        pace,
      );
      const floor = quiet.direct.map(({ p50Ms }, round) => p50Ms + (quiet.put[round]?.p50Ms ?? Number.NaN));
      const offlineP50 = quiet.offline.map(({ p50Ms }) => p50Ms);
      rows.push(
        p50Row(`${name}, 1 in flight, p50 direct`, quiet.direct),
        p50Row(`${name}, 1 in flight, p50 bare synchronous put`, quiet.put),
        p50Row(`${name}, 1 in flight, p50 offline`, quiet.offline),
        ratioRow(`${name}, p50, offline / (direct + put)`, offlineP50, floor, atMost(1.6)),
      );
      for (const side of SIDES) notes.push(...notesOnRefusals(`${name}, ${side}`, busy[side]));
    }
    return { rows, notes };
  },
};
