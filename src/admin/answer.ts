import { GatewayError, messageOf } from '../errors.js';

/** What goes back over HTTP. */
export interface Answer {
  status: number;
  headers?: Record<string, string>;
  body: string;
}

export function json(status: number, value: object, headers: Record<string, string> = {}): Answer {
  return {
    status,
    headers: { 'Content-Type': 'application/json; charset=utf-8', ...headers },
    body: `${JSON.stringify(value)}\n`,
  };
}

export function failure(
  status: number,
  code: string,
  message: string,
  headers?: Record<string, string>,
): Answer {
  return json(status, { code, message }, headers);
}

const STATUS_OF: Readonly<Record<string, number>> = {
  deserialization_error: 400,
  INVALID_ARGUMENTS: 400,
  GATEWAY_FORBIDDEN: 403,
  GATEWAY_NOT_FOUND: 404,
  GATEWAY_TOO_LARGE: 413,
  GATEWAY_BACKLOG_FULL: 503,
  GATEWAY_OFFLINE: 503,
  GATEWAY_STOPPING: 503,
  GATEWAY_TIMEOUT: 504,
};

/** A failure as its caller is told: with its own words if it is one of ours, else without any. */
export function answerTo(error: unknown): Answer {
  if (!(error instanceof GatewayError))
    return failure(500, 'invocation_failed', 'The gateway failed; its log says how');
  return failure(STATUS_OF[error.code] ?? 500, error.code, messageOf(error));
}
