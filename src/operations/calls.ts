/** State calls and answers in the engine's words (state module section 2; observe section 7.2). */
import type { Json } from '../protocol/json.js';
import type { Payload } from '../protocol/payload.js';
import type { Repeat } from './repeats.js';

/** One update operation, checked and normalised. A path of `''` or `[]` is the root value. */
export type UpdateOp =
  | { type: 'set'; path: string; value: Json }
  | { type: 'merge'; path: string[]; value: Json }
  | { type: 'increment'; path: string; by: number | bigint }
  | { type: 'decrement'; path: string; by: number | bigint }
  | { type: 'append'; path: string[]; value: Json }
  | { type: 'remove'; path: string };

/** What a call's input says, once checked. */
export type StateInput =
  | { functionId: 'state::get'; scope: string; key: string }
  | { functionId: 'state::set'; scope: string; key: string; value: Json }
  | { functionId: 'state::delete'; scope: string; key: string }
  | { functionId: 'state::update'; scope: string; key: string; ops: UpdateOp[] }
  | { functionId: 'state::list'; scope: string }
  | { functionId: 'state::list_groups' }
  | { functionId: 'state::list_keys'; scope: string }
  | { functionId: 'state::list_entries'; scope: string; cursor?: string; limit: number; maxBytes: number }
  | { functionId: 'state::compare-and-set'; scope: string; key: string; expected: Json; value: Json };

export type StateFunctionId = StateInput['functionId'];
export type StateInputOf<F extends StateFunctionId> = Extract<StateInput, { functionId: F }>;

/** A checked call, with what an adapter in front of another engine passes on. */
export interface StateCall {
  input: StateInput;
  /** The input as received, in the engine's shape. */
  payload: Payload;
  /** The name by which a repeat of this write is known; adapters that do not look at it do it again. */
  repeat?: Repeat | undefined;
  /** Worker id of the caller; cursors are bound to it. */
  caller: string;
  metadata?: Payload | undefined;
  traceparent?: string | undefined;
  baggage?: string | undefined;
}

/** A change of one key; `undefined` is "no such key", which is not the same as a stored null. */
export interface Change {
  scope: string;
  key: string;
  before: Json | undefined;
  after: Json | undefined;
}

/** The result that the caller sees (absent: no value), and the change that local subscribers are told of. */
export interface StateAnswer {
  result?: Payload;
  change?: Change;
}
