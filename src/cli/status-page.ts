import type { GatewayStatus } from '../admin/status.js';
import type { ReplicationStatus } from '../replication/operator.js';
import { count, countOf, duration, plain, size } from './figures.js';

export interface PageOptions {
  now: number;
  isColourful: boolean;
}

type Paint = (text: string) => string;

const LABEL_WIDTH = 12;

/** The status of a gateway on one screen. */
export function statusPage(status: GatewayStatus, { now, isColourful }: PageOptions): string {
  const paint =
    (code: number): Paint =>
    (text) =>
      isColourful ? `\u001b[${code}m${text}\u001b[0m` : text;
  const [bold, green, yellow] = [paint(1), paint(32), paint(33)];
  const { gateway, listener, degraded, reasons } = status;
  const line = (label: string, text: string) => `${label.padEnd(LABEL_WIDTH)}${text}\n`;
  const host = listener.host.includes(':') ? `[${listener.host}]` : listener.host;
  const up = duration(now - Date.parse(gateway.started_at));
  return [
    `${bold(plain(gateway.name))}  iii-state-gateway ${gateway.version}, process ${gateway.pid}, up ${up}\n`,
    degraded ? `${yellow('degraded')}\n` : `${green('all is well')}\n`,
    ...reasons.map((reason) => `  ${yellow('-')} ${plain(reason)}\n`),
    '\n',
    line('workers', `${count(listener.workers)} connected to ws://${host}:${listener.port}`),
    line('state', plain(status.state)),
    line('data', plain(gateway.data_dir)),
    ...(hasReplication(status) ? replicationLines(status, now).map((row) => line(...row)) : []),
  ].join('');
}

function hasReplication(status: GatewayStatus): status is GatewayStatus & ReplicationStatus {
  return status.writes !== undefined;
}

function replicationLines(
  { link, breaker, log, writes, conflicts_won, quarantine, replay, mirror }: ReplicationStatus,
  now: number,
): [label: string, text: string][] {
  const { accepted, ...states } = writes;
  const since = link.since === undefined ? '' : ` for ${duration(now - Date.parse(link.since))}`;
  const oldest = log.entries === 0 ? '' : `, the oldest ${duration(log.oldest_age_ms)} old`;
  const quarantined = some(quarantine);
  return [
    ['link', `${link.state}${since}, ${countOf(link.epochs, 'connection')} so far`],
    ['remote', `${plain(link.remote)}, adapter ${plain(link.adapter)}, ${link.delivery}`],
    ['breaker', `${breaker.state}, opened ${countOf(breaker.opened, 'time')}`],
    ['log', `${countOf(log.entries, 'write')}, ${size(log.bytes)}${oldest}`],
    [
      '',
      `${log.accepting ? 'takes writes' : 'takes no writes'}, up to ${count(log.limit_entries)} and ${size(log.limit_bytes)}`,
    ],
    ['writes', `${count(accepted)} accepted${accepted === 0 ? '' : `: ${some(states)}`}`],
    ...(conflicts_won === 0
      ? []
      : [['', `${countOf(conflicts_won, 'conflict')} won`] satisfies [string, string]]),
    [
      'quarantine',
      quarantined === '' ? 'empty' : `${quarantined}; see \`iii-state-gateway quarantine list\``,
    ],
    [
      'replay',
      `${count(replay.in_flight)} in flight, ${count(replay.settling)} being settled, ${count(replay.replayed)} sent since the start`,
    ],
    ['mirror', `${size(mirror.bytes)} of ${size(mirror.limit_bytes)}, ${hitsOf(mirror)}`],
  ];
}

/** The counts that are not 0, with their names. */
function some(counts: Record<string, number>): string {
  return Object.entries(counts)
    .filter(([, value]) => value > 0)
    .map(([name, value]) => `${count(value)} ${name}`)
    .join(', ');
}

function hitsOf({ hits, misses }: ReplicationStatus['mirror']): string {
  const reads = hits + misses;
  if (reads === 0) return 'no reads yet';
  return `answered ${count(hits)} of ${countOf(reads, 'read')} (${Math.round((hits / reads) * 100)} %)`;
}
