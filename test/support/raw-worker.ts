import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { WebSocket } from 'ws';
import type { Frame } from './fake-engine.js';

/** A worker that speaks frames by hand: what an SDK would never send can be sent, and nothing is retried. */
export class RawWorker extends EventEmitter<{ frame: [Frame, string]; close: [number] }> {
  readonly frames: Frame[] = [];
  /** The frames as text, where members and numbers matter to the digit. */
  readonly texts: string[] = [];
  private constructor(readonly socket: WebSocket) {
    super();
    socket.on('message', (bytes: Buffer) => {
      const text = bytes.toString('utf8');
      const frame = JSON.parse(text) as Frame;
      this.frames.push(frame);
      this.texts.push(text);
      this.emit('frame', frame, text);
    });
    socket.on('close', (code) => this.emit('close', code));
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

  /** Calls a function and gives the result frame. */
  call(function_id: string, data: unknown, more: object = {}): Promise<Frame> {
    const invocation_id = randomUUID();
    this.send({ type: 'invokefunction', invocation_id, function_id, data, ...more });
    return this.answerTo(invocation_id);
  }

  answerTo(invocationId: string): Promise<Frame> {
    return this.received(
      (frame) => frame.type === 'invocationresult' && frame['invocation_id'] === invocationId,
    );
  }

  /** The next frame that fits, or one that came already. */
  async received(fits: (frame: Frame) => boolean): Promise<Frame> {
    const known = this.frames.find(fits);
    if (known) return known;
    return new Promise((resolve) => {
      const look = (frame: Frame) => {
        if (!fits(frame)) return;
        this.off('frame', look);
        resolve(frame);
      };
      this.on('frame', look);
    });
  }

  /** The frames of a function that is called here, in order. */
  callsOf(functionId: string): Frame[] {
    return this.frames.filter(
      (frame) => frame.type === 'invokefunction' && frame['function_id'] === functionId,
    );
  }

  async close(): Promise<void> {
    if (this.socket.readyState === WebSocket.CLOSED) return;
    this.socket.close();
    await once(this.socket, 'close');
  }
}
