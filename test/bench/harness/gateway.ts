import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { commandsOf } from './remote-commands.js';
import { freePort, listensOn, type Program, type Stage } from './stage.js';

export interface Gateway {
  readonly program: Program;
  readonly pid: number;
  readonly url: string;
}

export interface ProbeCommands {
  /** Collects garbage thoroughly and tells what stays in the heap and in buffers. */
  collectGarbage(input: Record<string, never>): Promise<{ readonly heapKiB: number }>;
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
  const probe = new URL('./probe.mjs', import.meta.url).href;
  const gateway = await startGateway(stage, await flagsToward(stage, remoteUrl), [
    '--expose-gc',
    '--import',
    probe,
  ]);
  return { ...gateway, probe: commandsOf<ProbeCommands>(gateway.program.child, 'gateway') };
}

/** The gateway as an engine of its own, with its State in memory. */
export async function startEmbeddedGateway(stage: Stage): Promise<Gateway> {
  const port = await freePort();
  const folder = stage.temporaryFolder();
  const file = join(folder, 'gateway.yaml');
  writeFileSync(
    file,
    `workers:
  - name: iii-worker-manager
    config: { host: 127.0.0.1, port: ${port} }
  - name: iii-state
    config: { adapter: { name: kv, config: { store_method: in_memory } } }
  - name: iii-state-gateway
    config: { data_dir: ${JSON.stringify(join(folder, 'data'))} }
`,
  );
  return startGateway(stage, { port, args: ['--config', file] });
}

interface Start {
  readonly port: number;
  readonly args: readonly string[];
}

async function flagsToward(stage: Stage, remoteUrl: string): Promise<Start> {
  const port = await freePort();
  const dataFolder = join(stage.temporaryFolder(), 'data');
  const listener = ['--host', '127.0.0.1', '--port', String(port)];
  return { port, args: ['--remote', remoteUrl, ...listener, '--data-dir', dataFolder] };
}

/** Ready when it has printed its start line and accepts connections. */
async function startGateway(
  stage: Stage,
  { port, args }: Start,
  nodeOptions: readonly string[] = [],
): Promise<Gateway> {
  const command = [...nodeOptions, gatewayEntry(), 'start', ...args];
  const program = stage.startProgram('gateway', process.execPath, command, {
    channel: nodeOptions.length > 0,
    env: { REMOTE_III_URL: '' },
  });
  await program.firstLine;
  await listensOn(program, port);
  return { program, pid: program.pid, url: `ws://127.0.0.1:${port}` };
}

/** `BENCH_GATEWAY` names another build to measure. */
function gatewayEntry(): string {
  const built = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));
  const entry = process.env['BENCH_GATEWAY'] ?? built;
  if (!existsSync(entry)) throw new Error(`${entry} is not there: run "npm run build" first`);
  return entry;
}
