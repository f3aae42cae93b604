import { setTimeout as sleep } from 'node:timers/promises';
import { rateRatioRow, rateRow, ratioRow } from '../harness/compare.js';
import { type Door, doorOf, type EngineStub, startEngineStub } from '../harness/engine.js';
import { type ProbedGateway, startGatewayWith } from '../harness/gateway.js';
import { withCpuOf } from '../harness/process-figures.js';
import { atLeast, type Row, type Target } from '../harness/report.js';
import type { Executed } from '../harness/roles/engine-stub.js';
import type { LoadClientCommands } from '../harness/roles/load-client.js';
import type { Scenario } from '../harness/scenario.js';
import { spreadOf } from '../harness/spread.js';
import type { Role } from '../harness/stage.js';
import { interleave, type Pace } from '../harness/windows.js';
import type { Json } from '../harness/wire.js';
import type { Workload } from '../harness/workload.js';

const BACKLOG = 20_000;
/** A round writes and drains the backlog of every side. */
const PACE = { rounds: 5, warmUps: 1 };

interface Policy {
  readonly functionId: Workload['functionId'];
  /** Of the side's scope; the defaults if left out. */
  readonly rule?: { readonly [option: string]: Json };
}

const POLICIES = {
  increments: { functionId: 'state::update' },
  'increments, settle: marker': { functionId: 'state::update', rule: { settle: 'marker' } },
  'increments, single_writer': { functionId: 'state::update', rule: { single_writer: true } },
  sets: { functionId: 'state::set' },
  'sets, order: scope': { functionId: 'state::set', rule: { order: 'scope' } },
  'sets, conflict: remote-wins': { functionId: 'state::set', rule: { conflict: 'remote-wins' } },
  'sets, coalesce': { functionId: 'state::set', rule: { coalesce: true } },
} satisfies Record<string, Policy>;

type Side = keyof typeof POLICIES;

const SIDES = Object.keys(POLICIES) as Side[];

type Drained = Executed & { readonly cpuMicroseconds: number };

export const drainPolicies: Scenario = {
  name: 'drain-policies',
  title:
    'replay of logged increments and sets under the rules for scopes against the same under the defaults',
  async run(stage, pace) {
    const writes = sizeOf(pace);
    const engine = await startEngineStub(stage);
    const door = await doorOf(engine);
    const scopes = SIDES.flatMap((scope) => ruleOf(scope));
    const options = { scopes, remote: { reconnect_ms: [100, 100] } };
    const gateway = await startGatewayWith(stage, { remoteUrl: door.url, options });
    const client = stage.startRole<LoadClientCommands>('load-client');
    await client.commands.connect({ side: 'gateway', url: gateway.url, connections: 8 });
    const setting: Setting = { engine, door, gateway, client, writes };

    await door.open();
    for (const side of SIDES) await makeKnown(setting, side);
    await leave(setting);
    const turns = Object.fromEntries(SIDES.map((side) => [side, () => drainOnce(setting, side)]));
    const drained = await interleave(turns as Record<Side, () => Promise<Drained>>, PACE);
    await checkCounters(setting);

    const rows: Row[] = SIDES.flatMap((side) => [
      rateRow(`${side}, drain`, drained[side]),
      {
        measured: `${side}, CPU per write in the gateway`,
        unit: 'us',
        spread: spreadOf(drained[side].map(({ cpuMicroseconds }) => cpuMicroseconds / writes)),
      },
    ]);
    const against = (side: Side, base: Side, target?: Target) =>
      rateRatioRow(`rate, ${side} / ${base}`, drained[side], drained[base], target);
    const cpu = (side: Side) => drained[side].map(({ cpuMicroseconds }) => cpuMicroseconds);
    const cpuAgainst = (side: Side, base: Side) => ratioRow(`CPU, ${base} / ${side}`, cpu(base), cpu(side));
    rows.push(
      against('increments, settle: marker', 'increments', atLeast(0.7)),
      against('increments, single_writer', 'increments', atLeast(0.7)),
      cpuAgainst('increments, settle: marker', 'increments'),
      cpuAgainst('increments, single_writer', 'increments'),
      against('increments', 'sets'),
      against('increments, settle: marker', 'sets'),
      against('increments, single_writer', 'sets'),
      against('sets, order: scope', 'sets'),
      against('sets, conflict: remote-wins', 'sets'),
      against('sets, coalesce', 'sets'),
    );
    return {
      rows,
      notes: [`${writes} writes in a backlog, each of its own key with a known value of 256 B`],
    };
  },
};

interface Setting {
  readonly engine: EngineStub;
  readonly door: Door;
  readonly gateway: ProbedGateway;
  readonly client: Role<LoadClientCommands>;
  readonly writes: number;
}

function sizeOf({ entries }: Pace): number {
  return Math.min(BACKLOG, entries);
}

/** A side is called like its scope. */
function ruleOf(scope: Side): { readonly [option: string]: Json }[] {
  const { rule }: Policy = POLICIES[scope];
  return rule ? [{ match: scope, ...rule }] : [];
}

function workloadOf(scope: Side, functionId: Workload['functionId'], keys: number): Workload {
  return { functionId, scope, keys, valueBytes: 256 };
}

/** Sets every key while the remote is there: an increment of a key whose value nobody knows is refused without it. */
async function makeKnown(setting: Setting, side: Side): Promise<void> {
  const workload = workloadOf(side, 'state::set', setting.writes);
  await setting.client.commands.fill({ side: 'gateway', workload });
  await callAll(setting, workload);
}

async function drainOnce(setting: Setting, side: Side): Promise<Drained> {
  const { engine, door, gateway, writes } = setting;
  await callAll(setting, workloadOf(side, POLICIES[side].functionId, writes));
  await engine.commands.countWrites({ writes });
  await door.open();
  const executed = await withCpuOf(gateway.pid, () => engine.commands.counted({}));
  await leave(setting);
  return executed;
}

/** What is refused would never be drained. */
async function callAll({ client }: Setting, workload: Workload): Promise<void> {
  const calls = workload.keys;
  const { refused, firstRefusal } = await client.commands.callAll({
    side: 'gateway',
    workload,
    calls,
    inFlight: 512,
  });
  if (refused > 0) throw new Error(`${workload.scope}: ${refused} writes were refused: ${firstRefusal}`);
}

/** The remote goes away, but not before the gateway has all its answers: nothing may be in doubt the next time. */
async function leave({ client, door }: Setting): Promise<void> {
  const { result } = await client.commands.ask({
    side: 'gateway',
    functionId: 'gateway::barrier',
    data: {},
  });
  const left = JSON.stringify(result);
  if (left !== JSON.stringify({ settled: true, quarantined: 0, held: 0 }))
    throw new Error(`not settled: ${left}`);
  await door.shut();
  await sleep(500); // until the gateway has noticed
}

/** Every increment must have been applied, and once. */
async function checkCounters({ engine, client, writes }: Setting): Promise<void> {
  await client.commands.connect({ side: 'direct', url: engine.url, connections: 1 });
  const expected = PACE.warmUps + PACE.rounds;
  for (const scope of SIDES.filter((side) => POLICIES[side].functionId === 'state::update')) {
    for (const key of ['key-0', `key-${writes - 1}`]) {
      const { result } = await client.commands.ask({
        side: 'direct',
        functionId: 'state::get',
        data: { scope, key },
      });
      const { count } = result as { readonly count?: number };
      if (count !== expected) throw new Error(`${scope}, ${key}: ${count} increments of ${expected}`);
    }
  }
}
