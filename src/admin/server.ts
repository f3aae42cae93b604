import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { GatewayError, messageOf } from '../errors.js';
import type { Service } from '../lifecycle.js';
import type { Logger } from '../logger.js';
import type { Operator } from '../replication/operator.js';
import { leaveAddress, removeAddress } from './address-file.js';
import { type Answer, answerTo, failure } from './answer.js';
import { type ApiContext, answerRoute } from './api.js';
import { readBody } from './body.js';
import { refusalOfOrigin, refusalOfToken } from './guard.js';
import { Metrics } from './metrics.js';
import { match, PATHS } from './routes.js';
import type { GatewayStatus } from './status.js';
import { type AdminToken, openToken } from './token.js';

export interface AdminOptions {
  host: string;
  /** 0 means any free one. */
  port: number;
  dataDir: string;
  /** Origins of web pages that may come here. */
  allowedOrigins: readonly string[];
}

export interface AdminContext {
  status: () => GatewayStatus;
  /** Undefined where this gateway replicates nothing. */
  operator: Operator | undefined;
}

/** How long a request may take to arrive, and a connection without one to stay. */
const REQUEST_MS = 10_000;
const IDLE_MS = 5000;
const MAX_CONNECTIONS = 256;
/** How long answers under way may take when the server stops. */
const GOODBYE_MS = 300;

const HEADERS = { 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' };

/** A running server, with all that belongs to one start. */
interface Running {
  server: Server;
  token: AdminToken;
  api: ApiContext;
  stopping: AbortController;
}

/** Metrics, health, status and commands over HTTP, for operators and their programs (gateway-api section 6). */
export class AdminServer implements Service {
  readonly name = 'admin server';
  private running: Running | undefined;

  constructor(
    private readonly options: AdminOptions,
    private readonly context: AdminContext,
    private readonly logger: Logger,
  ) {}

  /** Where it listens; the port is the real one, also when 0 was asked for. */
  get address(): { host: string; port: number } {
    if (!this.running) throw new TypeError('the admin server is not running');
    const { address, port } = this.running.server.address() as AddressInfo;
    return { host: address, port };
  }

  /** The data folder must be there. @throws GatewayError `GATEWAY_STORAGE`; or the server's own error. */
  async start(): Promise<void> {
    if (this.running) return;
    const { dataDir } = this.options;
    const token = await openToken(dataDir, this.logger);
    const server = this.createServer();
    await this.listen(server);
    this.running = { server, token, api: this.createApi(), stopping: new AbortController() };
    try {
      await leaveAddress(dataDir, this.address);
    } catch (cause) {
      await this.stop();
      const message = `The data folder ${dataDir} cannot be written to (${messageOf(cause)}): check its rights`;
      throw new GatewayError('GATEWAY_STORAGE', message, { cause });
    }
  }

  async stop(): Promise<void> {
    const { running } = this;
    this.running = undefined;
    if (!running) return;
    const { server, stopping } = running;
    await removeAddress(this.options.dataDir).catch((error: unknown) =>
      this.logger.warn({ reason: messageOf(error) }, 'the file admin-address stays behind'),
    );
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    stopping.abort();
    const impatient = setTimeout(() => server.closeAllConnections(), GOODBYE_MS);
    server.closeIdleConnections();
    await closed;
    clearTimeout(impatient);
  }

  private createApi(): ApiContext {
    const { status, operator } = this.context;
    return { status, operator, metrics: new Metrics(status) };
  }

  private createServer(): Server {
    const server = createServer({
      headersTimeout: REQUEST_MS,
      requestTimeout: REQUEST_MS,
      keepAliveTimeout: IDLE_MS,
      connectionsCheckingInterval: REQUEST_MS / 4,
    });
    server.maxConnections = MAX_CONNECTIONS;
    server.on('request', (request, response) => void this.handle(request, response));
    return server;
  }

  private listen(server: Server): Promise<void> {
    const { host, port } = this.options;
    return new Promise((resolve, reject) => {
      // Says whose port it is: a gateway has two.
      server.once('error', (error) => reject(Object.assign(error, { part: 'admin' })));
      server.listen(port, host, () => {
        server.removeAllListeners('error');
        server.on('error', (error) => this.logger.warn({ reason: error.message }, 'the admin server'));
        resolve();
      });
    });
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { running } = this;
    if (!running) {
      response.destroy();
      return;
    }
    const answer = await this.answer(request, running).catch((error: unknown) => {
      if (!(error instanceof GatewayError) && !request.errored)
        this.logger.error({ path: request.url?.split('?')[0], reason: messageOf(error) }, 'a request failed');
      return answerTo(error);
    });
    if (response.destroyed) return; // whoever asked has gone
    const isLast = running.stopping.signal.aborted || !request.complete;
    response.writeHead(answer.status, {
      ...HEADERS,
      ...answer.headers,
      'Content-Length': Buffer.byteLength(answer.body),
      ...(isLast && { Connection: 'close' }),
    });
    response.end(answer.body);
  }

  private async answer(request: IncomingMessage, { token, api, stopping }: Running): Promise<Answer> {
    const { headers, method = '', url = '' } = request;
    const refusal = refusalOfOrigin(headers, this.options.allowedOrigins, this.options.host);
    if (refusal) return refusal;
    const matched = match(method, url);
    if (matched.kind === 'unknown')
      return failure(404, 'GATEWAY_NOT_FOUND', `There is nothing at this path. These are: ${PATHS}`);
    if (matched.kind === 'wrong method')
      return failure(405, 'INVALID_ARGUMENTS', `This path takes ${matched.allowed}`, {
        Allow: matched.allowed,
      });
    if (matched.needsToken) {
      const stranger = refusalOfToken(headers, token);
      if (stranger) return stranger;
    }
    const route = matched.read(await readBody(request, matched.takesBody));
    return orStopping(answerRoute(route, api), stopping.signal);
  }
}

/** Whoever waits for something is told when the gateway stops. */
function orStopping(answer: Promise<Answer>, stopping: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(new GatewayError('GATEWAY_STOPPING', 'The gateway is shutting down'));
    if (stopping.aborted) stop();
    else stopping.addEventListener('abort', stop, { once: true });
    answer.then(resolve, reject).finally(() => stopping.removeEventListener('abort', stop));
  });
}
