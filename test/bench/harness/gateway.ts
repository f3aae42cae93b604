import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { commandsOf } from './remote-commands.js';
import { freePort, listensOn, type Program, type Stage } from './stage.js';
import type { Json } from './wire.js';

export interface Gateway {
  readonly program: Program;
  readonly pid: number;
  readonly url: string;
  readonly dataFolder: string;
  /** From the start of its process to the line that says it listens. */
  readonly startedInMs: number;
}

export interface ProbeCommands {
  /** Collects garbage thoroughly and tells what stays in the heap and in buffers. */
  collectGarbage(input: Record<string, never>): Promise<{ readonly heapKiB: number }>;
  watchEventLoop(input: Record<string, never>): Promise<void>;
  /** The longest time since then in which nothing else could run. */
  longestStall(input: Record<string, never>): Promise<{ readonly ms: number }>;
}

export interface ProbedGateway extends Gateway {
  readonly probe: ProbeCommands;
}

/** The gateway in front of a remote engine. */
export async function startGatewayTo(stage: Stage, remoteUrl: string): Promise<Gateway> {
  return startGateway(stage, await flagsToward(stage, remoteUrl));
}

/** The same, able to collect its garbage when asked. */
export async function startProbedGatewayTo(stage: Stage, remoteUrl: string): Promise<ProbedGateway> {
  return withProbe(await startGateway(stage, await flagsToward(stage, remoteUrl), PROBE));
}

export interface Setup {
  readonly remoteUrl: string;
  /** Of the block `iii-state-gateway`. */
  readonly options?: { readonly [option: string]: Json };
  /** Kept from an earlier gateway; an empty one if left out. */
  readonly dataFolder?: string;
}

/** The gateway in front of a remote engine, with options and with the probe. */
export async function startGatewayWith(stage: Stage, setup: Setup): Promise<ProbedGateway> {
  const { remoteUrl, options = {}, dataFolder = join(stage.temporaryFolder(), 'data') } = setup;
  const port = await freePort();
  const file = writeConfiguration(stage, [
    { name: 'iii-worker-manager', config: { host: '127.0.0.1', port } },
    { name: 'iii-state', config: { adapter: { name: 'bridge', config: { bridge_url: remoteUrl } } } },
    { name: 'iii-state-gateway', config: { ...options, data_dir: dataFolder } },
  ]);
  return withProbe(await startGateway(stage, { port, dataFolder, args: ['--config', file] }, PROBE));
}

const PROBE = ['--expose-gc', '--import', new URL('./probe.mjs', import.meta.url).href];

function withProbe(gateway: Gateway): ProbedGateway {
  return { ...gateway, probe: commandsOf<ProbeCommands>(gateway.program.child, 'gateway') };
}

/** The gateway as an engine of its own, with its State in memory. */
export async function startEmbeddedGateway(stage: Stage): Promise<Gateway> {
  const port = await freePort();
  const dataFolder = join(stage.temporaryFolder(), 'data');
  const file = writeConfiguration(stage, [
    { name: 'iii-worker-manager', config: { host: '127.0.0.1', port } },
    { name: 'iii-state', config: { adapter: { name: 'kv', config: { store_method: 'in_memory' } } } },
    { name: 'iii-state-gateway', config: { data_dir: dataFolder } },
  ]);
  return startGateway(stage, { port, dataFolder, args: ['--config', file] });
}

/** JSON is YAML too. */
function writeConfiguration(stage: Stage, workers: Json): string {
  const file = join(stage.temporaryFolder(), 'gateway.yaml');
  writeFileSync(file, JSON.stringify({ workers }));
  return file;
}

interface Start {
  readonly port: number;
  readonly dataFolder: string;
  readonly args: readonly string[];
}

async function flagsToward(stage: Stage, remoteUrl: string): Promise<Start> {
  const port = await freePort();
  const dataFolder = join(stage.temporaryFolder(), 'data');
  const listener = ['--host', '127.0.0.1', '--port', String(port)];
  return { port, dataFolder, args: ['--remote', remoteUrl, ...listener, '--data-dir', dataFolder] };
}

/** Ready when it has printed its start line and accepts connections. */
async function startGateway(
  stage: Stage,
  { port, dataFolder, args }: Start,
  nodeOptions: readonly string[] = [],
): Promise<Gateway> {
  // Any free port for metrics and commands: several gateways run side by side.
  const command = [...nodeOptions, gatewayEntry(), 'start', ...args, '--admin-port', '0'];
  const begin = performance.now();
  const program = stage.startProgram('gateway', process.execPath, command, {
    channel: nodeOptions.length > 0,
    env: { REMOTE_III_URL: '' },
  });
  await program.firstLine;
  const startedInMs = performance.now() - begin;
  await listensOn(program, port);
  return { program, pid: program.pid, url: `ws://127.0.0.1:${port}`, dataFolder, startedInMs };
}

/** `BENCH_GATEWAY` names another build to measure. */
export function gatewayEntry(): string {
  const built = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));
  const entry = process.env['BENCH_GATEWAY'] ?? built;
  if (!existsSync(entry)) throw new Error(`${entry} is not there: run "npm run build" first`);
  return entry;
}
