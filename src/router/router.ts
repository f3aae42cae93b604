import { GatewayError, toErrorBody } from '../errors.js';
import type { InvocationResult, InvokeFunction, Message } from '../protocol/messages.js';
import type { Payload } from '../protocol/payload.js';
import { type BuiltIn, type Call, DEFAULT_NAMESPACE, Functions, type WorkerFunction } from './functions.js';
import { Invocations } from './invocations.js';
import { type Trigger, Triggers } from './triggers.js';
import type { Worker } from './worker.js';
import { Workers } from './workers.js';

/** Where a call goes that asks for a queue and whose function nobody has registered here. */
export type Enqueue = (
  call: InvokeFunction & { action: { type: 'enqueue'; queue: string } },
) => Promise<Payload | undefined>;

export interface RouterOptions {
  /** False where this gateway has no State: then a worker may provide the state functions. */
  stateIsOurs: boolean;
  randomUuid(): string;
  enqueue: Enqueue;
}

/** The answer to a call: a value, no value, or an error, with the trace that goes back. */
type Answer = Pick<InvocationResult, 'result' | 'error' | 'traceparent' | 'baggage'>;

/** From a worker's message to the function, trigger or worker that it is for, and the answer back. */
export class Router {
  readonly functions: Functions;
  readonly triggers = new Triggers();
  readonly workers = new Workers();
  readonly invocations: Invocations;

  constructor(private readonly options: RouterOptions) {
    this.functions = new Functions(options.stateIsOurs);
    this.invocations = new Invocations(options.randomUuid());
  }

  /** Makes a function of our own known to every worker. */
  offer(id: string, builtIn: BuiltIn): void {
    this.functions.offer(id, builtIn);
  }

  connect(worker: Worker): void {
    this.workers.add(worker);
    worker.send({ type: 'workerregistered', worker_id: worker.id, reattach_token: worker.reattachToken });
  }

  /** What an engine does when a connection ends (wire protocol 4.3). */
  disconnect(worker: Worker): void {
    if (!this.workers.remove(worker)) return;
    this.functions.dropOwnedBy(worker);
    this.invocations.dropWorker(worker);
    this.triggers.dropWorker(worker);
    this.workers.left(worker);
  }

  receive(worker: Worker, message: Message): void {
    switch (message.type) {
      case 'invokefunction':
        void this.invoke(worker, message);
        return;
      case 'invocationresult':
        this.invocations.settle(worker, message);
        return;
      case 'reattach':
        this.reattach(worker, message.previous_worker_id, message.reattach_token);
        return;
      case 'registerfunction': {
        const registration = this.functions.register(worker, message);
        if (!registration.accepted) reject(worker, message.id, registration.ownerWorkerId);
        return;
      }
      case 'unregisterfunction':
        this.functions.unregister(worker, message.id);
        return;
      case 'registertriggertype':
        this.triggers.registerType(worker, message);
        return;
      case 'unregistertriggertype':
        this.triggers.unregisterType(worker, message.id);
        return;
      case 'registertrigger':
        this.triggers.register(worker, message);
        return;
      case 'unregistertrigger':
        this.triggers.remove(message.id, worker);
        return;
      case 'triggerregistrationresult':
        this.triggers.settle(worker, message);
        return;
      case 'ping':
        worker.send({ type: 'pong' });
        return;
      case 'pong':
      case 'registerservice':
      case 'workerregistered':
      case 'registrationrejected':
      case 'observe':
      case 'unobserve':
        return;
    }
  }

  /** Calls a trigger's function with an event. Nobody waits for the answer; an unknown function is no error. */
  fire(trigger: Trigger, event: Payload): void {
    const target = this.functions.find(trigger.namespace, trigger.functionId);
    const metadata = trigger.metadata && { metadata: trigger.metadata };
    if (target?.kind === 'worker') {
      this.invocations.fire(target.owner, { function_id: trigger.functionId, data: event, ...metadata });
    } else if (target) {
      const call = { functionId: trigger.functionId, data: event, caller: undefined, ...metadata };
      target.builtIn.call(call).catch(() => undefined);
    }
  }

