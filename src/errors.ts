/** What goes over the wire when a call fails (wire protocol 3.11). */
export interface ErrorBody {
  code: string;
  message: string;
  stacktrace?: string;
}

/**
 * Codes this gateway makes itself. Every other code that callers see comes from the engine's own
 * vocabulary (`deserialization_error`, `VALUE_TOO_LARGE`, …) or unchanged from a remote or a worker.
 */
export type GatewayCode =
  /** It cannot be done without the remote, and the remote is away. */
  | 'GATEWAY_OFFLINE'
  /** The remote is away, and we do not know the value. */
  | 'GATEWAY_OFFLINE_UNKNOWN'
  /** The write was sent and not answered in time: it may or may not have been executed. */
  | 'GATEWAY_OUTCOME_UNKNOWN'
  /** The write could not be accepted, because the log is at a limit; the message says when to try again. */
  | 'GATEWAY_BACKLOG_FULL'
  /** An earlier write to the key (or its scope) waits for an operator, and the scope says that later ones wait too. */
  | 'GATEWAY_KEY_HELD'
  /** The idempotency_key was used for a call with another input. */
  | 'GATEWAY_KEY_REUSED'
  /** In a receipt: the remote holds a value that the write was not based on, and an operator decides. */
  | 'GATEWAY_CONFLICT'
  /** In a receipt: the write was given up because it grew too old before it could be sent. */
  | 'GATEWAY_EXPIRED'
  /** There is no such receipt or quarantine entry. */
  | 'GATEWAY_NOT_FOUND'
  /** The caller has no right to it. */
  | 'GATEWAY_FORBIDDEN'
  /** Our own disk failed or refused. */
  | 'GATEWAY_STORAGE'
  /** No answer within the time allowed; nothing was changed by asking. */
  | 'GATEWAY_TIMEOUT'
  /** The call came back to a gateway that it had already passed. */
  | 'GATEWAY_LOOP'
  /** The worker sends faster than `limits.rate_per_worker`. */
  | 'GATEWAY_RATE_LIMITED'
  /** The message is larger than its receiver takes. */
  | 'GATEWAY_TOO_LARGE'
  /** The gateway is shutting down. */
  | 'GATEWAY_STOPPING'
  /** The configuration was refused; the message holds one line per mistake. */
  | 'GATEWAY_CONFIG';

/** The engine's codes that we answer with ourselves (wire protocol section 6, state module section 2). */
export type EngineCode =
  | 'deserialization_error'
  | 'function_not_found'
  | 'function_not_invokable'
  | 'invocation_stopped'
  | 'invocation_failed'
  | 'enqueue_error'
  | 'trigger_registration_failed'
  | 'topic_not_set'
  | 'INVALID_NAMESPACE'
  | 'INVALID_ARGUMENTS'
  | 'NOT_FOUND'
  | 'VALUE_TOO_LARGE'
  | 'SET_ERROR'
  | 'GET_ERROR'
  | 'DELETE_ERROR'
  | 'UPDATE_ERROR'
  | 'LIST_ERROR'
  | 'LIST_GROUPS_ERROR'
  | 'LIST_KEYS_ERROR'
  | 'LIST_ENTRIES_ERROR'
  | 'CAS_ERROR'
  | 'INVALID_PAGE_LIMITS'
  | 'INVALID_CURSOR'
  | 'SNAPSHOT_CAPACITY'
  | 'ROW_TOO_LARGE';

/**
 * The one error of this program: a code for programs, a sentence for people, and the cause.
 * A peer's own error keeps its code, message and stack trace, whatever they are.
 */
export class GatewayError extends Error {
  override readonly name = 'GatewayError';
  readonly code: string;
  /** A remote program's stack trace, passed on as it came. */
  readonly stacktrace: string | undefined;

  constructor(
    code: GatewayCode | EngineCode,
    message: string,
    options: { cause?: unknown; stacktrace?: string | undefined } = {},
  ) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.stacktrace = options.stacktrace;
  }

  /** An error that a peer sent us, with the peer's own code. */
  static fromBody(body: ErrorBody): GatewayError {
    return new GatewayError(body.code as EngineCode, body.message, { stacktrace: body.stacktrace });
  }
}

/** Any thrown thing as the body of an answer; what has no code of its own gets `fallback`. */
export function toErrorBody(error: unknown, fallback: EngineCode = 'invocation_failed'): ErrorBody {
  if (error instanceof GatewayError) {
    const { code, message, stacktrace } = error;
    return stacktrace === undefined ? { code, message } : { code, message, stacktrace };
  }
  return { code: fallback, message: messageOf(error) };
}

/** The sentence of any thrown thing. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
