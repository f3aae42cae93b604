/** What is checked before an operation touches anything (state module section 3.2), and how it is refused. */
import { isObject, type Json, WholeFloat } from '../protocol/json.js';

const MAX_SEGMENTS = 32;
const MAX_SEGMENT_BYTES = 256;
const MAX_MERGE_MEMBERS = 1024;
const MAX_MERGE_DEPTH = 16;
/** Names that a careless JavaScript reader would take for more than data, in byte order. */
const POLLUTING_NAMES = ['__proto__', 'constructor', 'prototype'];

/** An operation that is skipped, with the engine's code and words (state module section 3.4). */
export class Refusal {
  constructor(
    readonly code: string,
    readonly message: string,
  ) {}
}

/** The first fault of a path, in the engine's order. */
export function refusePath(op: string, segments: readonly string[]): Refusal | undefined {
  if (segments.length > MAX_SEGMENTS) {
    const message = `Path depth ${segments.length} exceeds maximum of ${MAX_SEGMENTS}`;
    return new Refusal(`${op}.path.too_deep`, message);
  }
  for (const segment of segments) {
    const refusal = refuseSegment(op, segment);
    if (refusal) return refusal;
  }
  return undefined;
}

function refuseSegment(op: string, segment: string): Refusal | undefined {
  if (segment === '') return new Refusal(`${op}.path.empty_segment`, 'Path contains an empty segment');
  const bytes = Buffer.byteLength(segment);
  if (bytes > MAX_SEGMENT_BYTES) {
    const message = `Path segment of ${bytes} bytes exceeds maximum of ${MAX_SEGMENT_BYTES}`;
    return new Refusal(`${op}.path.segment_too_long`, message);
  }
  if (POLLUTING_NAMES.includes(segment)) {
    const message = `Path segment '${segment}' is not allowed (prototype pollution).`;
    return new Refusal(`${op}.path.proto_polluted`, message);
  }
  return undefined;
}

/** The first fault of a value that is to be merged; only its own members' names are looked at. */
export function refuseMergeValue(value: Json): Refusal | undefined {
  if (!isObject(value)) return new Refusal('merge.value.not_an_object', 'Merge value must be a JSON object');
  const members = Object.keys(value).length;
  if (members > MAX_MERGE_MEMBERS) {
    const message = `Merge value has ${members} top-level keys, exceeds maximum of ${MAX_MERGE_MEMBERS}`;
    return new Refusal('merge.value.too_many_keys', message);
  }
  const polluting = POLLUTING_NAMES.find((name) => Object.hasOwn(value, name));
  if (polluting !== undefined) {
    const message = `Merge value top-level key "${polluting}" is a prototype-pollution sink`;
    return new Refusal('merge.value.proto_polluted', message);
  }
  const depth = depthOf(value);
  if (depth > MAX_MERGE_DEPTH) {
    const message = `Merge value JSON nesting depth ${depth} exceeds maximum of ${MAX_MERGE_DEPTH}`;
    return new Refusal('merge.value.too_deep', message);
  }
  return undefined;
}

/** Levels of objects and arrays; counted level by level, so that no depth exhausts the stack. */
function depthOf(value: Json): number {
  let depth = 0;
  for (let level = [value].filter(isContainer); level.length > 0; depth += 1) {
    level = level.flatMap((container) => Object.values(container).filter(isContainer));
  }
  return depth;
}

function isContainer(value: Json): value is Json[] | { [member: string]: Json } {
  return Array.isArray(value) || isObject(value);
}

/** The type's name in messages. */
export function typeName(value: Json): 'null' | 'boolean' | 'number' | 'string' | 'array' | 'object' {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'bigint' || value instanceof WholeFloat) return 'number';
  return typeof value as 'boolean' | 'number' | 'string' | 'object';
}
