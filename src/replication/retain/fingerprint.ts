import { createHash } from 'node:crypto';
import { isObject, type Json, member, WholeFloat } from '../../protocol/json.js';
import { jsonOf, type Known } from '../view.js';

/** Of every fingerprint: 128 bits. */
export const FINGERPRINT_LENGTH = 22;

/**
 * The same for all that `sameValue` takes for the same. Null and no value share one, because the answer to a write
 * does not tell which of them the key held before.
 */
export function fingerprintOf(known: Known): string {
  const text = canonical(jsonOf(known) ?? null);
  return createHash('sha256').update(text).digest('base64url').slice(0, FINGERPRINT_LENGTH);
}

function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (isObject(value)) {
    const names = Object.keys(value).sort();
    return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(member(value, name) ?? null)}`).join()}}`;
  }
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof WholeFloat) return canonicalNumber(value.value);
  return typeof value === 'number' ? canonicalNumber(value) : JSON.stringify(value);
}

/** A whole number has the same digits whether it is an integer or a float. */
function canonicalNumber(value: number): string {
  return Number.isInteger(value) ? BigInt(value).toString() : String(value);
}
