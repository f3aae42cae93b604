import { isObject, type Json, type JsonObject, member, WholeFloat } from '../protocol/json.js';

/** Equality of values everywhere: by structure, without the order of members, numbers by their exact value (1 = 1.0, -0 = 0). */
export function sameValue(a: Json, b: Json): boolean {
  if (isNumber(a)) return isNumber(b) && exact(a) === exact(b);
  if (Array.isArray(a)) return Array.isArray(b) && sameItems(a, b);
  if (isObject(a)) return isObject(b) && sameMembers(a, b);
  return a === b;
}

function sameItems(a: readonly Json[], b: readonly Json[]): boolean {
  return a.length === b.length && a.every((item, index) => sameValue(item, b[index] ?? null));
}

function sameMembers(a: JsonObject, b: JsonObject): boolean {
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => {
      const [mine, other] = [member(a, name), member(b, name)];
      return mine !== undefined && other !== undefined && sameValue(mine, other);
    })
  );
}

type AnyNumber = number | bigint | WholeFloat;

function isNumber(value: Json): value is AnyNumber {
  return typeof value === 'number' || typeof value === 'bigint' || value instanceof WholeFloat;
}

/** One form for each number: a whole one beyond 2^53 as a bigint, any other as a double. */
function exact(number: AnyNumber): number | bigint {
  const value = number instanceof WholeFloat ? number.value : number;
  return typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)
    ? BigInt(value)
    : value;
}
