import type { Change, StateFunctionId, StateInput, UpdateOp } from '../../src/operations/calls.js';
import { changeResult, groupsResult } from '../../src/operations/results.js';
import { applyOps } from '../../src/operations/update-ops.js';
import type { Json } from '../../src/protocol/json.js';
import { Payload } from '../../src/protocol/payload.js';

/** One write that was executed, in the order of execution. `undefined` is "no such key". */
export interface JournalEntry {
  function_id: StateFunctionId;
  scope: string;
  key: string;
  /** Of a set. */
  value?: Json;
  /** Of an update. */
  ops?: UpdateOp[];
  before: Json | undefined;
  after: Json | undefined;
  /** `performance.now()` of the execution. */
  at: number;
  /** Worker id of the connection it came over; `elsewhere` for one that the test made itself. */
  connection: string;
  /** What the gateway called it in its metadata, if it did. */
  receipt?: string;
  /** What its caller called it in its metadata, if it did. */
  label?: string;
  /** The engine forgot it in a restart. */
  lost: boolean;
}

export interface Executed {
  result: Payload | undefined;
  change: Change | undefined;
}

/** Where a call came from. */
export type Origin = Pick<JournalEntry, 'connection' | 'receipt' | 'label'>;

/** The State of a remote engine in a test: it keeps values for real, as `kv` does, and a journal of all writes. */
export class RemoteState {
  readonly journal: JournalEntry[] = [];
  private readonly scopes = new Map<string, Map<string, Json>>();

  value(scope: string, key: string): Json | undefined {
    return this.scopes.get(scope)?.get(key);
  }

  execute(input: StateInput, origin: Origin): Executed {
    switch (input.functionId) {
      case 'state::get':
        return reading(this.value(input.scope, input.key));
      case 'state::list':
        return reading([...(this.scopes.get(input.scope)?.values() ?? [])]);
      case 'state::list_groups':
        return { result: groupsResult(this.scopes.keys()), change: undefined };
      case 'state::set': {
        const { scope, key, value } = input;
        const change = this.write({ function_id: input.functionId, scope, key, value }, value, origin);
        return { result: changeResult(change.before, value), change };
      }
      case 'state::update': {
        const { scope, key, ops } = input;
        const { after, errors } = applyOps(this.value(scope, key), ops);
        const change = this.write({ function_id: input.functionId, scope, key, ops }, after, origin);
        return { result: changeResult(change.before, after, errors), change };
      }
      case 'state::delete': {
        const { functionId: function_id, scope, key } = input;
        const change = this.write({ function_id, scope, key }, undefined, origin);
        return { ...reading(change.before), change };
      }
      default:
        throw new Error(`${input.functionId} is not offered by this engine`);
    }
  }

  /** A restart that loses the newest `count` writes. */
  forget(count: number): void {
    const kept = this.journal.filter(({ lost }) => !lost);
    for (const entry of kept.slice(Math.max(0, kept.length - count)).reverse()) {
      entry.lost = true;
      this.put(entry.scope, entry.key, entry.before);
    }
  }

  forgetEverything(): void {
    this.scopes.clear();
    for (const entry of this.journal) entry.lost = true;
  }

  private write(
    call: Pick<JournalEntry, 'function_id' | 'scope' | 'key' | 'value' | 'ops'>,
    after: Json | undefined,
    origin: Origin,
  ): Change {
    const { scope, key } = call;
    const before = this.value(scope, key);
    this.put(scope, key, after);
    this.journal.push({ ...call, before, after, at: performance.now(), ...origin, lost: false });
    return { scope, key, before, after };
  }

  private put(scope: string, key: string, value: Json | undefined): void {
    const keys = this.scopes.get(scope) ?? new Map<string, Json>();
    this.scopes.set(scope, keys);
    if (value === undefined) keys.delete(key);
    else keys.set(key, value);
  }
}

function reading(value: Json | undefined): Executed {
  return { result: value === undefined ? undefined : Payload.of(value), change: undefined };
}
