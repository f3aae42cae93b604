/**
 * The engine's arithmetic (state module section 3.3): integers are exact within 64 bits, signed or unsigned,
 * and have no result beyond; floats stay floats.
 */
import { type Json, WholeFloat } from '../protocol/json.js';

const MIN_I64 = -(2n ** 63n);
const MAX_U64 = 2n ** 64n - 1n;

/** `before + by`; `undefined` if `before` is no number or the sum is beyond 64 bits. */
export function add(before: Json, by: number | bigint): Json | undefined {
  if (before instanceof WholeFloat) return float(before.value + Number(by));
  if (typeof before === 'bigint') return integer(before + BigInt(by));
  if (typeof before !== 'number') return undefined;
  if (!Number.isInteger(before)) return float(before + Number(by));
  const sum = before + Number(by);
  // Two integers of a double each add up exactly as long as the sum is a safe integer itself.
  const isExact = typeof by === 'number' && Number.isSafeInteger(before) && Number.isSafeInteger(sum);
  return isExact ? sum : integer(BigInt(before) + BigInt(by));
}

/** `before - by`, as `add`. */
export function subtract(before: Json, by: number | bigint): Json | undefined {
  return add(before, -by);
}

/** What a decrement stores where there was nothing. */
export function negate(by: number | bigint): number | bigint {
  return shortest(-BigInt(by));
}

function integer(value: bigint): number | bigint | undefined {
  return value < MIN_I64 || value > MAX_U64 ? undefined : shortest(value);
}

function shortest(value: bigint): number | bigint {
  const short = Number(value);
  return Number.isSafeInteger(short) ? short : value;
}

function float(value: number): number | WholeFloat {
  return Number.isInteger(value) ? new WholeFloat(value) : value;
}
