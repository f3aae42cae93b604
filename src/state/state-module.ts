import { EventEmitter } from 'node:events';
import { type EngineCode, GatewayError, messageOf } from '../errors.js';
import type { StateFunctionId } from '../operations/calls.js';
import { checkValueSize, decodeInput } from '../operations/inputs.js';
import { repeatOf } from '../operations/repeats.js';
import { eventOf } from '../operations/results.js';
import type { Payload } from '../protocol/payload.js';
import { changeOf, type StateChange } from '../protocol/state-event.js';
import { exceedsBytes } from '../protocol/text-size.js';
import type { PassageStamp } from '../remote/passage.js';
import type { StateAdapter } from './adapters/adapter.js';

/** A call of a state function as it came in, not yet checked. */
export interface StateRequest {
  data: Payload;
  metadata?: Payload | undefined;
  traceparent?: string | undefined;
  baggage?: string | undefined;
  /** Undefined for calls that the gateway makes itself. */
  caller: { readonly id: string } | undefined;
}

export interface StateModuleOptions {
  passage: PassageStamp;
  /** Largest value that `state::set` takes, in bytes of compact JSON; 0 means any. */
  maxValueBytes: number;
  /** Largest input of any state function, in bytes. */
  maxCallBytes: number;
}

/** What an adapter's own failure is called, by function (state module section 2). */
const FAILURES: Record<StateFunctionId, [code: EngineCode, doing: string]> = {
  'state::get': ['GET_ERROR', 'get value'],
  'state::set': ['SET_ERROR', 'set value'],
  'state::delete': ['DELETE_ERROR', 'delete value'],
  'state::update': ['UPDATE_ERROR', 'update value'],
  'state::list': ['LIST_ERROR', 'list values'],
  'state::list_groups': ['LIST_GROUPS_ERROR', 'list groups'],
  'state::list_keys': ['LIST_KEYS_ERROR', 'list keys'],
  'state::list_entries': ['LIST_ENTRIES_ERROR', 'list entries'],
  'state::compare-and-set': ['CAS_ERROR', 'compare and set value'],
};

/**
 * The engine's state functions: checks input and limits, asks the adapter, and says what changed.
 * Emits `change` for every change that the adapter reports.
 */
export class StateModule extends EventEmitter<{ change: [StateChange] }> {
  constructor(
    private readonly adapter: StateAdapter,
    private readonly options: StateModuleOptions,
  ) {
    super();
  }

  /**
   * Answers a call; `undefined` is "no value". Nothing is changed by a call that is refused.
   * @throws GatewayError `deserialization_error`, `VALUE_TOO_LARGE`, `GATEWAY_LOOP`, the function's own code
   * (`SET_ERROR` …) when the adapter fails, or what the adapter says.
   */
  async answer(functionId: StateFunctionId, request: StateRequest): Promise<Payload | undefined> {
    this.options.passage.check(request.metadata);
    this.checkCallSize(functionId, request.data);
    const { input, payload } = decodeInput(functionId, request.data);
    if (input.functionId === 'state::set' && this.options.maxValueBytes > 0) {
      checkValueSize(input.value, this.options.maxValueBytes);
    }
    const { metadata, traceparent, baggage, caller } = request;
    const repeat = repeatOf(input, request.data, metadata);
    const call = { input, payload, caller: caller?.id ?? '', repeat, metadata, traceparent, baggage };
    const { result, change } = await this.adapter.answer(call).catch((error: unknown) => {
      throw failureOf(functionId, error);
    });
    if (change) this.emit('change', changeOf(eventOf(change)));
    return result;
  }

  /** A real engine drops the connection over a larger frame, and a log that held one would never drain. */
  private checkCallSize(functionId: string, { text }: Payload): void {
    const { maxCallBytes } = this.options;
    if (!exceedsBytes(text, maxCallBytes)) return;
    throw new GatewayError(
      'deserialization_error',
      `Failed to deserialize input for ${functionId}: it is larger than the ${maxCallBytes} bytes of limits.frame_bytes`,
    );
  }
}

/** What an adapter throws without a code of its own gets the engine's. */
function failureOf(functionId: StateFunctionId, error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  const [code, doing] = FAILURES[functionId];
  return new GatewayError(code, `Failed to ${doing}: ${messageOf(error)}`, { cause: error });
}
