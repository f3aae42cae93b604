import { decodeFromEngine } from '../protocol/decode.js';
import { encode, encodeCall } from '../protocol/encode.js';
import { Heartbeat, NotedPulse, PING_INTERVAL_MS } from '../protocol/heartbeat.js';
import type { InvokeFunction, Message, MessageOf } from '../protocol/messages.js';
import { type ObserverState, observerStateIn } from './observer-state.js';
import { connect, type TransportOptions } from './transport.js';

export type Greeting = MessageOf<'workerregistered'>;

/** What we understand of what an engine says. */
export type EngineMessage = Message | ObserverState;

/** One connection to an engine that has greeted us. */
export interface Connection {
  readonly greeting: Greeting;
  send(message: Message): void;
  sendCall(invocationId: string, call: Omit<InvokeFunction, 'type'>): void;
  /** Says goodbye. */
  close(): void;
  /** Drops it, without a word. */
  terminate(): void;
  /** Resolves with the reason when it has ended. */
  readonly closed: Promise<Error>;
}

/**
 * Connects and waits for the engine's greeting, which every engine sends first. Sixty seconds of silence end the
 * connection: engines never ping, but they answer pings (wire protocol 1.5). `drop` ends it at once, at any time.
 * @throws whatever kept the connection from opening, or that no engine greeted in time.
 */
export async function openConnection(
  options: TransportOptions,
  onMessage: (message: EngineMessage) => void,
  drop: AbortSignal,
): Promise<Connection> {
  let greet: (greeting: Greeting) => void;
  let end: (cause: Error) => void;
  const greeting = new Promise<Greeting>((resolve) => {
    greet = resolve;
  });
  const closed = new Promise<Error>((resolve) => {
    end = resolve;
  });
  const pulse = new NotedPulse(
    () => transport.ping(),
    () => transport.terminate(),
  );
  const transport = await connect(
    options,
    {
      onSign: () => pulse.note(),
      onFrame: (bytes) => {
        const message = read(bytes.toString('utf8'));
        if (!message) return;
        if (message.type === 'workerregistered') greet(message);
        onMessage(message);
      },
      onClose: (cause) => end(cause),
    },
    drop,
  );
  const heartbeat = new Heartbeat();
  heartbeat.add(pulse);
  const beating = setInterval(() => heartbeat.beat(), PING_INTERVAL_MS).unref();
  void closed.then(() => clearInterval(beating));
  return {
    greeting: await greetingInTime(greeting, closed, options.connectTimeoutMs).catch((error: unknown) => {
      transport.terminate();
      throw error;
    }),
    send: (message) => transport.send(encode(message)),
    sendCall: (invocationId, call) => transport.send(encodeCall(invocationId, call)),
    close: () => transport.close(),
    terminate: () => transport.terminate(),
    closed,
  };
}

function read(text: string): EngineMessage | undefined {
  const decoded = decodeFromEngine(text);
  return decoded.kind === 'message' ? decoded.message : observerStateIn(text);
}

async function greetingInTime(
  greeting: Promise<Greeting>,
  closed: Promise<Error>,
  timeoutMs: number,
): Promise<Greeting> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<Error>((resolve) => {
    timer = setTimeout(
      () => resolve(new Error('it does not greet workers as an iii engine does')),
      timeoutMs,
    );
  });
  const first = await Promise.race([greeting, closed, silence]);
  clearTimeout(timer);
  if (first instanceof Error) throw first;
  return first;
}
