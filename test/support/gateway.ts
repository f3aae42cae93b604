import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadConfig } from '../../src/config/load.js';
import { createGateway } from '../../src/gateway.js';
import { type SilentLogger, silentLogger } from './silent-logger.js';
import { tempDir } from './temp-dir.js';

export interface GatewayOptions {
  /** The engine where state lives; without one it lives in the gateway's memory. */
  remote?: string;
  /** Where workers connect; any free port unless it is named (a restart on the same one). */
  port?: number;
  /** More of the block `iii-state-gateway`, and of `iii-state`; `state: false` leaves the latter out. */
  gateway?: object;
  state?: object | false;
  /** A folder that outlives the gateway; without one it gets its own, and it goes with the gateway. */
  dataDir?: string;
}

export interface RunningGateway {
  /** Where workers connect. */
  url: string;
  port: number;
  /** What it logged so far, where it can be looked at. */
  log: () => string;
  stop(): Promise<void>;
}

/** A gateway within this process. */
export async function startGateway(options: GatewayOptions = {}): Promise<RunningGateway> {
  const folder = await tempDir();
  const logger = silentLogger();
  try {
    const file = await writeConfig(folder.path, options);
    const gateway = createGateway(loadConfig({ file, env: {} }).config, { logger, version: 'test' });
    const { listener } = await gateway.start();
    return {
      url: `ws://${listener.host}:${listener.port}`,
      port: listener.port,
      log: () => linesOf(logger),
      stop: async () => {
        await gateway.stop();
        await folder.remove();
      },
    };
  } catch (error) {
    await folder.remove();
    throw error;
  }
}

/** Writes the configuration that a gateway of a test runs with; gives the file's path. */
export async function writeConfig(folder: string, options: GatewayOptions): Promise<string> {
  const file = join(folder, 'gateway.yaml');
  await writeFile(file, configOf(options, folder));
  return file;
}

/** JSON is YAML, whatever is in the path. */
function configOf({ remote, port = 0, dataDir, gateway, state }: GatewayOptions, folder: string): string {
  const adapter =
    remote === undefined
      ? { name: 'kv', config: { store_method: 'in_memory' } }
      : { name: 'bridge', config: { bridge_url: remote } };
  const ours = {
    data_dir: dataDir ?? join(folder, 'data'),
    admin: 'off',
    remote: { reconnect_ms: [50, 500] }, // a test does not wait a second for a hub that came back
    ...gateway,
  };
  return JSON.stringify({
    workers: [
      { name: 'iii-worker-manager', config: { host: '127.0.0.1', port } },
      ...(state === false ? [] : [{ name: 'iii-state', config: { adapter, ...state } }]),
      { name: 'iii-state-gateway', config: ours },
    ],
  });
}

function linesOf({ lines }: SilentLogger): string {
  return lines
    .map(({ level, facts, sentence }) => `${level}: ${sentence} ${JSON.stringify(facts)}`)
    .join('\n');
}
