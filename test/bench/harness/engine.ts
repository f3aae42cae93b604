import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EngineStubCommands } from './roles/engine-stub.js';
import { freePort, listensOn, type Stage } from './stage.js';

export interface Engine {
  readonly pid: number;
  readonly url: string;
}

export interface EngineStub extends Engine {
  readonly commands: EngineStubCommands;
}

/** The lean engine of the harness. */
export async function startEngineStub(stage: Stage): Promise<EngineStub> {
  const { pid, commands } = stage.startRole<EngineStubCommands>('engine-stub');
  const { port } = await commands.listen({});
  return { pid, url: `ws://127.0.0.1:${port}`, commands };
}

/** An address of the lean engine where it can be there or away; it is away at first. */
export interface Door {
  readonly url: string;
  open(): Promise<void>;
  /** Ends the connections through it and refuses new ones. */
  shut(): Promise<void>;
}

export async function doorOf({ commands }: EngineStub): Promise<Door> {
  const port = await freePort();
  return {
    url: `ws://127.0.0.1:${port}`,
    open: async () => void (await commands.listen({ port })),
    shut: () => commands.hangUp({ port }),
  };
}

/** A real iii engine that keeps its State in memory. */
export function startRealEngine(stage: Stage, binary: string): Promise<Engine> {
  return startIii(stage, binary, 'engine', '{ name: kv, config: { store_method: in_memory } }');
}

/** A real iii engine whose State is another engine's, through its own Bridge adapter. */
export function startBridgingEngine(stage: Stage, binary: string, bridgeUrl: string): Promise<Engine> {
  return startIii(
    stage,
    binary,
    'bridging engine',
    `{ name: bridge, config: { bridge_url: "${bridgeUrl}" } }`,
  );
}

/** Each engine gets an empty folder of its own: it copies its configuration there and reads only the copy later. */
async function startIii(stage: Stage, binary: string, name: string, adapter: string): Promise<Engine> {
  const port = await freePort();
  const folder = stage.temporaryFolder();
  mkdirSync(join(folder, 'home'));
  writeFileSync(
    join(folder, 'config.yaml'),
    `workers:
  - name: iii-worker-manager
    config: { host: 127.0.0.1, port: ${port} }
  - name: iii-state
    config:
      adapter: ${adapter}
`,
  );
  const program = stage.startProgram(name, binary, ['--config', 'config.yaml', '--no-update-check'], {
    cwd: folder,
    env: { HOME: join(folder, 'home'), ...QUIET },
  });
  await listensOn(program, port, 30_000);
  return { pid: program.pid, url: `ws://127.0.0.1:${port}` };
}

/** No reports to anybody, and no helpers beside the engine. */
const QUIET = {
  III_TELEMETRY_ENABLED: 'false',
  OTEL_ENABLED: 'false',
  IIIWORKER_DISABLE_BUILTIN_DAEMONS: '1',
};
