import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { BACKLOG_OPTIONS, type BacklogSetting, writeBacklog } from '../harness/backlog.js';
import { notesOnRefusals, rateRow, ratioRow } from '../harness/compare.js';
import { doorOf, type EngineStub, startEngineStub } from '../harness/engine.js';
import { type ProbedGateway, startGatewayWith } from '../harness/gateway.js';
import { forgetPeakOf, memoryOf, peakKiBOf } from '../harness/process-figures.js';
import { atLeast, atMost, type Row } from '../harness/report.js';
import type { LoadClientCommands } from '../harness/roles/load-client.js';
import type { Scenario } from '../harness/scenario.js';
import { spreadOf } from '../harness/spread.js';
import { interleave } from '../harness/windows.js';

const SMALL = 100_000;
const STARTS = { rounds: 5, warmUps: 1 };
interface Start {
  readonly startedInMs: number;
  readonly rssMiB: number;
}

interface Drained {
  readonly perSecond: number;
  readonly peakMiB: number;
  /** When all is sent and garbage is collected. */
  readonly afterMiB: number;
}

export const backlog: Scenario = {
  name: 'backlog',
  title: 'a large backlog: start and memory against an empty log, drain against one of 100 000 writes',
  async run(stage, { entries }) {
    const engine = await startEngineStub(stage);
    const setting: Setting = {
      stage,
      engine,
      door: await doorOf(engine),
      client: stage.startRole<LoadClientCommands>('load-client'),
    };
    const empty = join(stage.temporaryFolder(), 'data');
    const large = await writeBacklog(setting, entries);
    const starts = await interleave<'empty' | 'large', Start>(
      {
        empty: () => startOnce(setting, empty),
        large: () => startOnce(setting, large.dataFolder),
      },
      STARTS,
    );
    const before = await drainSmall(setting);
    const drained = await drain(setting, large.dataFolder, entries);
    const after = await drainSmall(setting);

    const emptyRss = spreadOf(starts.empty.map(({ rssMiB }) => rssMiB)).median;
    const more = (member: keyof Start) =>
      spreadOf(starts.large.map((start, round) => start[member] - (starts.empty[round]?.[member] ?? 0)));
    const small = (before.perSecond + after.perSecond) / 2;
    const rows: Row[] = [
      rateRow(`${entries} sets of 256 B written while the remote is away`, [large.written]),
      { measured: 'start with an empty log', unit: 'ms', spread: spreadOf(starts.empty.map(startOf)) },
      { measured: 'start with the backlog', unit: 'ms', spread: spreadOf(starts.large.map(startOf)) },
      { measured: 'start, backlog - empty', unit: 'ms', spread: more('startedInMs'), target: atMost(150) },
      {
        measured: 'RSS after the start, backlog - empty',
        unit: 'MiB',
        spread: more('rssMiB'),
        target: atMost(16),
      },
      {
        measured: 'largest RSS while it drains, backlog - empty',
        unit: 'MiB',
        spread: spreadOf([drained.peakMiB - emptyRss]),
        target: atMost(200),
      },
      {
        measured: 'RSS after it has drained, backlog - empty',
        unit: 'MiB',
        spread: spreadOf([drained.afterMiB - emptyRss]),
      },
      rateRow(`drain of ${SMALL}, before and after`, [before, after]),
      rateRow(`drain of ${entries}`, [drained]),
      ratioRow(`drain, ${entries} / ${SMALL}`, [drained.perSecond], [small], atLeast(0.9)),
    ];
    return { rows, notes: notesOnRefusals('written while the remote is away', [large.written]) };
  },
};

interface Setting extends BacklogSetting {
  readonly engine: EngineStub;
}

const startOf = ({ startedInMs }: Start) => startedInMs;

async function startOnce(setting: Setting, dataFolder: string): Promise<Start> {
  const gateway = await startAgain(setting, dataFolder);
  const rssMiB = await settledRss(gateway);
  await setting.stage.end(gateway.program);
  return { startedInMs: gateway.startedInMs, rssMiB };
}

async function settledRss({ probe, pid }: ProbedGateway): Promise<number> {
  await sleep(1_000);
  await probe.collectGarbage({});
  return memoryOf(pid).rssKiB / 1024;
}

function startAgain({ stage, door }: Setting, dataFolder: string): Promise<ProbedGateway> {
  return startGatewayWith(stage, { remoteUrl: door.url, options: BACKLOG_OPTIONS, dataFolder });
}

async function drainSmall(setting: Setting): Promise<Drained> {
  const { dataFolder } = await writeBacklog(setting, SMALL);
  return drain(setting, dataFolder, SMALL);
}

async function drain(setting: Setting, dataFolder: string, entries: number): Promise<Drained> {
  const { engine, door, stage } = setting;
  const gateway = await startAgain(setting, dataFolder);
  forgetPeakOf(gateway.pid);
  await engine.commands.countWrites({ writes: entries });
  await door.open();
  const { perSecond } = await engine.commands.counted({});
  const peakMiB = peakKiBOf(gateway.pid) / 1024;
  const afterMiB = await settledRss(gateway);
  await stage.end(gateway.program);
  await door.shut();
  return { perSecond, peakMiB, afterMiB };
}
