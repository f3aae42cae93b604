import { type ChildProcess, spawn } from 'node:child_process';
import { on, once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { type GatewayOptions, type RunningGateway, writeConfig } from './gateway.js';
import { tempDir } from './temp-dir.js';

const COMMAND = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
/** A gateway of a machine under load is slow to start, but not that slow. */
const START_MS = 15_000;
/** Any free one: of gateways side by side each would want the same. */
const OWN_ADMIN_PORT = ['--admin-port', '0'];

export interface GatewayProcess extends RunningGateway {
  /** The line it said when it was ready. */
  startLine: string;
  /** Ends it by a signal and waits for its end; gives the exit code, `null` where the signal left it none. */
  signal(signal: NodeJS.Signals): Promise<number | null>;
}

/** A gateway with a configuration file, in a process of its own; `signal` kills it, even while it starts. */
export async function startGatewayProcess({
  signal,
  ...options
}: GatewayOptions & { signal?: AbortSignal } = {}): Promise<GatewayProcess> {
  const folder = await tempDir();
  const config = await writeConfig(folder.path, options);
  try {
    const more = signal ? { signal } : {};
    const gateway = await startCommand(['--config', config], { cwd: folder.path, ...more });
    return { ...gateway, stop: () => gateway.stop().finally(() => folder.remove()) };
  } catch (error) {
    await folder.remove();
    throw error;
  }
}

/** `iii-state-gateway start` as people type it, from the built command; resolves when it is ready. */
export async function startCommand(
  flags: string[],
  { cwd, env = {}, signal }: { cwd: string; env?: Record<string, string>; signal?: AbortSignal },
): Promise<GatewayProcess> {
  if (!existsSync(COMMAND)) throw new Error(`${COMMAND} is not there; run "npm run build" first`);
  const child = spawn(process.execPath, [COMMAND, 'start', ...OWN_ADMIN_PORT, ...flags], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], ...env },
  });
  const log = collect(child.stderr);
  signal?.addEventListener('abort', () => child.kill('SIGKILL'));
  try {
    const startLine = await firstLine(child, log);
    const url = /ws:\/\/\S+:\d+/.exec(startLine)?.[0] ?? '';
    return {
      url,
      port: Number(new URL(url).port),
      startLine,
      log,
      signal: (signal) => end(child, signal),
      stop: async () => void (await end(child, 'SIGTERM')),
    };
  } catch (error) {
    await end(child, 'SIGKILL');
    throw error;
  }
}

async function firstLine(child: ChildProcess, log: () => string): Promise<string> {
  const lines = createInterface({ input: child.stdout as Readable });
  const signal = AbortSignal.timeout(START_MS);
  for await (const [line] of on(lines, 'line', { signal, close: ['close'] })) return String(line);
  throw new Error(`the gateway ended before it was ready: ${log()}`);
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }
  return child.exitCode;
}

function collect(stream: Readable): () => string {
  let text = '';
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  return () => text;
}
