import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Service } from '../lifecycle.js';
import type { Logger } from '../logger.js';
import { FrameSocket } from '../protocol/frame-socket.js';
import { Heartbeat, NotedPulse, PING_INTERVAL_MS } from '../protocol/heartbeat.js';
import { MAX_MESSAGE_BYTES } from '../protocol/text-frames.js';
import type { ChannelDirection, Channels } from '../router/channels.js';
import type { Router } from '../router/router.js';
import { channelSocket } from './channel-socket.js';
import { RateLimit } from './rate-limit.js';
import { type Route, routeOf } from './routes.js';
import { Session } from './session.js';

export interface ListenerOptions {
  host: string;
  /** 0 means any free one. */
  port: number;
  maxWorkers: number;
  maxQueuedBytes: number;
  /** Calls a second that one worker may make; 0 means no limit. */
  ratePerWorker: number;
  /** How long an upgrade may take. */
  handshakeMs: number;
  /** Origins of web pages that may connect; browsers send one, other SDKs do not. */
  allowedOrigins: readonly string[];
}

/** SDKs must see a code other than 1000 and 1001 to come back (wire protocol 4.4): this one says "restarting". */
const SERVICE_RESTART = 1012;
const GOODBYE_MS = 1000;

/** Where workers come in: the engine's WebSocket endpoint (wire protocol section 1). */
export class Listener implements Service {
  readonly name = 'listener';
  private readonly server: Server;
  private readonly webSockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_MESSAGE_BYTES,
    perMessageDeflate: false, // costs ten times the CPU of a frame
    clientTracking: true,
  });
  private readonly heartbeat = new Heartbeat();
  private beating: NodeJS.Timeout | undefined;

  constructor(
    private readonly router: Router,
    private readonly channels: Channels,
    private readonly options: ListenerOptions,
    private readonly logger: Logger,
  ) {
    const { handshakeMs } = options;
    this.server = createServer(
      {
        headersTimeout: handshakeMs,
        requestTimeout: handshakeMs,
        connectionsCheckingInterval: handshakeMs / 4,
      },
      (_request, response) => response.writeHead(404).end(),
    );
    this.server.on('upgrade', (request, socket, head) => this.upgrade(request, socket, head));
    // Without this header Rust workers keep Nagle's algorithm on (observe 2.1).
    this.webSockets.on('headers', (headers) => headers.push('x-iii-capabilities: tcp-nodelay'));
  }

  /** Where it listens; the port is the real one, also when 0 was asked for. */
  get address(): { host: string; port: number } {
    const { address, port } = this.server.address() as AddressInfo;
    return { host: address, port };
  }

  start(): Promise<void> {
    this.beating = setInterval(() => this.heartbeat.beat(), PING_INTERVAL_MS).unref();
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(this.options.port, this.options.host, () => {
        this.server.off('error', reject);
        resolve();
      });
    });
  }

  async stop(): Promise<void> {
    clearInterval(this.beating);
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    for (const socket of this.webSockets.clients) socket.close(SERVICE_RESTART, 'gateway stops');
    const impatient = setTimeout(() => {
      for (const socket of this.webSockets.clients) socket.terminate();
      this.server.closeAllConnections();
    }, GOODBYE_MS);
    await closed;
    clearTimeout(impatient);
  }

  private upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy()); // until ws takes over, an error here has no other listener
    const route = routeOf(request.url ?? '/');
    const refusal = this.refusalOf(request, route);
    if (refusal) {
      socket.end(`HTTP/1.1 ${refusal}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    this.webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      webSocket.on('error', (error) => this.logger.debug({ reason: error.message }, 'a connection failed'));
      this.open(route, webSocket, request);
    });
  }

  private refusalOf({ headers }: IncomingMessage, route: Route): string | undefined {
    if (headers.origin !== undefined && !this.options.allowedOrigins.includes(headers.origin))
      return '403 Forbidden';
    switch (route.kind) {
      case 'worker':
        return this.router.workers.size < this.options.maxWorkers ? undefined : '503 Service Unavailable';
      case 'telemetry':
        return undefined;
      case 'channel':
        return this.channels.admits(route.id, route.key, route.direction) ? undefined : '404 Not Found';
      case 'unknown':
        return '404 Not Found';
    }
  }

  private open(route: Route, webSocket: WebSocket, request: IncomingMessage): void {
    // A channel's end that is paused for back-pressure answers no pings, so channels have no heartbeat.
    if (route.kind === 'channel') {
      this.openChannel(webSocket, route);
      return;
    }
    this.watch(webSocket);
    if (route.kind === 'worker') this.openSession(webSocket, request);
    else webSocket.resume(); // telemetry is accepted and discarded
  }

  private openSession(webSocket: WebSocket, request: IncomingMessage): void {
    const frames = new FrameSocket(webSocket, request.socket, 'server');
    const session = new Session(
      {
        send: (text) => frames.send(text),
        get queuedBytes() {
          return frames.queuedBytes;
        },
        terminate: () => webSocket.terminate(),
      },
      this.router,
      {
        id: randomUUID(),
        reattachToken: randomUUID(),
        ipAddress: request.socket.remoteAddress ?? '',
        connectedAtMs: Date.now(),
        maxQueuedBytes: this.options.maxQueuedBytes,
        rate: new RateLimit(this.options.ratePerWorker, Date.now),
        logger: this.logger,
      },
    );
    webSocket.on('message', (bytes: Buffer, isBinary: boolean) => session.receive(bytes, isBinary));
    webSocket.once('close', session.open());
  }

  private openChannel(
    webSocket: WebSocket,
    route: { id: string; key: string; direction: ChannelDirection },
  ): void {
    const taken = !this.channels.attach(route.id, route.key, route.direction, channelSocket(webSocket));
    if (taken) webSocket.close(1008, 'this end is taken');
  }

  private watch(webSocket: WebSocket): void {
    const pulse = new NotedPulse(
      () => webSocket.ping(),
      () => webSocket.terminate(),
    );
    for (const event of ['message', 'ping', 'pong'] as const) webSocket.on(event, () => pulse.note());
    this.heartbeat.add(pulse);
    webSocket.once('close', () => this.heartbeat.remove(pulse));
  }
}
