import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import pRetry from 'p-retry';
import { type WebSocket, WebSocketServer } from 'ws';

/** The way to an engine: it can be closed, cut, or swallow everything without a sign. */
export class RemoteNetwork {
  /** Whether nothing passes, though everything looks connected. */
  isBlackHole = false;
  private readonly tcp = createServer((socket) => this.accept(socket));
  private readonly http = createHttpServer();
  private readonly webSockets = new WebSocketServer({ server: this.http, perMessageDeflate: false });
  private readonly sockets = new Set<Socket>();
  /** Connections made into the black hole. */
  private swallowed: Socket[] = [];
  private listensOn = 0;

  constructor(onConnection: (socket: WebSocket) => void) {
    this.webSockets.on('connection', onConnection);
  }

  get port(): number {
    return this.listensOn;
  }

  /** Takes connections, on the port it had before if it had one. */
  async open(): Promise<void> {
    if (this.tcp.listening) return;
    await pRetry(() => this.listen(), { retries: 50, minTimeout: 100, factor: 1 });
    this.listensOn = (this.tcp.address() as AddressInfo).port;
  }

  /** While nobody listened, its port may have become the near end of somebody's connection. */
  private async listen(): Promise<void> {
    this.tcp.listen(this.listensOn, '127.0.0.1');
    await once(this.tcp, 'listening');
  }

  /** Refuses connections, and ends those there are. */
  async close(): Promise<void> {
    if (!this.tcp.listening) return;
    const closed = once(this.tcp, 'close');
    this.tcp.close();
    this.cut();
    await closed;
  }

  /** Ends all connections without a word. */
  cut(): void {
    for (const socket of this.sockets) socket.resetAndDestroy();
    this.swallowed = [];
  }

  blackHole(): void {
    this.isBlackHole = true;
    for (const webSocket of this.webSockets.clients) webSocket.pause();
  }

  heal(): void {
    this.isBlackHole = false;
    for (const socket of this.swallowed.splice(0)) this.http.emit('connection', socket);
    for (const webSocket of this.webSockets.clients) webSocket.resume();
  }

  private accept(socket: Socket): void {
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('error', () => undefined);
    if (this.isBlackHole) this.swallowed.push(socket);
    else this.http.emit('connection', socket);
  }
}
