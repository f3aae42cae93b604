import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { type Answer, failure } from './answer.js';
import type { AdminToken } from './token.js';

/** Whether a web page may be behind the request that has no business here; a browser says which page it is. */
export function refusalOfOrigin(
  { origin, host }: IncomingHttpHeaders,
  allowedOrigins: readonly string[],
  listensOn: string,
): Answer | undefined {
  if (origin !== undefined && !allowedOrigins.includes(origin))
    return failure(403, 'GATEWAY_FORBIDDEN', `Web pages of this origin may not come here (allowed_origins)`);
  // A page can have its own name point to this machine (DNS rebinding); then the name gives it away.
  if (isLoopback(listensOn) && !isLoopback(nameIn(host ?? '')))
    return failure(
      403,
      'GATEWAY_FORBIDDEN',
      'This server is for this machine: call it localhost or 127.0.0.1',
    );
  return undefined;
}

/** Whether the request comes without the token that it needs. */
export function refusalOfToken(
  { authorization = '' }: IncomingHttpHeaders,
  token: AdminToken,
): Answer | undefined {
  const presented = /^Bearer +(\S+) *$/i.exec(authorization)?.[1];
  if (presented !== undefined && token.is(presented)) return undefined;
  const message =
    presented === undefined
      ? 'This needs `Authorization: Bearer <token>` with the token in the file admin-token of the data folder'
      : 'This is not the token in the file admin-token of the data folder';
  return failure(401, 'GATEWAY_FORBIDDEN', message, { 'WWW-Authenticate': 'Bearer' });
}

/** The name in a `Host` header, without port and brackets. */
function nameIn(host: string): string {
  return host
    .toLowerCase()
    .replace(/:\d*$/, '')
    .replace(/^\[(.*)\]$/, '$1');
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}
