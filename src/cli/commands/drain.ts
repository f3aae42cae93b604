import type { GatewayStatus } from '../../admin/status.js';
import { GatewayError } from '../../errors.js';
import type { Accounts } from '../../replication/operator.js';
import { AdminClient, type Whereabouts } from '../admin-client.js';
import { EXIT } from '../exit.js';
import { countOf, plain } from '../figures.js';
import { ProgressTeller } from '../progress.js';
import type { Terminal } from '../terminal.js';

export interface DrainSettings extends Whereabouts {
  /** Seconds; without it there is no end to the patience. */
  readonly timeout?: number;
  readonly json?: boolean;
}

/** Short at first, so that a drain of nothing much is over at once. */
const FIRST_LOOK_MS = 20;
const LOOK_EVERY_MS = 250;

/** Has a gateway send what it has accepted, and waits until all of it is settled; gives the exit code. */
export async function drain(settings: DrainSettings, terminal: Terminal): Promise<number> {
  const client = await AdminClient.find(settings, terminal);
  const startedAt = terminal.now();
  const before = writesIn(await client.status()); // first, so that what is gone at once counts too
  await client.drain();

  const teller = new ProgressTeller(terminal);
  const timeoutMs = (settings.timeout ?? Number.POSITIVE_INFINITY) * 1000;
  try {
    for (let pauseMs = FIRST_LOOK_MS; ; pauseMs = Math.min(2 * pauseMs, LOOK_EVERY_MS)) {
      const status = await client.status();
      const writes = writesIn(status);
      const elapsedMs = terminal.now() - startedAt;
      const result = {
        drained: settledIn(writes) - settledIn(before),
        left: leftIn(writes),
        held: status.held?.writes ?? 0,
        quarantined: writes.quarantined,
        elapsed_ms: elapsedMs,
      };
      // What waits for an operator is not waited for.
      const isDone = result.left <= result.held;
      if (isDone || elapsedMs >= timeoutMs) {
        teller.end();
        return tellEnd({ ...result, is_done: isDone }, status, settings, terminal);
      }
      const [hindrance] = status.reasons;
      teller.tell({
        done: result.drained,
        left: result.left,
        hindrance: status.link?.state === 'open' ? undefined : hindrance && plain(hindrance),
      });
      await terminal.sleep(Math.min(pauseMs, timeoutMs - elapsedMs));
    }
  } finally {
    teller.end();
  }
}

interface Result {
  is_done: boolean;
  drained: number;
  left: number;
  held: number;
  quarantined: number;
  elapsed_ms: number;
}

function tellEnd(result: Result, status: GatewayStatus, settings: DrainSettings, terminal: Terminal): number {
  const { is_done, drained, left, held, quarantined, elapsed_ms } = result;
  const took = `${countOf(drained, 'write')} in ${(elapsed_ms / 1000).toFixed(1)} s`;
  if (settings.json) terminal.out(`${JSON.stringify(result)}\n`);
  if (!is_done) {
    const why = status.reasons.map((reason) => `; ${plain(reason)}`).join('');
    terminal.err(`drained ${took}, then the time was over: ${countOf(left, 'write')} left${why}\n`);
    return EXIT.failed;
  }
  const waits = held > 0 ? `, and ${countOf(held, 'write')} waiting for a decision about them` : '';
  if (!settings.json) terminal.out(`drained ${took}; ${quarantined} in quarantine${waits}\n`);
  return quarantined > 0 ? EXIT.quarantined : EXIT.done;
}

function writesIn({ writes }: GatewayStatus): Accounts {
  if (writes) return writes;
  const message = 'This gateway has no remote engine that writes wait for: there is nothing to drain';
  throw new GatewayError('GATEWAY_NOT_FOUND', message);
}

function leftIn({ pending, sent }: Accounts): number {
  return pending + sent;
}

function settledIn(writes: Accounts): number {
  return writes.accepted - leftIn(writes);
}
