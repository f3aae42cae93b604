/**
 * What update operations do to a value, written for the model from the state module's specification (section 3) alone:
 * nothing here may come from `src/operations`, which is under test.
 */
import { isObject, type Json, type JsonObject, setMember, WholeFloat } from '../../src/protocol/json.js';

export type Op =
  | { type: 'set'; path: string; value: Json }
  | { type: 'merge'; path: string | string[]; value: Json }
  | { type: 'increment' | 'decrement'; path: string; by: number | bigint }
  | { type: 'append'; path: string | string[]; value: Json }
  | { type: 'remove'; path: string };

/** An operation that was skipped. */
export interface Skipped {
  op_index: number;
  code: string;
}

/** The value under work; `missing` as long as no operation on an absent key succeeded. */
interface Work {
  root: Json;
  missing: boolean;
}

/** Why an operation is skipped, without the operation's name in front. */
type Complaint = string | undefined;

const SINKS = ['__proto__', 'constructor', 'prototype'];
const LEAST_INTEGER = -(2n ** 63n);
const MOST_INTEGER = 2n ** 64n - 1n;

export function applied(before: Json | undefined, ops: readonly Op[]): { after: Json; errors: Skipped[] } {
  const work: Work = { root: before === undefined ? {} : copyOf(before), missing: before === undefined };
  const errors: Skipped[] = [];
  for (const [op_index, op] of ops.entries()) {
    const complaint = complaintAbout(pathOf(op)) ?? apply(work, op);
    if (complaint === undefined) work.missing = false;
    else errors.push({ op_index, code: `${op.type}.${complaint}` });
  }
  return { after: work.root, errors };
}

function apply(work: Work, op: Op): Complaint {
  switch (op.type) {
    case 'set':
      return setIn(work, op.path, op.value);
    case 'merge':
      return mergeIn(work, pathOf(op), op.value);
    case 'increment':
      return addIn(work, op.path, BigInt(op.by));
    case 'decrement':
      return addIn(work, op.path, -BigInt(op.by));
    case 'append':
      return appendIn(work, pathOf(op), op.value);
    case 'remove':
      return removeIn(work, op.path);
  }
}

function pathOf({ path }: Op): string[] {
  if (typeof path !== 'string') return path;
  return path === '' ? [] : [path];
}

function complaintAbout(path: readonly string[]): Complaint {
  for (const segment of path) {
    if (segment === '') return 'path.empty_segment';
    if (SINKS.includes(segment)) return 'path.proto_polluted';
  }
  return undefined;
}

function setIn(work: Work, path: string, value: Json): Complaint {
  if (path === '') work.root = copyOf(value);
  else if (!isObject(work.root)) return 'target_not_object';
  else setMember(work.root, path, copyOf(value));
  return undefined;
}

function mergeIn(work: Work, path: readonly string[], value: Json): Complaint {
  if (!isObject(value)) return 'value.not_an_object';
  if (Object.keys(value).some((name) => SINKS.includes(name))) return 'value.proto_polluted';
  if (path.length === 0 && !isObject(work.root)) return undefined; // silently nothing
  if (!isObject(work.root)) work.root = {};
  const target = path.reduce(objectUnder, work.root);
  for (const [name, item] of Object.entries(value)) setMember(target, name, copyOf(item));
  return undefined;
}

function addIn(work: Work, path: string, by: bigint): Complaint {
  if (path === '') {
    const sum = work.missing ? numberOf(by) : sumOf(work.root, by);
    if (sum === undefined) return 'not_number';
    work.root = sum;
    return undefined;
  }
  if (!isObject(work.root)) return 'target_not_object';
  const sum = Object.hasOwn(work.root, path) ? sumOf(work.root[path] as Json, by) : numberOf(by);
  if (sum === undefined) return 'not_number';
  setMember(work.root, path, sum);
  return undefined;
}

function appendIn(work: Work, path: readonly string[], value: Json): Complaint {
  const leaf = path.at(-1);
  if (leaf === undefined) {
    const grown = work.missing ? startedWith(value) : grownBy(work.root, value);
    if (grown === undefined) return 'type_mismatch';
    work.root = grown;
    return undefined;
  }
  if (!isObject(work.root)) return 'target_not_object';
  const parent = path.slice(0, -1).reduce(objectUnder, work.root);
  const isNew = !Object.hasOwn(parent, leaf);
  const first = path.length === 1 ? startedWith(value) : [copyOf(value)];
  const grown = isNew ? first : grownBy(parent[leaf] as Json, value);
  if (grown === undefined) return 'type_mismatch';
  setMember(parent, leaf, grown);
  return undefined;
}

function removeIn(work: Work, path: string): Complaint {
  if (path === '') work.root = null;
  else if (!isObject(work.root)) return 'target_not_object';
  else delete work.root[path];
  return undefined;
}

/** The member, made an object if it is none. */
function objectUnder(parent: JsonObject, name: string): JsonObject {
  const member = Object.hasOwn(parent, name) ? parent[name] : undefined;
  if (isObject(member)) return member;
  const made: JsonObject = {};
  setMember(parent, name, made);
  return made;
}

function startedWith(value: Json): Json {
  return typeof value === 'string' ? value : [copyOf(value)];
}

function grownBy(target: Json, value: Json): Json | undefined {
  if (target === null) return startedWith(value);
  if (Array.isArray(target)) return [...target, copyOf(value)];
  return typeof target === 'string' && typeof value === 'string' ? target + value : undefined;
}

function sumOf(target: Json, by: bigint): Json | undefined {
  if (target instanceof WholeFloat) return floatOf(target.value + Number(by));
  if (typeof target === 'bigint') return numberOf(target + by);
  if (typeof target !== 'number') return undefined;
  return Number.isInteger(target) ? numberOf(BigInt(target) + by) : floatOf(target + Number(by));
}

function floatOf(value: number): Json {
  return Number.isInteger(value) ? new WholeFloat(value) : value;
}

/** An integer as the engine holds it; nothing if it cannot. */
function numberOf(value: bigint): number | bigint | undefined {
  if (value < LEAST_INTEGER || value > MOST_INTEGER) return undefined;
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

function copyOf(value: Json): Json {
  if (Array.isArray(value)) return value.map(copyOf);
  if (!isObject(value)) return value;
  const copy: JsonObject = {};
  for (const [name, item] of Object.entries(value)) setMember(copy, name, copyOf(item));
  return copy;
}
