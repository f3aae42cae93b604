import { randomUUID } from 'node:crypto';
import { WebSocket } from 'ws';
import {
  announcementText,
  type Frame,
  type InvokeFrame,
  invokeText,
  type Json,
  parseFrame,
  type ResultFrame,
} from './wire.js';

type OnAnswer = (answer: ResultFrame) => void;

/**
 * The one client of all benchmarks: `JSON.stringify`, plain ws without deflate, `JSON.parse`, and a Map of
 * pending ids. The same code talks to an engine and to the gateway, so only the other side differs.
 */
export class Connection {
  /** Called for every function the other side invokes on this worker. */
  onInvocation: (frame: InvokeFrame) => void = () => undefined;
  readonly #socket: WebSocket;
  readonly #pending = new Map<string, OnAnswer>();
  readonly #waitingForPong: (() => void)[] = [];

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (text) => this.#take(parseFrame(String(text))));
    socket.on('error', () => socket.terminate()); // the calls in flight are then reported as never answered
  }

  /** Connects and announces itself, as the SDK does. */
  static open(url: string, workerName: string): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url, { perMessageDeflate: false });
      const connection = new Connection(socket);
      socket.once('error', reject);
      socket.once('open', () => {
        connection.send(announcementText(workerName));
        resolve(connection);
      });
    });
  }

  send(text: string): void {
    this.#socket.send(text);
  }

  call(functionId: string, data: Json, onAnswer: OnAnswer): void {
    const id = randomUUID();
    this.#pending.set(id, onAnswer);
    this.#socket.send(invokeText(id, functionId, data));
  }

  /** `call` as a promise, for everything that is not measured. */
  ask(functionId: string, data: Json, patienceMs = 5_000): Promise<Json | undefined> {
    return new Promise((resolve, reject) => {
      const give = setTimeout(() => reject(new Error(`${functionId} was not answered`)), patienceMs);
      this.call(functionId, data, (answer) => {
        clearTimeout(give);
        if (answer.error) reject(new Error(`${functionId}: ${answer.error.code}: ${answer.error.message}`));
        else resolve(answer.result);
      });
    });
  }

  /** Resolves when the other side has read everything sent so far. */
  everythingIsRead(patienceMs = 20_000): Promise<void> {
    return new Promise((resolve, reject) => {
      const give = setTimeout(() => reject(new Error('a ping was not answered')), patienceMs);
      this.#waitingForPong.push(() => {
        clearTimeout(give);
        resolve();
      });
      this.send('{"type":"ping"}');
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#socket.readyState === WebSocket.CLOSED) resolve();
      else this.#socket.once('close', () => resolve());
      this.#socket.close();
    });
  }

  #take(frame: Frame): void {
    if (frame.type === 'invocationresult') {
      const onAnswer = this.#pending.get(frame.invocation_id);
      this.#pending.delete(frame.invocation_id);
      onAnswer?.(frame);
    } else if (frame.type === 'invokefunction') {
      this.onInvocation(frame);
    } else if (frame.type === 'pong') {
      this.#waitingForPong.shift()?.();
    }
  }
}

/** Opens many connections, a few at a time so that no listener's queue overflows. */
export async function openConnections(
  url: string,
  count: number,
  nameOf: (index: number) => string,
): Promise<Connection[]> {
  const opened: Connection[] = [];
  while (opened.length < count) {
    const batch = Array.from({ length: Math.min(50, count - opened.length) }, (_, offset) =>
      Connection.open(url, nameOf(opened.length + offset)),
    );
    opened.push(...(await Promise.all(batch)));
  }
  return opened;
}
