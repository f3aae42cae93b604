/**
 * The update vectors, as measured on real engines (state module section 9), one JSON row a line in
 * `test/fixtures/update-ops`. Rows are read exactly, so that 64-bit integers are what they say.
 *
 * In names, paths and values `<256×a>` stands for 256 times `a`; a member named `<1024 members>` stands for the
 * members `k0000` to `k1023`. An error is written `#<index> <code>: <message>`.
 */
import { readFileSync } from 'node:fs';
import {
  isObject,
  type Json,
  type JsonObject,
  member,
  parseJson,
  setMember,
} from '../../src/protocol/json.js';

/** Families of rows that are applied; `int64` holds integers that a double cannot. */
export const APPLIED = ['set', 'merge', 'count', 'append', 'remove', 'batch', 'int64'] as const;

/** A call that is executed. */
export interface UpdateVector {
  name: string;
  /** Absent: no such key. */
  before: Json | undefined;
  ops: Json;
  after: Json;
  errors: string[];
  event: string;
  /** Where the `redis` adapter is known to answer something else. */
  redis: { after?: Json; errors?: string[] };
}

/** A call that is refused as a whole. */
export interface RefusedVector {
  name: string;
  ops: Json;
  /** Part of the engine's message. */
  refused: string;
  /** We extend the engine here on purpose: the operation that this one stands for. */
  acceptedHere: Json | undefined;
}

export function readApplied(family: (typeof APPLIED)[number]): UpdateVector[] {
  return readRows(family).map((row) => {
    const redis = member(row, 'redis');
    return {
      name: text(row, 'name'),
      before: member(row, 'before'),
      ops: row['ops'] ?? null,
      after: row['after'] ?? null,
      errors: texts(row, 'errors') ?? [],
      event: `state:${text(row, 'event')}`,
      redis: isObject(redis) ? readDeviation(redis) : {},
    };
  });
}

export function readRefused(): RefusedVector[] {
  return readRows('refused').map((row) => ({
    name: text(row, 'name'),
    ops: row['ops'] ?? null,
    refused: text(row, 'refused'),
    acceptedHere: member(row, 'accepted_here'),
  }));
}

function readDeviation(row: JsonObject): UpdateVector['redis'] {
  const after = member(row, 'after');
  const errors = texts(row, 'errors');
  return { ...(after !== undefined && { after }), ...(errors && { errors }) };
}

function readRows(family: string): JsonObject[] {
  const file = new URL(`../fixtures/update-ops/${family}.jsonl`, import.meta.url);
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean);
  return lines.map((line) => expand(parseJson(line))).filter(isObject);
}

function text(row: JsonObject, name: string): string {
  const value = row[name];
  if (typeof value !== 'string') throw new Error(`${name} is missing in ${JSON.stringify(row)}`);
  return value;
}

function texts(row: JsonObject, name: string): string[] | undefined {
  const value = row[name];
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : undefined;
}

function expand(value: Json): Json {
  if (typeof value === 'string') return expandText(value);
  if (Array.isArray(value)) return value.map(expand);
  if (!isObject(value)) return value;
  const object: JsonObject = {};
  for (const [name, item] of Object.entries(value)) {
    for (const expanded of expandNames(name)) setMember(object, expanded, expand(item));
  }
  return object;
}

function expandNames(name: string): string[] {
  const count = /^<(\d+) members>$/.exec(name)?.[1];
  if (count === undefined) return [expandText(name)];
  return Array.from({ length: Number(count) }, (_, index) => `k${String(index).padStart(4, '0')}`);
}

function expandText(short: string): string {
  const [, count, piece] = /^<(\d+)×(.+)>$/.exec(short) ?? [];
  return piece === undefined ? short : piece.repeat(Number(count));
}
