import { once } from 'node:events';
import { type Backlog, writeBacklog } from '../harness/backlog.js';
import { notesOnRefusals, rateRow } from '../harness/compare.js';
import { doorOf, startEngineStub } from '../harness/engine.js';
import { gatewayEntry } from '../harness/gateway.js';
import { anonymousKiBOf, peakKiBOf } from '../harness/process-figures.js';
import { atMost, type Row } from '../harness/report.js';
import type { LoadClientCommands } from '../harness/roles/load-client.js';
import type { Scenario } from '../harness/scenario.js';
import { spreadOf } from '../harness/spread.js';
import type { Stage } from '../harness/stage.js';
import { interleave } from '../harness/windows.js';

const LOOKS = { rounds: 3, warmUps: 1 };
const TIMES_SMALLER = 10;

interface Look {
  readonly ms: number;
  readonly peakMiB: number;
  /** Without the store's files, which LevelDB maps: they take no memory that others need. */
  readonly ownPeakMiB: number;
}

export const storeVerify: Scenario = {
  name: 'store-verify',
  title: '`store verify` of a large log: time, and memory against that of a log ten times smaller',
  async run(stage, { entries }) {
    const engine = await startEngineStub(stage);
    const client = stage.startRole<LoadClientCommands>('load-client');
    const setting = { stage, client, door: await doorOf(engine) };
    const few = Math.ceil(entries / TIMES_SMALLER);
    const small = await writeBacklog(setting, few);
    const large = await writeBacklog(setting, entries);
    const looks = await interleave<'small' | 'large', Look>(
      {
        small: () => verify(stage, small, few),
        large: () => verify(stage, large, entries),
      },
      LOOKS,
    );
    const figures = (side: 'small' | 'large', member: keyof Look) => looks[side].map((look) => look[member]);
    const own = figures('small', 'ownPeakMiB');
    const more = figures('large', 'ownPeakMiB').map((peak, round) => peak - (own[round] ?? Number.NaN));
    const rows: Row[] = [
      rateRow(`${entries} sets of 256 B written while the remote is away`, [large.written]),
      { measured: `verify of ${few}`, unit: 'ms', spread: spreadOf(figures('small', 'ms')) },
      {
        measured: `verify of ${entries}`,
        unit: 'ms',
        spread: spreadOf(figures('large', 'ms')),
        target: atMost(10_000),
      },
      { measured: `largest RSS, ${few}`, unit: 'MiB', spread: spreadOf(figures('small', 'peakMiB')) },
      { measured: `largest RSS, ${entries}`, unit: 'MiB', spread: spreadOf(figures('large', 'peakMiB')) },
      {
        measured: `largest RSS without mapped files, ${entries} - ${few}`,
        unit: 'MiB',
        spread: spreadOf(more),
        target: atMost(64),
      },
    ];
    return { rows, notes: notesOnRefusals('written while the remote is away', [large.written]) };
  },
};

/** From the start of the command to its end, which must find the store whole and every write in it. */
async function verify(stage: Stage, { dataFolder }: Backlog, entries: number): Promise<Look> {
  const begin = performance.now();
  const command = [gatewayEntry(), 'store', 'verify', '--json', '--data-dir', dataFolder];
  const program = stage.startProgram('store verify', process.execPath, command);
  let peakKiB = 0;
  let ownPeakKiB = 0;
  const watch = setInterval(() => {
    peakKiB = Math.max(peakKiB, peakKiBOf(program.pid) || 0);
    ownPeakKiB = Math.max(ownPeakKiB, anonymousKiBOf(program.pid) || 0);
  }, 20);
  program.child.once('exit', () => clearInterval(watch));
  const [code] = await once(program.child, 'close');
  const ms = performance.now() - begin;
  const told = program.lastWords();
  const found = /"entries": (\d+)/.exec(told)?.[1];
  if (code !== 0 || Number(found) !== entries)
    throw new Error(`store verify ended with code ${code} and ${found} writes of ${entries}:\n${told}`);
  return { ms, peakMiB: peakKiB / 1024, ownPeakMiB: ownPeakKiB / 1024 };
}
