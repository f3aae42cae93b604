import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, it } from 'vitest';
import { tempDir } from '../support/temp-dir.js';

const BINARY = process.env['III_ENGINE'];
const START_MS = 20_000;

/** Defines a suite where `III_ENGINE` names the binary of an iii engine; elsewhere it says that nothing was run. */
export function describeEngine(name: string, define: () => void): void {
  if (BINARY) {
    describe(name, define);
    return;
  }
  const sentence = 'not run, because III_ENGINE does not name the binary of an iii engine';
  console.warn(`${name}: ${sentence}`);
  describe(name, () => it.skip(sentence, () => {}));
}

export interface EngineOptions {
  /** The engine that it bridges its state to; without one it keeps the state in memory. */
  bridgeUrl?: string;
  /** Any free port, unless it must be this one (a restart). */
  port?: number;
}

export interface Engine {
  url: string;
  port: number;
  stop(): Promise<void>;
}

/** Runs a real engine in an empty folder: it writes beside its configuration, and reads what it once wrote. */
export async function startEngine({ bridgeUrl, port }: EngineOptions = {}): Promise<Engine> {
  if (!BINARY) throw new Error('III_ENGINE does not name an engine');
  const folder = await tempDir();
  const listensAt = port ?? (await freePort());
  await writeFile(join(folder.path, 'config.yaml'), configOf(listensAt, bridgeUrl));
  const home = join(folder.path, 'home');
  await mkdir(home);
  const child = spawn(BINARY, ['--no-update-check', '--config', 'config.yaml'], {
    cwd: folder.path,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], ...quiet(home) },
  });
  const log = tail(child.stdout, child.stderr);
  const stop = async () => {
    await kill(child);
    await folder.remove();
  };
  try {
    await listens(listensAt, child);
  } catch (error) {
    await stop();
    throw new Error(`the engine did not start: ${log()}`, { cause: error });
  }
  return { url: `ws://127.0.0.1:${listensAt}`, port: listensAt, stop };
}

function configOf(port: number, bridgeUrl: string | undefined): string {
  const adapter = bridgeUrl
    ? `{ name: bridge, config: { bridge_url: "${bridgeUrl}" } }`
    : '{ name: kv, config: { store_method: in_memory } }';
  return `
workers:
  - name: iii-worker-manager
    config: { host: 127.0.0.1, port: ${port} }
  - name: iii-state
    config: { adapter: ${adapter} }
`;
}

/** Nothing of an engine under test goes out to the world, and none of its helpers stay behind. */
function quiet(home: string): Record<string, string> {
  return {
    HOME: home,
    XDG_DATA_HOME: home,
    CI: '1',
    NO_COLOR: '1',
    III_TELEMETRY_ENABLED: 'false',
    IIIWORKER_DISABLE_BUILTIN_DAEMONS: '1',
    OTEL_ENABLED: 'false',
  };
}

/** The engine says nothing that could be relied on when it listens; its port does. */
async function listens(port: number, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + START_MS;
  while (child.exitCode === null && Date.now() < deadline) {
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      return;
    } catch {
      await delay(20);
    } finally {
      socket.destroy();
    }
  }
  throw new Error(child.exitCode === null ? 'it does not listen' : `it ended with ${child.exitCode}`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

function tail(...streams: Readable[]): () => string {
  let text = '';
  for (const stream of streams)
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text = (text + chunk).slice(-4000);
    });
  return () => text;
}
