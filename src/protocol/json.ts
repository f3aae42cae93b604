/**
 * JSON as the engine keeps it: 64-bit integers are exact, and `1.0` stays a float.
 *
 * `JSON.parse` on Node 20 does not show a number's text, so a value whose numbers it would change is
 * read by `exact-json.ts` instead. One regular expression over the text decides; only a text with such a
 * number pays.
 */
import { parseExactly, printExactly } from './exact-json.js';

/** A float whose value is a whole number: printed with a fraction or an exponent, never as an integer. */
export class WholeFloat {
  constructor(readonly value: number) {}

  /** Sends `JSON.stringify` to the exact printer, which is the only one that can keep the fraction. */
  toJSON(): never {
    throw new TypeError('a whole float has no exact text in JSON.stringify');
  }
}

/** `bigint` stands for an integer beyond ±2^53 and within the engine's 64 bits, and for nothing else. */
export type Json = null | boolean | number | bigint | WholeFloat | string | Json[] | JsonObject;
export interface JsonObject {
  [member: string]: Json;
}

/**
 * A number, where one may stand, that is minus zero, has 16 digits (with or without a point among them:
 * `999999999999999.99` rounds to a whole number), an exponent, or a fraction ending in 0. Within strings it hits
 * rarely, and then costs only time.
 */
const INEXACT_NUMBER =
  /(?:^|[\s,:[])(?:-0(?![.\d])|-?\d(?:\d{15}|[\d.]{16}|\d*(?:\.\d+)?[eE]|\d*\.\d*0(?=[\s,\]}]|$)))/;

/**
 * Reads a JSON text.
 * @throws SyntaxError when the text is not JSON; RangeError when a number is beyond a double (`1e400`).
 */
export function parseJson(text: string): Json {
  return INEXACT_NUMBER.test(text) ? parseExactly(text) : (JSON.parse(text) as Json);
}

/** Prints a value as compact JSON; the opposite of `parseJson`. */
export function printJson(value: Json): string {
  try {
    return JSON.stringify(value);
  } catch {
    return printExactly(value); // bigint and WholeFloat refuse JSON.stringify
  }
}

/** A plain JSON object: not null, not an array, not a number of ours. */
export function isObject(value: Json | undefined): value is JsonObject {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof WholeFloat)
  );
}

/** The member, if the object has it itself: `__proto__` and friends are data here. */
export function member(object: JsonObject, name: string): Json | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** Sets a member as data, `__proto__` included. */
export function setMember(object: JsonObject, name: string, value: Json): void {
  if (name === '__proto__') {
    Object.defineProperty(object, name, {
      value,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  } else {
    object[name] = value;
  }
}
