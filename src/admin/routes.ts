import { GatewayError } from '../errors.js';
import { LONGEST_WAIT_MS } from './waits.js';

/** What a request is about (gateway-api section 6). */
export type Route =
  | { kind: 'health' }
  | { kind: 'readiness' }
  | { kind: 'metrics' }
  | { kind: 'status' }
  | { kind: 'quarantine'; after: number; limit: number }
  | { kind: 'inputs'; after: number; limit: number }
  | { kind: 'quarantined'; seq: number }
  | { kind: 'edit'; seq: number; input: string }
  | { kind: 'retry'; seq: number }
  | { kind: 'drop'; seq: number }
  | { kind: 'conflicts'; after: number; limit: number }
  | { kind: 'lost'; after: number; limit: number }
  | { kind: 'conflict'; number: number }
  | { kind: 'receipt'; receipt: string; waitMs: number }
  | { kind: 'drain' };

interface RouteRow {
  /** As people read it. */
  path: string;
  method: 'GET' | 'POST' | 'PUT';
  pattern: RegExp;
  /** Whether it changes something or shows values. */
  needsToken: boolean;
  read: (part: string, query: URLSearchParams, body: string) => Route;
}

const PAGE = { limit: 100, maxLimit: 1000 };

const rows: readonly RouteRow[] = [
  open('/healthz', () => ({ kind: 'health' })),
  open('/readyz', () => ({ kind: 'readiness' })),
  open('/metrics', () => ({ kind: 'metrics' })),
  open('/api/status', () => ({ kind: 'status' })),
  open('/api/quarantine', (_, query) => ({ kind: 'quarantine', ...page(query) })),
  guarded('GET', '/api/quarantine/<seq>', (part) => ({ kind: 'quarantined', seq: seqIn(part) })),
  guarded('PUT', '/api/quarantine/<seq>', (part, _, input) => ({ kind: 'edit', seq: seqIn(part), input })),
  guarded('POST', '/api/quarantine/<seq>/retry', (part) => ({ kind: 'retry', seq: seqIn(part) })),
  guarded('POST', '/api/quarantine/<seq>/drop', (part) => ({ kind: 'drop', seq: seqIn(part) })),
  guarded('GET', '/api/export/quarantine', (_, query) => ({ kind: 'inputs', ...page(query) })),
  open('/api/lost', (_, query) => ({ kind: 'lost', ...page(query) })),
  open('/api/conflicts', (_, query) => ({ kind: 'conflicts', ...page(query) })),
  guarded('GET', '/api/conflicts/<number>', (part) => ({ kind: 'conflict', number: seqIn(part) })),
  open('/api/receipts/<id>', (part, query) => ({
    kind: 'receipt',
    receipt: decoded(part),
    waitMs: number(query, 'wait_ms', { fallback: 0, max: LONGEST_WAIT_MS }),
  })),
  guarded('POST', '/api/drain', () => ({ kind: 'drain' })),
];

/** All paths in a sentence. */
export const PATHS = rows.map(({ method, path }) => `${method} ${path}`).join(', ');

export type Match =
  | { kind: 'route'; needsToken: boolean; takesBody: boolean; read: (body: string) => Route }
  | { kind: 'wrong method'; allowed: string }
  | { kind: 'unknown' };

/** What a request line leads to. Its numbers are read by `read`, when the request has passed the guard. */
export function match(method: string, target: string): Match {
  const [path = '', query = ''] = target.split(/\?(.*)/s, 2);
  const fitting = rows.filter(({ pattern }) => pattern.test(path));
  if (fitting.length === 0) return { kind: 'unknown' };
  const row = fitting.find((candidate) => candidate.method === (method === 'HEAD' ? 'GET' : method));
  if (!row) return { kind: 'wrong method', allowed: fitting.map((candidate) => candidate.method).join(', ') };
  const part = row.pattern.exec(path)?.[1] ?? '';
  return {
    kind: 'route',
    needsToken: row.needsToken,
    takesBody: row.method === 'PUT',
    read: (body) => row.read(part, new URLSearchParams(query), body),
  };
}

function open(path: string, read: RouteRow['read']): RouteRow {
  return { path, method: 'GET', pattern: patternOf(path), needsToken: false, read };
}

function guarded(method: RouteRow['method'], path: string, read: RouteRow['read']): RouteRow {
  return { path, method, pattern: patternOf(path), needsToken: true, read };
}

/** What stands in angle brackets is any text without a slash. */
function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replace(/<.*>/, '([^/]+)')}$`);
}

function seqIn(part: string): number {
  if (/^[1-9]\d{0,14}$/.test(part)) return Number(part);
  throw new GatewayError(
    'deserialization_error',
    'The number of a write or conflict is a whole number from 1 on',
  );
}

function page(query: URLSearchParams): { after: number; limit: number } {
  return {
    after: number(query, 'after', { fallback: 0 }),
    limit: number(query, 'limit', { fallback: PAGE.limit, min: 1, max: PAGE.maxLimit }),
  };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (cause) {
    throw new GatewayError('deserialization_error', 'The path has a % that begins no character', { cause });
  }
}

function number(
  query: URLSearchParams,
  name: string,
  { fallback, min = 0, max = Number.MAX_SAFE_INTEGER }: { fallback: number; min?: number; max?: number },
): number {
  const text = query.get(name);
  if (text === null) return fallback;
  const value = /^\d{1,16}$/.test(text) ? Number(text) : -1;
  if (value >= min && value <= max) return value;
  throw new GatewayError('deserialization_error', `\`${name}\` is not a whole number from ${min} to ${max}`);
}
