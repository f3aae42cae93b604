import type { ErrorBody } from '../errors.js';
import type { Logger } from '../logger.js';
import { decode } from '../protocol/decode.js';
import { encode } from '../protocol/encode.js';
import type { InvokeFunction, Message } from '../protocol/messages.js';
import { MAX_MESSAGE_BYTES } from '../protocol/text-frames.js';
import { exceedsBytes } from '../protocol/text-size.js';
import { DEFAULT_NAMESPACE } from '../router/functions.js';
import type { Router } from '../router/router.js';
import type { Worker, WorkerInfo } from '../router/worker.js';
import { maxMessageBytes } from './message-limits.js';
import type { RateLimit } from './rate-limit.js';

/** What a session needs of its connection. */
export interface SessionSocket {
  send(text: string): void;
  readonly queuedBytes: number;
  /** Drops the TCP connection: every SDK comes back after that. */
  terminate(): void;
}

export interface SessionOptions {
  id: string;
  reattachToken: string;
  ipAddress: string;
  connectedAtMs: number;
  maxQueuedBytes: number;
  rate: RateLimit;
  logger: Logger;
}

/** Engines before 0.11.2 carry telemetry over the worker connection, in binary frames with these heads. */
const TELEMETRY = ['OTLP', 'MTRC', 'LOGS'];

/** One connected worker: its frames in, ours out, within its limits. */
export class Session implements Worker {
  readonly id: string;
  readonly reattachToken: string;
  readonly ipAddress: string;
  readonly connectedAtMs: number;
  info: WorkerInfo | undefined;
  namespace = DEFAULT_NAMESPACE;

  constructor(
    private readonly socket: SessionSocket,
    private readonly router: Router,
    private readonly options: SessionOptions,
  ) {
    ({
      id: this.id,
      reattachToken: this.reattachToken,
      ipAddress: this.ipAddress,
      connectedAtMs: this.connectedAtMs,
    } = options);
  }

  /** Introduces the worker to the router; the returned function is to be called when the connection has ended. */
  open(): () => void {
    this.router.connect(this);
    return () => this.router.disconnect(this);
  }

  /** One frame from the worker. */
  receive(bytes: Buffer, isBinary: boolean): void {
    if (isBinary && TELEMETRY.includes(bytes.toString('latin1', 0, 4))) return;
    const decoded = decode(bytes.toString('utf8'));
    switch (decoded.kind) {
      case 'message':
        if (decoded.message.type === 'invokefunction' && !this.options.rate.admits()) {
          this.refuseForRate(decoded.message);
        } else {
          this.router.receive(this, decoded.message);
        }
        return;
      case 'refused':
        this.answer(decoded.invocationId, decoded.functionId, decoded.error);
        return;
      case 'ignored':
        this.options.logger.debug({ worker: this.id, reason: decoded.reason }, 'ignored a frame');
        return;
    }
  }

  send(message: Message): void {
    const text = encode(message);
    if (exceedsBytes(text, maxMessageBytes(this.info))) this.refuseForSize(message, Buffer.byteLength(text));
    else this.write(text, message.type === 'invocationresult' ? MAX_MESSAGE_BYTES : 0);
  }

  evict(): void {
    this.socket.terminate();
  }

  /** What a worker cannot read ends with an error for the one who waits, not with the connection. */
  private refuseForSize(message: Message, size: number): void {
    const error = {
      code: 'GATEWAY_TOO_LARGE',
      message: `${size} bytes are more than worker ${this.info?.name ?? this.id} can read in one message`,
    };
    if (message.type === 'invocationresult') {
      this.answer(message.invocation_id, message.function_id, error);
    } else if (message.type === 'invokefunction' && message.invocation_id !== undefined) {
      const { invocation_id, function_id } = message;
      this.router.receive(this, { type: 'invocationresult', invocation_id, function_id, error });
      this.options.logger.warn({ worker: this.id, function_id, size }, 'a call was too large for its worker');
    }
  }

  private refuseForRate(message: InvokeFunction): void {
    const sentence =
      'This worker calls faster than limits.rate_per_worker allows: slow down, or raise the limit';
    this.options.logger.debug(
      { worker: this.id, function_id: message.function_id },
      'refused a call for its rate',
    );
    if (message.invocation_id === undefined) return;
    this.answer(message.invocation_id, message.function_id, {
      code: 'GATEWAY_RATE_LIMITED',
      message: sentence,
    });
  }

  private answer(invocation_id: string, function_id: string, error: ErrorBody): void {
    this.write(encode({ type: 'invocationresult', invocation_id, function_id, error }), 0);
  }

  /** @param asked what may wait besides, because the worker asked for it: answers may be as large as a message can be */
  private write(text: string, asked: number): void {
    if (this.socket.queuedBytes <= this.options.maxQueuedBytes + asked) {
      this.socket.send(text);
      return;
    }
    this.options.logger.warn({ worker: this.id, name: this.info?.name }, 'ended a worker that does not read');
    this.socket.terminate();
  }
}
