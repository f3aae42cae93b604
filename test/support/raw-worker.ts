import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { type Frame, FrameLog } from './frame-log.js';

/** A worker that speaks frames by hand: what an SDK would never send can be sent, and nothing is retried. */
export class RawWorker extends FrameLog {
  /** The frames as text, where members and numbers matter to the digit. */
  readonly texts: string[] = [];
  /** The code that the connection ended with. */
  readonly closed: Promise<number>;
  private readonly served = new Map<string, (input: unknown) => unknown>();

  private constructor(readonly socket: WebSocket) {
    super();
    socket.on('message', (bytes: Buffer) => {
      const text = bytes.toString('utf8');
      this.texts.push(text);
      const frame = JSON.parse(text) as Frame;
      this.arrived(frame);
      this.answerIfServed(frame);
    });
    this.closed = new Promise((resolve) => socket.on('close', resolve));
    socket.on('error', () => undefined);
  }

  static async connect(url: string, headers: Record<string, string> = {}): Promise<RawWorker> {
    const worker = new RawWorker(new WebSocket(url, { headers, perMessageDeflate: false }));
    await once(worker.socket, 'open');
    await worker.received((frame) => frame.type === 'workerregistered');
    return worker;
  }

  send(frame: Frame | string): void {
    this.socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  }

  /** Sends one message in several frames, cut at bytes as newer SDKs do. */
  sendInFragments(frame: Frame, bytes: number): void {
    const message = Buffer.from(JSON.stringify(frame));
    for (let at = 0; at < message.length; at += bytes) {
      const fin = at + bytes >= message.length;
      this.socket.send(message.subarray(at, at + bytes), { fin, binary: false });
    }
  }

  /** Calls a function and gives the result frame. */
  call(function_id: string, data: unknown, more: object = {}): Promise<Frame> {
    const invocation_id = randomUUID();
    this.send({ type: 'invokefunction', invocation_id, function_id, data, ...more });
    return this.answerTo(invocation_id);
  }

  /** Calls a function with data that JSON.stringify would change, or mend; gives the call's id. */
  callAsText(function_id: string, data: string, id: string = randomUUID()): string {
    this.send(
      `{"type":"invokefunction","invocation_id":"${id}","function_id":"${function_id}","data":${data}}`,
    );
    return id;
  }

  answerTo(invocationId: string): Promise<Frame> {
    return this.received(
      (frame) => frame.type === 'invocationresult' && frame['invocation_id'] === invocationId,
    );
  }

  /** Registers a function, and answers it from now on; resolves once the gateway knows it. */
  async serve(id: string, answer: (input: unknown) => unknown): Promise<void> {
    this.served.set(id, answer);
    this.send({ type: 'registerfunction', id });
    await this.call('engine::functions::info', { function_id: id });
  }

  /** The frames of a function that is called here, in order. */
  callsOf(functionId: string): Frame[] {
    return this.frames.filter(
      (frame) => frame.type === 'invokefunction' && frame['function_id'] === functionId,
    );
  }

  private answerIfServed({ type, function_id, invocation_id, data }: Frame): void {
    const answer = type === 'invokefunction' ? this.served.get(String(function_id)) : undefined;
    if (answer) this.send({ type: 'invocationresult', invocation_id, function_id, result: answer(data) });
  }

  async stop(): Promise<void> {
    if (this.socket.readyState === WebSocket.CLOSED) return;
    this.socket.close();
    await this.closed;
  }
}
