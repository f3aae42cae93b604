import type { Door } from './engine.js';
import { startGatewayWith } from './gateway.js';
import type { LoadClientCommands, LoadWindow } from './roles/load-client.js';
import type { Role, Stage } from './stage.js';

/** Options of a gateway whose log takes millions of writes. */
export const BACKLOG_OPTIONS = {
  remote: { reconnect_ms: [100, 100] },
  limits: { log_entries: 10_000_000, log_bytes: 16 * 1024 ** 3, min_free_bytes: 0 },
};

export interface BacklogSetting {
  readonly stage: Stage;
  readonly door: Door;
  readonly client: Role<LoadClientCommands>;
}

export interface Backlog {
  readonly dataFolder: string;
  readonly written: LoadWindow;
}

/** The data folder of a stopped gateway, with so many writes for a remote that is away. */
export async function writeBacklog(
  { stage, door, client }: BacklogSetting,
  entries: number,
): Promise<Backlog> {
  const gateway = await startGatewayWith(stage, { remoteUrl: door.url, options: BACKLOG_OPTIONS });
  await client.commands.connect({ side: 'gateway', url: gateway.url, connections: 8 });
  const written = await client.commands.callAll({
    side: 'gateway',
    workload: { functionId: 'state::set', scope: 'backlog', keys: entries, valueBytes: 256 },
    calls: entries,
    inFlight: 1_024,
  });
  await client.commands.disconnect({ side: 'gateway' });
  await stage.end(gateway.program);
  return { dataFolder: gateway.dataFolder, written };
}
