import type { GatewayAddresses } from '../../gateway.js';
import { EXIT } from '../exit.js';
import { openLog } from '../log.js';
import { loadSettings, type Settings } from '../settings.js';
import { watchSignals } from '../signals.js';
import type { Terminal } from '../terminal.js';

/**
 * How long after the first signal the process is still there to hear its echo: npm passes on the Ctrl-C that the
 * terminal has sent already, and one that finds the process on its way out would kill it, with an exit code that tells of failure.
 */
const ECHO_MS = 100;

/** Runs the gateway until a signal ends it. */
export async function start(settings: Settings, version: string, terminal: Terminal): Promise<void> {
  const { config } = loadSettings(settings, terminal);
  const logger = openLog(config.log, {
    isTerminal: terminal.isTerminal,
    write: (text) => terminal.err(text),
  });
  // Before the gateway starts: a signal that comes meanwhile must not cut its start in two.
  const signals = watchSignals(terminal.signals, () => terminal.exit(EXIT.failed));
  try {
    const gateway = terminal.createGateway(config, { logger, version });
    const addresses = await gateway.start();
    terminal.out(`${startLine(version, addresses, config.dataDir)}\n`);
    const signal = await signals.first;
    const saidAt = terminal.now();
    logger.info({ signal }, 'stopping');
    await gateway.stop();
    await terminal.sleep(Math.max(0, saidAt + ECHO_MS - terminal.now()));
  } catch (error) {
    if (error instanceof Error) logger.debug({ stack: error.stack }, 'the gateway failed');
    throw error;
  } finally {
    signals.dispose();
  }
}

function startLine(version: string, addresses: GatewayAddresses, dataDir: string): string {
  const { listener, admin, state } = addresses;
  const parts = [
    `workers connect to ws://${hostAndPort(listener)}`,
    `data folder: ${dataDir}`,
    ...(admin ? [`status and metrics: http://${hostAndPort(admin)}`] : []),
    `state: ${state}`,
  ];
  return `iii-state-gateway ${version} is ready: ${parts.join('; ')}`;
}

function hostAndPort({ host, port }: GatewayAddresses['listener']): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
