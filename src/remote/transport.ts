import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import { FrameSocket } from '../protocol/frame-socket.js';
import { MAX_MESSAGE_BYTES } from '../protocol/text-frames.js';

export interface TransportOptions {
  url: string;
  headers: Readonly<Record<string, string>>;
  tls: {
    ca?: string | undefined;
    cert?: string | undefined;
    key?: string | undefined;
    serverName?: string | undefined;
  };
  connectTimeoutMs: number;
}

/** One open socket to the remote engine. It never reconnects: the link makes a new one. */
export interface Transport {
  send(text: string): void;
  ping(): void;
  terminate(): void;
  close(): void;
}

export interface TransportEvents {
  onFrame(bytes: Buffer): void;
  /** Anything was heard from the other side. */
  onSign(): void;
  onClose(cause: Error): void;
}

/**
 * Opens a socket; `drop` ends it without a word, at any time.
 * @throws whatever kept it from opening (refused, timed out, HTTP status, TLS, `drop`).
 */
export function connect(
  options: TransportOptions,
  events: TransportEvents,
  drop: AbortSignal,
): Promise<Transport> {
  const { ca, cert, key, serverName } = options.tls;
  return new Promise((resolve, reject) => {
    const webSocket = new WebSocket(options.url, {
      headers: { ...options.headers },
      handshakeTimeout: options.connectTimeoutMs,
      maxPayload: MAX_MESSAGE_BYTES,
      perMessageDeflate: false,
      ...(ca !== undefined && { ca: readFileSync(ca) }),
      ...(cert !== undefined && { cert: readFileSync(cert) }),
      ...(key !== undefined && { key: readFileSync(key) }),
      ...(serverName !== undefined && { servername: serverName }),
    });
    const terminate = () => webSocket.terminate();
    drop.addEventListener('abort', terminate);
    let socket: Socket | undefined;
    let failure: Error | undefined;
    webSocket.once('upgrade', (response) => {
      socket = response.socket;
    });
    webSocket.on('error', (error) => {
      failure = error;
      reject(error);
    });
    webSocket.once('open', () => {
      const frames = new FrameSocket(webSocket, socket as Socket, 'client');
      resolve({
        send: (text) => frames.send(text),
        ping: () => webSocket.ping(),
        terminate,
        close: () => {
          frames.flush();
          webSocket.close(1000);
        },
      });
    });
    webSocket.on('message', (bytes: Buffer) => {
      events.onSign();
      events.onFrame(bytes);
    });
    webSocket.on('ping', () => events.onSign());
    webSocket.on('pong', () => events.onSign());
    webSocket.once('close', (code) => {
      drop.removeEventListener('abort', terminate);
      const cause = failure ?? new Error(`the connection ended with code ${code}`);
      reject(cause);
      events.onClose(cause);
    });
  });
}
