import { readFile } from 'node:fs/promises';
import { type IncomingHttpHeaders, request } from 'node:http';
import { join } from 'node:path';
import { AdminServer } from '../../../src/admin/server.js';
import { type GatewayStatus, statusOf } from '../../../src/admin/status.js';
import type { Operator } from '../../../src/replication/operator.js';
import { type SilentLogger, silentLogger } from '../../support/silent-logger.js';
import { tempDir } from '../../support/temp-dir.js';

export interface HttpAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  json: () => Record<string, unknown>;
}

export interface HttpRequest {
  method?: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
}

export interface AdminSite {
  server: AdminServer;
  dataDir: string;
  logger: SilentLogger;
  url: string;
  token: string;
  ask(path: string, request?: HttpRequest): Promise<HttpAnswer>;
  /** With the token. */
  command(path: string, method?: string): Promise<HttpAnswer>;
  stop(): Promise<void>;
}

export function statusFor(operator: Operator | undefined, dataDir = '/data'): GatewayStatus {
  return statusOf({
    facts: {
      id: 'gw',
      name: 'site-a',
      version: '1.2.3',
      pid: 42,
      started_at: '2026-01-02T03:04:05.678Z',
      data_dir: dataDir,
    },
    state: 'on the remote engine ws://hub:49134',
    listener: () => ({ host: '127.0.0.1', port: 49134 }),
    workers: () => 3,
    replication: operator && (() => operator.status()),
  });
}

/** An admin server on loopback, on a folder of its own. */
export async function startAdmin(
  operator?: Operator,
  { allowedOrigins = [], host = '127.0.0.1' }: { allowedOrigins?: string[]; host?: string } = {},
): Promise<AdminSite> {
  const folder = await tempDir();
  const dataDir = folder.path;
  const logger = silentLogger();
  const status = () => statusFor(operator, dataDir);
  const server = new AdminServer({ host, port: 0, dataDir, allowedOrigins }, { status, operator }, logger);
  await server.start();
  const token = (await readFile(join(dataDir, 'admin-token'), 'utf8')).trim();
  const { port } = server.address;
  const ask = (path: string, about: HttpRequest = {}) => http(port, path, about);
  return {
    server,
    dataDir,
    logger,
    url: `http://127.0.0.1:${port}`,
    token,
    ask,
    command: (path, method = 'POST') => ask(path, { method, headers: { authorization: `Bearer ${token}` } }),
    stop: async () => {
      await server.stop();
      await folder.remove();
    },
  };
}

/** `fetch` refuses to send some of the headers that a test wants. */
function http(port: number, path: string, { method = 'GET', headers = {}, body = '' }: HttpRequest) {
  return new Promise<HttpAnswer>((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text,
          json: () => JSON.parse(text) as Record<string, unknown>,
        }),
      );
      response.on('error', reject);
    });
    sent.on('error', reject).end(body);
  });
}
