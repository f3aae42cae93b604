import type { ChannelDirection } from '../router/channels.js';

export type Route =
  | { kind: 'worker' }
  | { kind: 'telemetry' }
  | { kind: 'channel'; id: string; key: string; direction: ChannelDirection }
  | { kind: 'unknown' };

const CHANNEL = /^\/ws\/channels\/([^/]+)$/;

/** What an upgrade's address asks for (wire protocol 1.1). A query is allowed everywhere. */
export function routeOf(url: string): Route {
  if (!URL.canParse(url, 'ws://listener')) return { kind: 'unknown' };
  const { pathname, searchParams } = new URL(url, 'ws://listener');
  if (pathname === '/') return { kind: 'worker' };
  if (pathname === '/otel') return { kind: 'telemetry' };
  const id = CHANNEL.exec(pathname)?.[1];
  const direction = searchParams.get('dir');
  if (id === undefined || (direction !== 'read' && direction !== 'write')) return { kind: 'unknown' };
  return { kind: 'channel', id, key: searchParams.get('key') ?? '', direction };
}
