import type { GatewayStatus } from '../admin/status.js';
import type { ReplicationStatus } from '../replication/operator.js';
import { count, countOf, duration, plain, size } from './figures.js';

export interface PageOptions {
  now: number;
  isColourful: boolean;
}

type Row = [label: string, text: string];
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

function replicationLines(status: ReplicationStatus, now: number): Row[] {
  const { link, breaker, log, writes, quarantine, held, replay, mirror, retain } = status;
  const { accepted, ...states } = writes;
  const conflicts = some({ won: status.conflicts_won, lost: writes.conflicted });
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
    [
      'quarantine',
      quarantined === '' ? 'empty' : `${quarantined}; see \`iii-state-gateway quarantine list\``,
    ],
    ...unlessEmpty('held', held.keys === 0 ? '' : heldText(held)),
    ...unlessEmpty('conflicts', conflicts && `${conflicts}; see \`iii-state-gateway conflicts list\``),
    ...unlessEmpty('damaged', log.damaged === 0 ? '' : countOf(log.damaged, 'record')),
    [
      'replay',
      `${count(replay.in_flight)} in flight, ${count(replay.settling)} being settled, ${count(replay.replayed)} sent since the start`,
    ],
    ['mirror', `${size(mirror.bytes)} of ${size(mirror.limit_bytes)}, ${hitsOf(mirror)}`],
    ...unlessEmpty('retained', retain && some({ ...retain })),
  ];
}

function unlessEmpty(label: string, text: string | undefined): Row[] {
  return text ? [[label, text]] : [];
}

function heldText({ keys, writes }: ReplicationStatus['held']): string {
  return `${countOf(writes, 'write')} to ${countOf(keys, 'key or scope', 'keys or scopes')}`;
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
