import fc from 'fast-check';
import { lives } from './arbitraries.js';
import { settle } from './disturbances.js';
import { GatewayModel } from './gateway-model.js';
import { Site, type Tamper } from './site.js';

export interface ModelRun {
  runs: number;
  seed: number;
  /** Of an earlier failure, as it was printed. */
  path?: string | undefined;
  replayPath?: string | undefined;
  /** Something planted, to see whether it is noticed. */
  plant?: (() => Tamper) | undefined;
  /** Default true; without it the first sequence that fails is given as it is. */
  isShrunk?: boolean;
}

const MOST_COMMANDS = 60;
/** Ten times what a life takes, and time to shrink one. */
export const mostMs = (runs: number): number => 60_000 + runs * 2000;

/** Lives that a gateway leads like the plain maps, whatever becomes of its link; undefined, or the report of one that differs. */
export async function differenceIn(run: ModelRun): Promise<string | undefined> {
  const { runs, seed, path, replayPath, plant, isShrunk = true } = run;
  const property = fc.asyncProperty(lives(MOST_COMMANDS, replayPath), (commands) =>
    live(commands, plant?.()),
  );
  const details = await fc.check(property, {
    numRuns: runs,
    seed,
    ...(path === undefined ? {} : { path }),
    unbiased: true, // bias is for short lives
    endOnFailure: !isShrunk,
    interruptAfterTimeLimit: mostMs(runs),
    markInterruptAsFailure: true,
  });
  return details.failed ? `${fc.defaultReportMessage(details)}\n${details.errorInstance}` : undefined;
}

type Life = Parameters<typeof fc.asyncModelRun<GatewayModel, Site, false, GatewayModel>>[1];

async function live(commands: Life, tamper: Tamper | undefined): Promise<void> {
  const site = await Site.start(tamper);
  const model = new GatewayModel();
  try {
    await fc.asyncModelRun(() => ({ model, real: site }), commands);
    if (model.link === 'down') {
      await site.restore();
      model.link = 'returning';
    }
    await settle(model, site);
  } finally {
    await site.stop();
  }
}
