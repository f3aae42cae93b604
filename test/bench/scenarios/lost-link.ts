import { setTimeout as sleep } from 'node:timers/promises';
import { type Door, doorOf, type EngineStub, startEngineStub } from '../harness/engine.js';
import { type ProbedGateway, startGatewayWith } from '../harness/gateway.js';
import { atLeast } from '../harness/report.js';
import type { LoadClientCommands, LoadWindow } from '../harness/roles/load-client.js';
import type { Scenario } from '../harness/scenario.js';
import { spreadOf } from '../harness/spread.js';
import type { Role } from '../harness/stage.js';
import { type Workload, workload } from '../harness/workload.js';

const CALLS_BEFORE = 100_000;
const IN_FLIGHT = 512;
const ROUNDS = 3;

interface Lost {
  readonly busyStallMs: number;
  readonly stallMs: number;
  readonly answered: number;
  readonly longestMs: number;
  readonly refused: readonly LoadWindow[];
}

export const lostLink: Scenario = {
  name: 'lost-link',
  title: `the link is lost with ${IN_FLIGHT} calls in flight, after ${CALLS_BEFORE} others`,
  async run(stage) {
    const engine = await startEngineStub(stage);
    const client = stage.startRole<LoadClientCommands>('load-client');
    const door = await doorOf(engine);
    await door.open();
    const options = { remote: { window: IN_FLIGHT, reconnect_ms: [100, 100] }, settle_delay_ms: 100 };
    const gateway = await startGatewayWith(stage, { remoteUrl: door.url, options });
    await client.commands.connect({ side: 'gateway', url: gateway.url, connections: 8 });
    const lost: Lost[] = [];
    for (let round = 0; round < ROUNDS; round++) lost.push(await loseTheLink(client, engine, door, gateway));

    const spread = (member: 'busyStallMs' | 'stallMs' | 'answered' | 'longestMs') =>
      spreadOf(lost.map((one) => one[member]));
    const refused = lost.flatMap((one) => one.refused).filter((window) => window.refused > 0);
    return {
      rows: [
        { measured: `longest stall in ${CALLS_BEFORE} calls`, unit: 'ms', spread: spread('busyStallMs') },
        { measured: 'longest stall while the link is lost', unit: 'ms', spread: spread('stallMs') },
        { measured: 'answered', unit: 'calls', spread: spread('answered'), target: atLeast(IN_FLIGHT) },
        { measured: 'from the call to the last answer', unit: 'ms', spread: spread('longestMs') },
      ],
      notes: [
        `half are sets and half are gets; ${ROUNDS} times`,
        ...new Set(
          refused.map((window) => `${window.refused} of ${window.completed}: ${window.firstRefusal}`),
        ),
      ],
    };
  },
};

async function loseTheLink(
  client: Role<LoadClientCommands>,
  engine: EngineStub,
  door: Door,
  { probe }: ProbedGateway,
): Promise<Lost> {
  const callAll = (work: Workload, calls: number, inFlight: number) =>
    client.commands.callAll({ side: 'gateway', workload: work, calls, inFlight });
  const work = (functionId: Workload['functionId'], keys: number) => ({ ...workload(functionId, 100), keys });
  await client.commands.fill({ side: 'gateway', workload: work('state::set', 128) });
  await probe.watchEventLoop({});
  await callAll(work('state::set', 4_096), CALLS_BEFORE, IN_FLIGHT);
  const busy = await probe.longestStall({});

  await engine.commands.fallSilent({});
  const half = IN_FLIGHT / 2;
  // Keys of their own for the gets: a read of a key with a write before it would wait for that one.
  const reads = { ...work('state::get', half), scope: 'bench-read' };
  const answers = Promise.all([callAll(work('state::set', half), half, half), callAll(reads, half, half)]);
  await engine.commands.unanswered({ calls: IN_FLIGHT });
  await probe.watchEventLoop({});
  await door.shut();
  const windows = await answers;
  const { ms: stallMs } = await probe.longestStall({});
  await engine.commands.speakAgain({});
  await door.open();
  await sleep(1_000); // until what was logged is settled and sent
  return {
    busyStallMs: busy.ms,
    stallMs,
    answered: windows.reduce((sum, { completed }) => sum + completed, 0),
    longestMs: Math.max(...windows.map(({ longestMs }) => longestMs)),
    refused: windows,
  };
}
