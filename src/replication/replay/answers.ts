/** What the remote's answer to a write means (replication section 2). */
import type { ErrorBody } from '../../errors.js';
import type { Payload } from '../../protocol/payload.js';
import type { WriteInput } from '../write.js';
import type { RemoteAnswer } from './awaited.js';

export type Outcome =
  /** Applied. */
  | { kind: 'applied'; result: Payload | undefined }
  /** Not applied, and never will be. */
  | { kind: 'refused'; error: ErrorBody }
  /** Not applied, but not for anything in the write: worth another try later. */
  | { kind: 'not-now'; error: ErrorBody }
  /** The remote failed while it was at it: applied or not, perhaps later. */
  | { kind: 'unclear'; error: ErrorBody };

const REFUSALS: readonly string[] = [
  'deserialization_error',
  'VALUE_TOO_LARGE',
  'FORBIDDEN',
  'RESERVED_SCOPE',
  'INVALID_NAMESPACE',
  'GATEWAY_KEY_REUSED',
];

/** Judges the answer to a write. */
export function outcomeOf(functionId: WriteInput['functionId'], { error, result }: RemoteAnswer): Outcome {
  if (!error) return { kind: 'applied', result };
  if (isRefusal(error)) return { kind: 'refused', error };
  const code = codeIn(error);
  // An engine reads before it deletes, and says so when it got no further.
  const neverBegan =
    code === 'function_not_found' || (code === 'GET_ERROR' && functionId === 'state::delete');
  return { kind: neverBegan ? 'not-now' : 'unclear', error };
}

/** Whether an error says that the call will never be executed as it is. */
export function isRefusal(error: ErrorBody): boolean {
  return REFUSALS.includes(codeIn(error));
}

/** The standalone state worker puts the engine's code into the message of an `invocation_failed`. */
function codeIn({ code, message }: ErrorBody): string {
  if (code !== 'invocation_failed') return code;
  return /\bhandler error: ([A-Za-z_]+)\b/.exec(message)?.[1] ?? code;
}
