import type { StateAnswer, StateCall, StateInput, UpdateOp } from '../../../operations/calls.js';
import type { Repeat } from '../../../operations/repeats.js';
import { type Json, type JsonObject, printJson } from '../../../protocol/json.js';
import { Payload } from '../../../protocol/payload.js';
import type { StateAdapter } from '../adapter.js';

/** A checked call as the state module makes it from a worker's input. */
export function stateCall(input: StateInput, caller = 'suite-worker', repeat?: Repeat): StateCall {
  return { input, payload: Payload.of(wireInput(input)), caller, repeat };
}

/** Asks an adapter as a worker would: by plain names and values. */
export class SuiteClient {
  constructor(
    private readonly adapter: StateAdapter,
    private readonly caller = 'suite-worker',
  ) {}

  ask(input: StateInput, repeat?: Repeat): Promise<StateAnswer> {
    return this.adapter.answer(stateCall(input, this.caller, repeat));
  }

  get(scope: string, key: string): Promise<StateAnswer> {
    return this.ask({ functionId: 'state::get', scope, key });
  }

  /** The value's exact JSON text, or undefined when there is no result. */
  async text(scope: string, key: string): Promise<string | undefined> {
    const { result } = await this.get(scope, key);
    return result && printJson(result.value);
  }

  set(scope: string, key: string, value: Json): Promise<StateAnswer> {
    return this.ask({ functionId: 'state::set', scope, key, value });
  }

  delete(scope: string, key: string): Promise<StateAnswer> {
    return this.ask({ functionId: 'state::delete', scope, key });
  }

  update(scope: string, key: string, ...ops: UpdateOp[]): Promise<StateAnswer> {
    return this.ask({ functionId: 'state::update', scope, key, ops });
  }

  compareAndSet(scope: string, key: string, expected: Json, value: Json): Promise<StateAnswer> {
    return this.ask({ functionId: 'state::compare-and-set', scope, key, expected, value });
  }

  async list(scope: string): Promise<Json | undefined> {
    return valueIn(await this.ask({ functionId: 'state::list', scope }));
  }

  async listGroups(): Promise<string[]> {
    const { groups } = valueIn(await this.ask({ functionId: 'state::list_groups' })) as { groups: string[] };
    return groups;
  }

  async listKeys(scope: string): Promise<string[]> {
    const { keys } = valueIn(await this.ask({ functionId: 'state::list_keys', scope })) as { keys: string[] };
    return keys;
  }

  async page(
    scope: string,
    options: { limit?: number; maxBytes?: number; cursor?: string } = {},
  ): Promise<Page> {
    const defaults = { limit: 100, maxBytes: 1_000_000 };
    const answer = await this.ask({ functionId: 'state::list_entries', scope, ...defaults, ...options });
    return valueIn(answer) as unknown as Page;
  }
}

export interface Page {
  entries: [key: string, value: Json][];
  next_cursor: string | null;
  done: boolean;
  offset: number;
  total: number;
}

export function valueIn({ result }: StateAnswer): Json | undefined {
  return result?.value;
}

/** The input as a worker sends it. */
function wireInput(input: StateInput): JsonObject {
  const { functionId, ...members } = input;
  if (functionId !== 'state::list_entries') return members as JsonObject;
  const { maxBytes, ...others } = members as { maxBytes: number };
  return { ...others, max_bytes: maxBytes };
}
