import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { type Frame, FrameLog } from './frame-log.js';

export interface FakeEngineOptions {
  /** What `workerregistered` advertises. */
  features?: string[];
  /** 0, or a port that must be had (a restart on the same one). */
  port?: number;
  /** False: connections are accepted and never greeted. */
  greets?: boolean;
}

const OWN_QUESTIONS = /^(engine::|configuration::get$)/;

/** Answers one call: the members of its result frame (`result` or `error`), or nothing for silence. */
export type Reply = (call: Frame) => { result?: unknown; error?: unknown } | undefined;

/**
 * A remote engine that does what it is told: it can stay silent, refuse, answer late, drop the connection or die.
 * Functions without a reply are never answered.
 */
export class FakeEngine extends FrameLog {
  readonly sockets = new Set<WebSocket>();
  /** The frames as text, where members and numbers matter to the digit. */
  readonly texts: string[] = [];
  private readonly replies = new Map<string, Reply>();
  private readonly server: Server = createServer();
  private readonly webSockets = new WebSocketServer({ server: this.server, perMessageDeflate: false });
  private workers = 0;

  private constructor(private readonly options: FakeEngineOptions) {
    super();
    this.webSockets.on('connection', (socket) => this.welcome(socket));
  }

  static async start(options: FakeEngineOptions = {}): Promise<FakeEngine> {
    const engine = new FakeEngine(options);
    engine.server.listen(options.port ?? 0, '127.0.0.1');
    await once(engine.server, 'listening');
    return engine;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}`;
  }

  /** What workers called, in order: all calls but those that a gateway makes to learn about the engine. */
  get callsOfWorkers(): Frame[] {
    return this.frames.filter(
      ({ type, function_id }) => type === 'invokefunction' && !OWN_QUESTIONS.test(String(function_id)),
    );
  }

  /** From now on calls of this function get this reply. */
  reply(functionId: string, reply: Reply): this {
    this.replies.set(functionId, reply);
    return this;
  }

  /** From now on calls of this function get no answer. */
  silence(functionId: string): this {
    this.replies.delete(functionId);
    return this;
  }

  send(frame: Frame | string): void {
    const text = typeof frame === 'string' ? frame : JSON.stringify(frame);
    for (const socket of this.sockets) socket.send(text);
  }

  /** Answers a call by hand, whenever the test likes. */
  answer(call: Frame, outcome: { result?: unknown; error?: unknown }): void {
    const { invocation_id, function_id } = call;
    this.send({ type: 'invocationresult', invocation_id, function_id, ...outcome });
  }

  /** Drops every connection without a word. */
  drop(): void {
    for (const socket of this.sockets) socket.terminate();
  }

  /** Dies; stopping twice is allowed. */
  async stop(): Promise<void> {
    if (!this.server.listening) return;
    this.drop();
    this.webSockets.close();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private welcome(socket: WebSocket): void {
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('message', (bytes: Buffer) => {
      const text = bytes.toString('utf8');
      this.texts.push(text);
      this.hear(socket, JSON.parse(text) as Frame);
    });
    this.workers += 1;
    if (this.options.greets === false) return;
    socket.send(
      JSON.stringify({
        type: 'workerregistered',
        worker_id: `worker-${this.workers}`,
        reattach_token: `token-${this.workers}`,
        ...(this.options.features && { features: this.options.features }),
      }),
    );
  }

  private hear(socket: WebSocket, frame: Frame): void {
    this.arrived(frame);
    if (frame.type !== 'invokefunction' || frame['invocation_id'] === undefined) return;
    const outcome = this.replies.get(String(frame['function_id']))?.(frame);
    if (!outcome) return;
    const { invocation_id, function_id } = frame;
    socket.send(JSON.stringify({ type: 'invocationresult', invocation_id, function_id, ...outcome }));
  }
}
