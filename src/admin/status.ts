import type { ReplicationStatus } from '../replication/operator.js';

/** What does not change while the gateway runs. */
export interface GatewayFacts {
  id: string;
  /** Our worker name at the remote. */
  name: string;
  version: string;
  pid: number;
  /** RFC 3339. */
  started_at: string;
  data_dir: string;
}

/** What `gateway::status`, `/api/status` and `status --json` show. Without replication its members are absent. */
export interface GatewayStatus extends Partial<ReplicationStatus> {
  gateway: GatewayFacts;
  listener: { host: string; port: number; workers: number };
  /** Where state lives, for people. */
  state: string;
  /** Something is not as it should be; the reasons say what. */
  degraded: boolean;
  reasons: string[];
}

export interface StatusSources {
  facts: GatewayFacts;
  state: string;
  listener: () => { host: string; port: number };
  workers: () => number;
  /** Undefined where this gateway replicates nothing. */
  replication: (() => ReplicationStatus) | undefined;
}

/** Assembles the status as it is at this moment. */
export function statusOf({ facts, state, listener, workers, replication }: StatusSources): GatewayStatus {
  const replicated = replication?.();
  const reasons = replicated ? whatIsWrong(replicated) : [];
  return {
    gateway: facts,
    listener: { ...listener(), workers: workers() },
    state,
    degraded: reasons.length > 0,
    reasons,
    ...replicated,
  };
}

export interface Readiness {
  ready: boolean;
  degraded: boolean;
  reasons: string[];
}

/**
 * Ready is who can accept writes and keep them: a remote that is away is no reason to turn workers off, a full log is,
 * and so is a remote that we can never have.
 */
export function readinessOf({ degraded, reasons, log, link }: GatewayStatus): Readiness {
  const ready = (log?.accepting ?? true) && link?.state !== 'refused';
  return { ready, degraded, reasons };
}

function whatIsWrong({ link, breaker, log, quarantine, held }: ReplicationStatus): string[] {
  const reasons: string[] = [];
  if (link.state !== 'open') reasons.push(link.sentence);
  else if (breaker.state !== 'closed') {
    reasons.push('the remote engine is connected but does not answer; calls to it are put off until it does');
  }
  if (!log.accepting) reasons.push(log.reason ?? 'the log takes no more writes');
  if (log.damaged > 0) {
    reasons.push(
      `${log.damaged} damaged records in the store, whose keys wait: stop the gateway and run \`iii-state-gateway store repair\` on its data folder`,
    );
  }
  const quarantined = Object.values(quarantine).reduce((sum, count) => sum + count, 0);
  if (quarantined > 0) reasons.push(`${quarantined} in quarantine: writes that wait for an operator`);
  if (held.keys > 0) {
    reasons.push(`${held.keys} held: keys or scopes whose later writes wait for such a decision`);
  }
  return reasons;
}
