import { decode } from '../../src/protocol/decode.js';
import { encode } from '../../src/protocol/encode.js';
import type { Json } from '../../src/protocol/json.js';
import type {
  InvocationResult,
  InvokeFunction,
  Message,
  MessageOf,
  RegisterFunction,
  RegisterTrigger,
} from '../../src/protocol/messages.js';
import { Payload } from '../../src/protocol/payload.js';
import { DEFAULT_NAMESPACE } from '../../src/router/functions.js';
import { type Enqueue, Router } from '../../src/router/router.js';
import type { Worker, WorkerInfo } from '../../src/router/worker.js';

/** A worker without a socket: it says what a test has it say, and keeps what it is sent. */
export class FakeWorker implements Worker {
  readonly reattachToken: string;
  readonly ipAddress = '192.0.2.1';
  readonly connectedAtMs = 1000;
  info: WorkerInfo | undefined;
  namespace = DEFAULT_NAMESPACE;
  readonly sent: Message[] = [];
  isEvicted = false;
  private readonly answers = new Map<string, (answer: InvocationResult) => void>();

  constructor(
    private readonly router: Router,
    readonly id: string,
  ) {
    this.reattachToken = `token of ${id}`;
  }

  /** A worker that has been greeted already. */
  static connect(router: Router, id: string): FakeWorker {
    const worker = new FakeWorker(router, id);
    router.connect(worker);
    return worker;
  }

  /** Keeps a message as it would arrive: what is not printed is not there. */
  send(message: Message): void {
    const arrived = decode(encode(message));
    if (arrived.kind !== 'message') throw new Error(`${message.type} cannot be read back: ${arrived.kind}`);
    this.sent.push(arrived.message);
    if (arrived.message.type === 'invocationresult') {
      this.answers.get(arrived.message.invocation_id)?.(arrived.message);
    }
  }

  evict(): void {
    this.isEvicted = true;
  }

  /** Sends a message to the router. */
  says(message: Message): void {
    this.router.receive(this, message);
  }

  registers(id: string, more: Partial<RegisterFunction> = {}): void {
    this.says({ type: 'registerfunction', id, ...more });
  }

  binds(id: string, triggerType: string, functionId: string, more: Partial<RegisterTrigger> = {}): void {
    this.says({
      type: 'registertrigger',
      id,
      trigger_type: triggerType,
      function_id: functionId,
      config: {},
      ...more,
    });
  }

  provides(triggerType: string, namespace?: string): void {
    const more = namespace === undefined ? {} : { namespace };
    this.says({ type: 'registertriggertype', id: triggerType, description: `type of ${this.id}`, ...more });
  }

  /** Calls a function and gives the answer. */
  asks(functionId: string, data: Json = {}, more: Partial<InvokeFunction> = {}): Promise<InvocationResult> {
    const invocation_id = `${this.id} asks ${this.answers.size}`;
    const answer = new Promise<InvocationResult>((resolve) => this.answers.set(invocation_id, resolve));
    this.says({
      type: 'invokefunction',
      invocation_id,
      function_id: functionId,
      data: Payload.of(data),
      ...more,
    });
    return answer;
  }

  /** Answers every call that it was sent and has not answered yet. */
  answersAll(result: Json): void {
    const calls = this.received('invokefunction');
    for (const { invocation_id, function_id } of calls) {
      if (invocation_id === undefined) continue;
      this.says({ type: 'invocationresult', invocation_id, function_id, result: Payload.of(result) });
    }
  }

  /** What it was sent of one type, in order. */
  received<T extends Message['type']>(type: T): MessageOf<T>[] {
    return this.sent.filter((message): message is MessageOf<T> => message.type === type);
  }
}

/** A router with State of its own and no remote. */
export function makeRouter(options: { stateIsOurs?: boolean; enqueue?: Enqueue } = {}): Router {
  return new Router({
    stateIsOurs: true,
    randomUuid: () => '5f0c7a52-0000-4000-8000-000000000000',
    enqueue: async () => Payload.of({ messageReceiptId: 'from the remote' }),
    ...options,
  });
}
