/** Reads inputs as the engine's decoder does, and complains in its words (state module section 2). */
import { isObject, type Json, member, printJson, WholeFloat } from '../protocol/json.js';

const MIN_I64 = -(2n ** 63n);
const MAX_I64 = 2n ** 63n - 1n;
const MAX_EXCERPT = 100;

/** Input that the engine would refuse to decode; the message is the decoder's detail. */
export class Undecodable extends Error {}

/** The fields of a struct. The engine takes it as an object, or as an array in the order of the fields. */
export class Fields {
  private constructor(private readonly get: (name: string) => Json | undefined) {}

  static of(value: Json, struct: string, names: readonly string[]): Fields {
    if (isObject(value)) return new Fields((name) => member(value, name));
    if (!Array.isArray(value)) throw invalidType(value, `struct ${struct}`);
    if (value.length === names.length) return new Fields((name) => value[names.indexOf(name)]);
    const expected =
      value.length < names.length
        ? `struct ${struct} with ${names.length} elements`
        : 'fewer elements in array';
    throw new Undecodable(`invalid length ${value.length}, expected ${expected}`);
  }

  /** Any value, null included. */
  value(name: string): Json {
    const value = this.get(name);
    if (value === undefined) throw missingField(name);
    return value;
  }

  /** Any value; absent is null. */
  valueOrNull(name: string): Json {
    return this.get(name) ?? null;
  }

  /** A value under either of two names, not under both. */
  aliased(name: string, alias: string): Json {
    if (this.get(alias) === undefined) return this.value(name);
    if (this.get(name) === undefined) return this.value(alias);
    throw new Undecodable(`duplicate field \`${name}\``);
  }

  string(name: string): string {
    return toText(this.value(name));
  }

  /** Absent and null are the same. */
  optionalString(name: string): string | undefined {
    const value = this.valueOrNull(name);
    return value === null ? undefined : toText(value);
  }

  /** A signed 64-bit integer. */
  integer(name: string): number | bigint {
    const value = this.value(name);
    if (!isInteger(value)) throw invalidType(value, 'i64');
    if (value < MIN_I64 || value > MAX_I64) throw invalidValue(value, 'i64');
    return value;
  }

  /** A count, or `fallback` if absent or null. */
  count(name: string, fallback: number): number {
    const value = this.get(name) ?? fallback;
    if (!isInteger(value)) throw invalidType(value, 'usize');
    if (value < 0) throw invalidValue(value, 'usize');
    return Number(value);
  }
}

function toText(value: Json): string {
  if (typeof value !== 'string') throw invalidType(value, 'a string');
  return value;
}

function isInteger(value: Json): value is number | bigint {
  return typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value));
}

export function missingField(name: string): Undecodable {
  return new Undecodable(`missing field \`${name}\``);
}

export function invalidType(value: Json, expected: string): Undecodable {
  return new Undecodable(`invalid type: ${describe(value)}, expected ${expected}`);
}

function invalidValue(value: Json, expected: string): Undecodable {
  return new Undecodable(`invalid value: ${describe(value)}, expected ${expected}`);
}

function describe(value: Json): string {
  if (value === null) return 'null';
  if (typeof value === 'boolean') return `boolean \`${value}\``;
  if (typeof value === 'string') return `string ${JSON.stringify(excerpt(value))}`;
  if (Array.isArray(value)) return 'sequence';
  if (isInteger(value)) return `integer \`${value}\``;
  if (typeof value === 'number' || value instanceof WholeFloat)
    return `floating point \`${printJson(value)}\``;
  return 'map';
}

/** A caller's own text in a message: enough to recognise it. */
export function excerpt(text: string): string {
  return text.length > MAX_EXCERPT ? `${text.slice(0, MAX_EXCERPT)}…` : text;
}
