import type { Row, Target } from './report.js';
import type { LoadClientCommands, LoadWindow, Measurement } from './roles/load-client.js';
import { ratios, spreadOf } from './spread.js';
import type { Role } from './stage.js';
import { interleave, type Pace } from './windows.js';
import type { Workload } from './workload.js';

export interface Load {
  readonly workload: Workload;
  readonly inFlight: number;
}

/** Runs the same load against each side in turn; `around` may watch a process during a window. */
export function takeTurns<Side extends string, Result extends LoadWindow = LoadWindow>(
  client: Role<LoadClientCommands>,
  sides: readonly Side[],
  load: Load,
  pace: Pace,
  around: (measure: () => Promise<LoadWindow>, side: Side) => Promise<Result> = (measure) =>
    measure() as Promise<Result>,
): Promise<Record<Side, Result[]>> {
  const windowOf = (side: Side) => () => {
    const measurement: Measurement = { side, ...load, windowMs: pace.windowMs };
    return around(() => client.commands.measure(measurement), side);
  };
  const windows = Object.fromEntries(sides.map((side) => [side, windowOf(side)]));
  return interleave(windows as Record<Side, () => Promise<Result>>, pace);
}

/** Connects to every side and makes sure that each reads back what it was given. */
export async function prepareSides(
  client: Role<LoadClientCommands>,
  urls: Readonly<Record<string, string>>,
  connections: number,
  workloads: readonly Workload[],
): Promise<void> {
  for (const [side, url] of Object.entries(urls)) {
    await client.commands.connect({ side, url, connections });
    for (const workload of workloads) await client.commands.fill({ side, workload });
  }
}

/** What every kind of window tells. */
export type Timed = Pick<LoadWindow, 'perSecond' | 'p50Ms'>;

export function rateRow(what: string, windows: readonly Pick<Timed, 'perSecond'>[]): Row {
  return { measured: what, unit: 'op/s', spread: spreadOf(windows.map(({ perSecond }) => perSecond)) };
}

export function p50Row(what: string, windows: readonly Pick<Timed, 'p50Ms'>[]): Row {
  return { measured: what, unit: 'ms', spread: spreadOf(windows.map(({ p50Ms }) => p50Ms)) };
}

export function rateRatioRow(
  what: string,
  above: readonly Pick<Timed, 'perSecond'>[],
  below: readonly Pick<Timed, 'perSecond'>[],
  target?: Target,
): Row {
  const rates = (windows: readonly Pick<Timed, 'perSecond'>[]) => windows.map(({ perSecond }) => perSecond);
  return ratioRow(what, rates(above), rates(below), target);
}

export function p50RatioRow(
  what: string,
  above: readonly LoadWindow[],
  below: readonly LoadWindow[],
  target?: Target,
): Row {
  const medians = (windows: readonly LoadWindow[]) => windows.map(({ p50Ms }) => p50Ms);
  return ratioRow(what, medians(above), medians(below), target);
}

export function ratioRow(
  what: string,
  above: readonly number[],
  below: readonly number[],
  target?: Target,
): Row {
  const row: Row = { measured: what, unit: 'ratio', spread: spreadOf(ratios(above, below)) };
  return target ? { ...row, target } : row;
}

/** A refused call is answered quickly, so it must not pass for speed. */
export function notesOnRefusals(what: string, windows: readonly LoadWindow[]): string[] {
  const refused = windows.reduce((sum, window) => sum + window.refused, 0);
  if (refused === 0) return [];
  const example = windows.find(({ firstRefusal }) => firstRefusal)?.firstRefusal;
  return [`${what}: ${refused} calls were refused, for example ${example}`];
}
