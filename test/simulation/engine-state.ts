import type { Change, StateFunctionId, StateInputOf } from '../../src/operations/calls.js';
import { decodeInput } from '../../src/operations/inputs.js';
import { notSwappedResult, swappedResult } from '../../src/operations/results.js';
import { sameValue } from '../../src/operations/same-value.js';
import { isObject, type Json, member, printJson } from '../../src/protocol/json.js';
import type { InvocationResult } from '../../src/protocol/messages.js';
import type { RemoteCall } from '../../src/remote/calls.js';
import { RemoteState } from '../support/remote-state.js';
import type { Timeline } from './timeline.js';

/** A write that the remote executed. */
export interface Execution {
  /** The number of a write of ours; undefined: somebody else's. */
  write: number | undefined;
  scope: string;
  key: string;
  at: number;
  /** As text; undefined: no value. */
  before: string | undefined;
  after: string | undefined;
  /** Forgotten in a restart of the remote. */
  lost: boolean;
  /** The gateway was told. */
  answered: boolean;
}

/** What a key held from a moment on. */
export interface Held {
  at: number;
  text: string | undefined;
}

export interface Executed {
  answer: Pick<InvocationResult, 'result'>;
  /** Undefined: it changed nothing. */
  execution: Execution | undefined;
}

/** What the remote holds and has held, and all that was executed, in order. */
export class EngineState {
  readonly executions: Execution[] = [];
  /** Is told of every write. */
  executed: (change: Change) => void = () => undefined;
  private readonly held = new Map<string, Held[]>();
  private readonly taken = new Map<Json, Executed>();
  private readonly state = new RemoteState();

  constructor(
    private readonly timeline: Timeline,
    /** It drops a repeat of a receipt that it has taken, and answers as the first time. */
    private readonly knowsReceipts: boolean,
    private readonly trace: (line: () => string) => void,
  ) {}

  execute(call: RemoteCall): Executed {
    const receipt = this.knowsReceipts ? markOf(call, 'receipt') : undefined;
    if (receipt === undefined) return this.executeAnew(call);
    const taken = this.taken.get(receipt) ?? this.executeAnew(call);
    this.taken.set(receipt, taken);
    return taken;
  }

  /** A restart loses the newest writes. */
  forget(count: number): void {
    const kept = this.executions.filter(({ lost }) => !lost);
    this.state.forget(count);
    for (const execution of kept.slice(Math.max(0, kept.length - count)).reverse()) {
      execution.lost = true;
      this.nowHolds(execution.scope, execution.key, execution.before);
    }
  }

  /** What a key has held, from its beginning on. */
  historyOf(scope: string, key: string): readonly Held[] {
    return this.held.get(nameOf(scope, key)) ?? [{ at: 0, text: undefined }];
  }

  private executeAnew(call: RemoteCall): Executed {
    const { input } = decodeInput(call.function_id as StateFunctionId, call.data);
    if (input.functionId === 'state::compare-and-set') return this.compareAndSet(call, input);
    const { result, change } = this.state.execute(input, { connection: '' });
    return { answer: { result }, execution: change && this.note(change, call) };
  }

  private compareAndSet(
    call: RemoteCall,
    { scope, key, expected, value }: StateInputOf<'state::compare-and-set'>,
  ): Executed {
    const current = this.state.value(scope, key);
    if (!sameValue(current ?? null, expected)) {
      return { answer: { result: notSwappedResult(current) }, execution: undefined };
    }
    const set = { functionId: 'state::set', scope, key, value } as const;
    const { change } = this.state.execute(set, { connection: '' });
    return { answer: { result: swappedResult() }, execution: change && this.note(change, call) };
  }

  private note(change: Change, call: RemoteCall): Execution {
    const { scope, key, before, after } = change;
    const write = markOf(call, 'write');
    const execution: Execution = {
      write: typeof write === 'number' ? write : undefined,
      scope,
      key,
      at: this.timeline.now,
      before: textOf(before),
      after: textOf(after),
      lost: false,
      answered: false,
    };
    this.executions.push(execution);
    this.nowHolds(scope, key, execution.after);
    this.trace(() => `the remote executes ${write ?? "somebody's"}: ${scope}/${key} = ${execution.after}`);
    this.executed(change);
    return execution;
  }

  private nowHolds(scope: string, key: string, text: string | undefined): void {
    const name = nameOf(scope, key);
    const history = this.held.get(name);
    const now = { at: this.timeline.now, text };
    if (history) history.push(now);
    else this.held.set(name, this.timeline.elapsed === 0 ? [now] : [{ at: 0, text: undefined }, now]);
  }
}

/** What a call carries in its metadata for the simulation. */
export function markOf({ metadata }: Pick<RemoteCall, 'metadata'>, name: string): Json | undefined {
  return metadata && isObject(metadata.value) ? member(metadata.value, name) : undefined;
}

const nameOf = (scope: string, key: string): string => JSON.stringify([scope, key]);

function textOf(value: Json | undefined): string | undefined {
  return value === undefined ? undefined : printJson(value);
}
