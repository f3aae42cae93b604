/** How a caller wants to be answered: the scope's rule, unless the call says otherwise (gateway-api section 2). */
import { GatewayError } from '../../errors.js';
import type { StateFunctionId } from '../../operations/calls.js';
import { isObject, type Json, member } from '../../protocol/json.js';
import type { Payload } from '../../protocol/payload.js';

export interface ReadRules {
  readonly consistency: 'remote' | 'cache';
  /** Up to which age the mirror answers; 0: any. */
  readonly maxAgeMs: number;
  /** Whether the mirror answers when the remote cannot. */
  readonly staleIfError: boolean;
}

export interface ReadWishes extends ReadRules {
  readonly withMeta?: boolean;
}

/**
 * The wishes in an input; they are passed to the remote untouched, which ignores them.
 * @param members how many members the input has without any: most inputs need no second look
 * @throws GatewayError `deserialization_error` naming the member that is of a wrong type
 */
export function wishesIn(
  payload: Payload,
  functionId: StateFunctionId,
  members: number,
  rules: ReadRules,
): ReadWishes {
  const input = payload.value;
  if (!isObject(input) || Object.keys(input).length <= members) return rules;
  const wish = <T>(name: string, expected: string, read: (value: Json) => T | undefined): T | undefined => {
    const value = member(input, name) ?? null;
    if (value === null) return undefined;
    const wanted = read(value);
    if (wanted !== undefined) return wanted;
    const message = `Failed to deserialize input for ${functionId}: \`${name}\` must be ${expected}`;
    throw new GatewayError('deserialization_error', message);
  };
  return {
    consistency: wish('consistency', '"remote" or "cache"', asConsistency) ?? rules.consistency,
    maxAgeMs: wish('max_age_ms', 'a whole number that is not negative', asDuration) ?? rules.maxAgeMs,
    staleIfError: wish('stale_if_error', 'true or false', asFlag) ?? rules.staleIfError,
    withMeta: wish('with_meta', 'true or false', asFlag) ?? false,
  };
}

function asConsistency(value: Json): 'remote' | 'cache' | undefined {
  return value === 'remote' || value === 'cache' ? value : undefined;
}

function asDuration(value: Json): number | undefined {
  const isWhole = typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value));
  return isWhole && value >= 0 ? Number(value) : undefined;
}

function asFlag(value: Json): boolean | undefined {
  return typeof value === 'boolean' ? value : undefined;
}
