import { GatewayError } from '../../errors.js';
import { isObject, type Json } from '../../protocol/json.js';
import { Malformed, Members } from '../../protocol/members.js';
import { Payload } from '../../protocol/payload.js';
import type { BuiltIn, Call } from '../functions.js';

/** A function of our own in two steps: what its input says, and the answer to that. */
export function answering<T>(
  description: string,
  read: (input: Members, call: Call) => T,
  answer: (input: T, call: Call) => Json | Promise<Json>,
): BuiltIn {
  return {
    description,
    call: async (call) => Payload.of(await answer(readInput(call, read), call)),
  };
}

/**
 * Reads the input of a call of one of our own functions.
 * @throws GatewayError `deserialization_error` in the engine's words (wire protocol section 6).
 */
export function readInput<T>(call: Call, read: (input: Members, call: Call) => T): T {
  try {
    if (!isObject(call.data.value)) throw new Malformed('expected an object');
    return read(new Members(call.data.value), call);
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    throw new GatewayError(
      'deserialization_error',
      `Failed to deserialize input for ${call.functionId}: ${error.message}`,
      { cause: error },
    );
  }
}

/** A member that is true or false; absent is false. */
export function flag(input: Members, name: string): boolean {
  const value = input.json(name) ?? false;
  if (typeof value !== 'boolean') throw new Malformed(`\`${name}\` is not a boolean`);
  return value;
}

/** A member that is a whole number from 0 on. */
export function count(input: Members, name: string): number | undefined {
  const value = input.json(name);
  if (value === undefined) return undefined;
  const number = typeof value === 'bigint' ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isInteger(number) || number < 0) {
    throw new Malformed(`\`${name}\` is not a whole number from 0 on`);
  }
  return number;
}

/** A member that is a list of strings. */
export function strings(input: Members, name: string): string[] | undefined {
  const value = input.json(name);
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) {
    throw new Malformed(`\`${name}\` is not an array of strings`);
  }
  return value;
}
