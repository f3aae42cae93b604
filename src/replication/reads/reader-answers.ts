/** What a reader is told (gateway-api section 2). */
import { GatewayError, messageOf } from '../../errors.js';
import type { StateFunctionId } from '../../operations/calls.js';
import { Payload } from '../../protocol/payload.js';
import type { ReadWishes } from './reader-wishes.js';

/** Where an answer comes from; `local`: own writes are laid over it that the remote has not confirmed. */
export type Source = 'remote' | 'mirror' | 'local';

/** An answer as the caller wants it; `undefined` is no value. */
export function show(
  text: string | undefined,
  source: Source,
  ageMs: number,
  wishes: ReadWishes,
): Payload | undefined {
  if (wishes.withMeta) return withMeta(text, source, ageMs);
  return text === undefined ? undefined : Payload.fromText(text);
}

/** The remote's answer as the caller wants it: mostly unchanged. */
export function showAnswer(result: Payload | undefined, wishes: ReadWishes): Payload | undefined {
  return wishes.withMeta ? withMeta(result?.text, 'remote', 0) : result;
}

function withMeta(text: string | undefined, source: Source, ageMs: number): Payload {
  const value = text === undefined ? '' : `"value":${text},`;
  const pending = source === 'local';
  return Payload.fromText(`{${value}"source":"${source}","age_ms":${ageMs},"pending":${pending}}`);
}

/** What we hold ourselves, given out if it is young enough; counts how often that was of use. */
export class Held {
  hits = 0;
  misses = 0;

  constructor(private readonly now: () => number) {}

  ageOf({ at }: { at: number }): number {
    return Math.max(0, this.now() - at);
  }

  isYoungEnough(held: { at: number }, { maxAgeMs }: ReadWishes): boolean {
    return maxAgeMs === 0 || this.ageOf(held) < maxAgeMs;
  }

  /**
   * @param reason why the remote was no help
   * @throws GatewayError `GATEWAY_OFFLINE_UNKNOWN` when nothing is held; the reason when it is too old
   */
  given<T extends { at: number }>(
    held: T | undefined,
    functionId: StateFunctionId,
    wishes: ReadWishes,
    reason: unknown,
  ): T {
    if (held && this.isYoungEnough(held, wishes)) {
      this.hits += 1;
      return held;
    }
    this.misses += 1;
    throw held ? unansweredRead(functionId, reason) : valueUnknown(functionId, reason);
  }
}

/** Whether a call failed for want of an answer. Only for what a call was rejected with: an answered error is an answer. */
export function isUnanswered(error: unknown): error is GatewayError {
  if (!(error instanceof GatewayError)) return false;
  const { code } = error;
  return code === 'GATEWAY_OFFLINE' || code === 'GATEWAY_TIMEOUT' || code === 'GATEWAY_OUTCOME_UNKNOWN';
}

/** The error of a read without answer: whether it was executed matters to nobody. */
export function unansweredRead(functionId: StateFunctionId, cause: unknown): unknown {
  if (!isUnanswered(cause) || cause.code === 'GATEWAY_OFFLINE') return cause;
  return new GatewayError('GATEWAY_TIMEOUT', `The remote engine did not answer ${functionId} in time`, {
    cause,
  });
}

/** Nobody can tell the value now, which is not the same as that there is none. */
export function valueUnknown(functionId: StateFunctionId, cause: unknown): GatewayError {
  const message = `What ${functionId} asks for is not known here, and the remote engine was no help: ${messageOf(cause)}`;
  return new GatewayError('GATEWAY_OFFLINE_UNKNOWN', message, { cause });
}

/** Own writes were not settled in time, so the remote's answer would not show them. */
export function stillPending(): GatewayError {
  return new GatewayError(
    'GATEWAY_OFFLINE',
    'The remote engine has not confirmed all of our own writes to the scope',
  );
}
