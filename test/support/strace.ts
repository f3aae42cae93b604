import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { on, once } from 'node:events';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'vitest';
import { type GatewayOptions, type RunningGateway, writeConfig } from './gateway.js';

const COMMAND = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
/** Every call to the system that is traced takes longer, and so does a start. */
const START_MS = 15_000;

/**
 * Defines a suite in which the system itself fails as the test says. Where that cannot be had it is skipped, by a
 * sentence that says why; where all tools are required, it fails.
 */
export function describeTraced(name: string, define: () => void): void {
  const missing = whatIsMissing();
  if (missing === undefined) describe(name, define);
  else if (process.env['REQUIRE_TOOLS'] === '1')
    it(name, () => {
      throw new Error(missing);
    });
  else describe.skip(`${name}: ${missing}`, define);
}

function whatIsMissing(): string | undefined {
  const { error, status, stderr } = spawnSync('strace', ['-o', '/dev/null', 'true'], { encoding: 'utf8' });
  if (error) return 'the package strace is not installed; get it with: apt-get install strace';
  return status === 0 ? undefined : `strace may trace nothing here: ${stderr.trim()}`;
}

/** What becomes of the calls by which a process brings its files to the disk. */
export type SyncFault =
  /** Each thread's first `spared` succeed, all later ones fail. A start needs a dozen. */
  { kind: 'fails'; spared: number } | { kind: 'slow'; ms: number };

export interface TracedGateway extends RunningGateway {
  pid: number;
  /** How often it synced a file so far. */
  syncs(): number;
  isAlive(): boolean;
  /** `kill -9`; resolves when it is gone. */
  kill(): Promise<void>;
}

/** A gateway in a process of its own, on a disk that fails or dawdles. Its trace lies beside its data. */
export async function startTraced(
  fault: SyncFault,
  { dataDir, ...options }: GatewayOptions & { dataDir: string },
): Promise<TracedGateway> {
  const folder = dirname(dataDir);
  const trace = join(folder, 'trace');
  const config = await writeConfig(folder, { ...options, dataDir });
  // By -D it is strace that is the child's child, so that signals and the exit code are the gateway's.
  const tracing = ['-D', '-f', '-o', trace, '-e', 'trace=fdatasync', '-e', `inject=${injection(fault)}`];
  const command = [process.execPath, COMMAND, 'start', '--config', config, '--admin-port', '0'];
  const child = spawn('strace', [...tracing, ...command], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'] },
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  const kill = () => end(child);
  try {
    const url = await urlIn(child).catch((error: unknown) => {
      throw new Error(`the gateway did not get ready: ${log}`, { cause: error });
    });
    return {
      url,
      port: Number(new URL(url).port),
      pid: child.pid as number,
      log: () => log,
      syncs: () => (readFileSync(trace, 'utf8').match(/fdatasync\(/g) ?? []).length,
      isAlive: () => isRunning(child),
      kill,
      stop: kill,
    };
  } catch (error) {
    await kill();
    throw error;
  }
}

function injection(fault: SyncFault): string {
  switch (fault.kind) {
    case 'fails':
      return `fdatasync:error=EIO:when=${fault.spared + 1}+`;
    case 'slow':
      return `fdatasync:delay_exit=${fault.ms * 1000}`;
  }
}

async function urlIn(child: ChildProcess): Promise<string> {
  const lines = createInterface({ input: child.stdout as Readable });
  const signal = AbortSignal.timeout(START_MS);
  for await (const [line] of on(lines, 'line', { signal, close: ['close'] })) {
    const [url] = /ws:\/\/\S+:\d+/.exec(String(line)) ?? [];
    if (url !== undefined) return url;
  }
  throw new Error('it ended');
}

async function end(child: ChildProcess): Promise<void> {
  if (!isRunning(child)) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

function isRunning({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode === null && signalCode === null;
}
