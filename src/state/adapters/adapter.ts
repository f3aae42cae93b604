import type { Service } from '../../lifecycle.js';
import type { Logger } from '../../logger.js';
import type { StateAnswer, StateCall } from '../../operations/calls.js';

/**
 * A place where state can live. An adapter answers whole calls, in the engine's result shapes:
 *
 * - the input is checked before it arrives; an adapter never sees a malformed call;
 * - a failure is thrown: a `GatewayError` reaches the caller as it is, any other error with the engine's code
 *   for that function (`SET_ERROR`, `GET_ERROR`, …) and its message as the cause;
 * - `set`, `update` and `compare-and-set` are atomic per key, their `old_value` included;
 * - `change` is reported for writes made here whose subscribers this gateway tells itself; an adapter whose
 *   changes come back on another way (the remote's feed) leaves it out;
 * - a call that has a name (`repeat`) is made once by an adapter that looks at it: a repeat gets the first answer, without
 *   `change`. One that does not look at it makes the call again;
 * - a function that this place cannot offer is answered with `function_not_found`.
 *
 * `iii-state-gateway/adapter-suite` proves an implementation.
 */
export interface StateAdapter extends Service {
  answer(call: StateCall): Promise<StateAnswer>;
}

/** What a custom adapter's module exports: `createAdapter(config, context)`. */
export type CreateAdapter = (
  config: unknown,
  context: AdapterContext,
) => StateAdapter | Promise<StateAdapter>;

export interface AdapterContext {
  /** Folder of this gateway's data; an adapter keeps its files in a folder of its own below it. */
  dataDir: string;
  logger: Logger;
}
