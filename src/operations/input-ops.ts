/** Update operations from JSON: the engine's tagged shape, and the older single-key shape (state module section 3.1). */
import { isObject, type Json, type JsonObject, member } from '../protocol/json.js';
import type { UpdateOp } from './calls.js';
import { excerpt, Fields, invalidType, missingField, Undecodable } from './input-fields.js';

type OpType = UpdateOp['type'];

const FIELDS: Record<OpType, readonly string[]> = {
  set: ['path', 'value'],
  merge: ['path', 'value'],
  increment: ['path', 'by'],
  decrement: ['path', 'by'],
  append: ['path', 'value'],
  remove: ['path'],
};

/** One operation, and the JSON by which any engine knows it: what was given, or its tagged form. */
export interface DecodedOp {
  op: UpdateOp;
  json: Json;
}

/** @throws Undecodable for the first malformed operation: the engine refuses the call as a whole. */
export function decodeOps(ops: Json): DecodedOp[] {
  if (!Array.isArray(ops)) throw invalidType(ops, 'a sequence');
  return ops.map((given) => {
    const json = toTagged(given);
    return { op: decodeOp(json), json };
  });
}

function decodeOp(json: Json): UpdateOp {
  const { type, content } = splitTag(json);
  const fields = Fields.of(content, `variant UpdateOp::${type}`, FIELDS[type]);
  switch (type) {
    case 'set':
      return { type, path: fields.string('path'), value: fields.valueOrNull('value') };
    case 'merge':
    case 'append':
      return { type, path: toSegments(fields.valueOrNull('path')), value: fields.value('value') };
    case 'increment':
    case 'decrement':
      return { type, path: fields.string('path'), by: fields.integer('by') };
    case 'remove':
      return { type, path: fields.string('path') };
  }
}

/** The tag is the member `type`, or the first element where the operation is given as an array. */
function splitTag(json: Json): { type: OpType; content: Json } {
  if (Array.isArray(json)) return { type: toOpType(json[0]), content: json.slice(1) };
  if (isObject(json)) return { type: toOpType(member(json, 'type')), content: json };
  throw invalidType(json, 'internally tagged enum UpdateOp');
}

function toOpType(tag: Json | undefined): OpType {
  if (tag === undefined) throw missingField('type');
  if (typeof tag !== 'string') throw invalidType(tag, 'variant identifier');
  if (isOpType(tag)) return tag;
  const known = Object.keys(FIELDS).map((name) => `\`${name}\``);
  throw new Undecodable(`unknown variant \`${excerpt(tag)}\`, expected one of ${known.join(', ')}`);
}

function isOpType(tag: string): tag is OpType {
  return Object.hasOwn(FIELDS, tag);
}

/** `''`, `[]`, null and absent are the root; a string is one literal name. */
function toSegments(path: Json): string[] {
  if (path === null || path === '') return [];
  if (typeof path === 'string') return [path];
  if (Array.isArray(path) && path.every((segment) => typeof segment === 'string')) return path;
  throw new Undecodable('data did not match any variant of untagged enum MergePath');
}

/**
 * `{set: v}` and `{merge: o}` on the root, `{increment: {field, by}}`, `{decrement: {field, by}}` and
 * `{remove: field}` on a field, as tagged operations. Anything else comes back as it is, to be judged as such.
 */
function toTagged(json: Json): Json {
  if (!isObject(json) || Object.hasOwn(json, 'type')) return json;
  const [only, ...others] = Object.entries(json);
  if (only === undefined || others.length > 0) return json;
  const [name, value] = only;
  switch (name) {
    case 'set':
      return { type: name, path: '', value };
    case 'merge':
      return { type: name, value };
    case 'increment':
    case 'decrement':
      return { type: name, ...toStep(name, value) };
    case 'remove':
      if (typeof value !== 'string') throw invalidType(value, 'a string');
      return { type: name, path: value };
    default:
      return json;
  }
}

function toStep(name: string, value: Json): JsonObject {
  if (!isObject(value)) throw invalidType(value, `\`${name}\` with \`field\` and \`by\``);
  const fields = Fields.of(value, name, ['field', 'by']);
  return { path: fields.string('field'), by: fields.integer('by') };
}