  /**
   * Calls a function for the gateway itself, such as a condition.
   * @throws GatewayError `function_not_found`, `invocation_stopped`, or the function's own error.
   */
  async ask(namespace: string, functionId: string, data: Payload): Promise<Payload | undefined> {
    const answer = await this.run(namespace, { functionId, data, caller: undefined });
    if (answer.error) throw GatewayError.fromBody(answer.error);
    return answer.result;
  }

  private async invoke(worker: Worker, message: InvokeFunction): Promise<void> {
    const { invocation_id, function_id } = message;
    let answer: Answer;
    try {
      answer = await this.answerTo(worker, message);
    } catch (error) {
      answer = { error: toErrorBody(error) };
    }
    if (invocation_id === undefined || message.action?.type === 'void') return;
    const { result, error } = answer;
    // A worker that does not trace sends no headers back; the caller then gets its own (wire protocol 5.7).
    const { traceparent = message.traceparent, baggage = message.baggage } = answer;
    worker.send({
      type: 'invocationresult',
      invocation_id,
      function_id,
      result,
      error,
      traceparent,
      baggage,
    });
  }

  /** @throws GatewayError, now or as a rejection, what the caller is answered with. */
  private answerTo(worker: Worker, message: InvokeFunction): Promise<Answer> {
    const { function_id: functionId, data, metadata, action, traceparent, baggage } = message;
    const namespace = message.namespace ?? DEFAULT_NAMESPACE;
    if (namespace.trim() === '') {
      throw new GatewayError('INVALID_NAMESPACE', '`namespace` is empty: leave it out or name one');
    }
    if (action?.type === 'enqueue') return this.enqueue(namespace, { ...message, action });
    return this.run(namespace, { functionId, data, caller: worker, metadata, traceparent, baggage });
  }

  private run(namespace: string, call: Call): Promise<Answer> {
    const target = this.functions.find(namespace, call.functionId);
    if (!target) throw this.functions.notFound(namespace, call.functionId);
    return target.kind === 'worker' ? this.runOnWorker(target, call) : runBuiltIn(target.builtIn, call);
  }

  private runOnWorker({ owner, registration }: WorkerFunction, call: Call): Promise<Answer> {
    const { functionId, data, caller, metadata, traceparent, baggage } = call;
    if (registration.invocation) {
      throw new GatewayError(
        'function_not_invokable',
        `Function ${functionId} is called over HTTP, which this gateway does not do`,
      );
    }
    const marked = caller ? data.withMember('_caller_worker_id', caller.id) : data;
    const outgoing = { function_id: functionId, data: marked, metadata, traceparent, baggage };
    return this.invocations.call(owner, outgoing, caller);
  }

  private async enqueue(namespace: string, message: Parameters<Enqueue>[0]): Promise<Answer> {
    if (this.functions.find(namespace, message.function_id)) {
      throw new GatewayError(
        'enqueue_error',
        `No queue provider is installed: ${message.function_id} is registered here and this gateway has no queues. Call it without a queue`,
      );
    }
    const receipt = await this.options.enqueue(message);
    return receipt ? { result: receipt } : {};
  }

  private reattach(worker: Worker, previousId: string, token: string | undefined): void {
    const previous = this.workers.find(previousId);
    if (!previous || previous === worker || previous.reattachToken !== token) return;
    this.disconnect(previous);
    previous.evict();
  }
}

/** Tells a worker that a function id is not its own; the connection lives on (wire protocol 3.12). */
export function reject(worker: Worker, functionId: string, ownerWorkerId: string): void {
  worker.send({
    type: 'registrationrejected',
    code: 'FUNCTION_NAMESPACE_CONFLICT',
    namespace: worker.namespace,
    function_id: functionId,
    owner_worker_id: ownerWorkerId,
  });
}

async function runBuiltIn(builtIn: BuiltIn, call: Call): Promise<Answer> {
  return { result: await builtIn.call(call) };
}
