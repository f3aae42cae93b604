import type { ReplicationStatus } from '../replication/operator.js';
import type { GatewayStatus } from './status.js';

/** One number, with the labels that tell it from its siblings. */
export interface Sample {
  labels?: Record<string, string>;
  value: number;
}

export interface MetricRow<Source> {
  /** After the prefix. */
  name: string;
  kind: 'gauge' | 'counter';
  help: string;
  labels?: readonly string[];
  read: (source: Source) => number | Sample[];
}

export const PREFIX = 'iii_state_gateway_';

const BREAKER_STATES = ['closed', 'open', 'half-open'] as const;

/** What every gateway has. */
export const gatewayMetrics: readonly MetricRow<GatewayStatus>[] = [
  {
    name: 'build_info',
    kind: 'gauge',
    help: 'Always 1; the labels say which gateway this is',
    labels: ['version', 'node', 'gateway_id'],
    read: ({ gateway: { version, id } }) => [
      { labels: { version, node: process.version, gateway_id: id }, value: 1 },
    ],
  },
  {
    name: 'workers',
    kind: 'gauge',
    help: 'Workers connected to the listener',
    read: ({ listener }) => listener.workers,
  },
  {
    name: 'degraded',
    kind: 'gauge',
    help: '1 while something is not as it should be; /api/status says what',
    read: ({ degraded }) => flag(degraded),
  },
];

/** What a gateway in front of a remote engine has on top. */
export const replicationMetrics: readonly MetricRow<ReplicationStatus>[] = [
  {
    name: 'link_up',
    kind: 'gauge',
    help: '1 while the remote engine is connected',
    read: ({ link }) => flag(link.state === 'open'),
  },
  {
    name: 'link_epochs_total',
    kind: 'counter',
    help: 'Connections to the remote engine so far',
    read: ({ link }) => link.epochs,
  },
  {
    name: 'breaker_state',
    kind: 'gauge',
    help: '1 for the state that the breaker is in, 0 for the others',
    labels: ['state'],
    read: ({ breaker }) =>
      BREAKER_STATES.map((state) => ({ labels: { state }, value: flag(breaker.state === state) })),
  },
  {
    name: 'breaker_opened_total',
    kind: 'counter',
    help: 'Times that the breaker opened because the remote engine did not answer',
    read: ({ breaker }) => breaker.opened,
  },
  {
    name: 'log_entries',
    kind: 'gauge',
    help: 'Accepted writes that wait in the log',
    read: ({ log }) => log.entries,
  },
  {
    name: 'log_bytes',
    kind: 'gauge',
    help: 'Bytes that wait in the log',
    read: ({ log }) => log.bytes,
  },
  {
    name: 'log_oldest_age_seconds',
    kind: 'gauge',
    help: 'Age of the oldest write in the log; 0 if it is empty',
    read: ({ log }) => log.oldest_age_ms / 1000,
  },
  {
    name: 'log_accepting',
    kind: 'gauge',
    help: '1 while the log takes writes, 0 while it refuses them',
    read: ({ log }) => flag(log.accepting),
  },
  {
    name: 'damaged_records',
    kind: 'gauge',
    help: 'Records of log and mirror that were met and cannot be read',
    read: ({ log }) => log.damaged,
  },
  {
    name: 'writes',
    kind: 'gauge',
    help: 'Accepted writes by where they are; each is in exactly one state',
    labels: ['state'],
    read: ({ writes }) => countsBy('state', statesOf(writes)),
  },
  {
    name: 'writes_accepted_total',
    kind: 'counter',
    help: 'Writes that this gateway took upon itself',
    read: ({ writes }) => writes.accepted,
  },
  {
    name: 'writes_balance',
    kind: 'gauge',
    help: 'Accepted writes that are in no state, or (below 0) in more than one; 0 when all is well',
    read: ({ writes }) => writes.accepted - sumOf(Object.values(statesOf(writes))),
  },
  {
    name: 'conflicts_won_total',
    kind: 'counter',
    help: 'Writes of others that a write of ours has overwritten',
    read: ({ conflicts_won }) => conflicts_won,
  },
  {
    name: 'quarantine',
    kind: 'gauge',
    help: 'Writes that wait for an operator, by why',
    labels: ['reason'],
    read: ({ quarantine }) => countsBy('reason', quarantine),
  },
  {
    name: 'held_keys',
    kind: 'gauge',
    help: 'Keys and whole scopes whose writes wait until an operator has decided about one in quarantine',
    read: ({ held }) => held.keys,
  },
  {
    name: 'replay_in_flight',
    kind: 'gauge',
    help: 'Logged writes that are sent and not yet answered',
    read: ({ replay }) => replay.in_flight,
  },
  {
    name: 'replayed_total',
    kind: 'counter',
    help: 'Logged writes sent to the remote engine since the start',
    read: ({ replay }) => replay.replayed,
  },
  {
    name: 'settling',
    kind: 'gauge',
    help: 'Unanswered writes whose outcome is being established',
    read: ({ replay }) => replay.settling,
  },
  {
    name: 'mirror_bytes',
    kind: 'gauge',
    help: 'Bytes of known values kept on disk',
    read: ({ mirror }) => mirror.bytes,
  },
  {
    name: 'mirror_hits_total',
    kind: 'counter',
    help: 'Reads that the mirror answered',
    read: ({ mirror }) => mirror.hits,
  },
  {
    name: 'mirror_misses_total',
    kind: 'counter',
    help: 'Reads that the mirror could not answer',
    read: ({ mirror }) => mirror.misses,
  },
  {
    name: 'retained_total',
    kind: 'counter',
    help: 'Confirmed writes looked at again after the remote engine restarted, by what was found',
    labels: ['result'],
    read: ({ retain }) => (retain ? countsBy('result', { ...retain }) : []),
  },
];

function flag(value: boolean): number {
  return value ? 1 : 0;
}

function statesOf({ accepted: _, ...states }: ReplicationStatus['writes']) {
  return states;
}

function countsBy(label: string, counts: Record<string, number>): Sample[] {
  return Object.entries(counts).map(([name, value]) => ({ labels: { [label]: name }, value }));
}

function sumOf(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0);
}
