import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

/** CPU time of all threads of a process so far. The scheduler's own figure, in nanoseconds; ticks where it has none. */
export function cpuMicrosecondsOf(pid: number): number {
  const nanoseconds = readdirSync(`/proc/${pid}/task`).map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]),
  );
  const total = nanoseconds.reduce((sum, part) => sum + part, 0);
  return total > 0 ? total / 1_000 : cpuTicksOf(pid) * 10_000;
}

function cpuTicksOf(pid: number): number {
  const afterName = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1] ?? '';
  const fields = afterName.split(' ');
  return Number(fields[11]) + Number(fields[12]); // utime, stime
}

export interface MemoryFigures {
  readonly rssKiB: number;
  readonly anonymousKiB: number;
}

export function memoryOf(pid: number): MemoryFigures {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const read = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]);
  return { rssKiB: read('Rss'), anonymousKiB: read('Anonymous') };
}

/** Largest resident memory of a process since its start, or since `forgetPeakOf`. */
export function peakKiBOf(pid: number): number {
  return statusOf(pid, 'VmHWM');
}

/** Resident memory of a process without the files that it has mapped; NaN once it has ended. */
export function anonymousKiBOf(pid: number): number {
  return statusOf(pid, 'RssAnon');
}

function statusOf(pid: number, field: string): number {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]);
}

export function forgetPeakOf(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** Runs something and tells how much CPU a process used meanwhile. */
export async function withCpuOf<Result>(
  pid: number,
  run: () => Promise<Result>,
): Promise<Result & { readonly cpuMicroseconds: number }> {
  const before = cpuMicrosecondsOf(pid);
  const result = await run();
  return { ...result, cpuMicroseconds: cpuMicrosecondsOf(pid) - before };
}
