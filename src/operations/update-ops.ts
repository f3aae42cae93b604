/** The update operations, as the engine's `kv` store applies them (state module section 3). */
import { isObject, type Json, type JsonObject, member, setMember } from '../protocol/json.js';
import type { UpdateOp } from './calls.js';
import { Refusal, refuseMergeValue, refusePath, typeName } from './op-checks.js';
import { add, negate, subtract } from './op-numbers.js';

const DOC_URL = 'https://iii.dev/docs/workers/iii-state#error-codes';

/** One operation that was skipped, in the words of the wire (state module section 3.4). */
export type OpError = { op_index: number; code: string; message: string; doc_url: string };

export interface Applied {
  /** What is stored now; it shares with the value before whatever did not change. */
  after: Json;
  /** Operations that were skipped; the others took effect all the same. */
  errors: OpError[];
}

/**
 * Applies `ops` in order (state module section 3.3). `undefined` is "no such key", and the result is stored in
 * every case: a missing key becomes `{}` even if every operation fails. Neither `before` nor `ops` is changed.
 */
export function applyOps(before: Json | undefined, ops: readonly UpdateOp[]): Applied {
  const draft = new Draft();
  const errors: OpError[] = [];
  let current = before;
  for (const [index, op] of ops.entries()) {
    const outcome = draft.apply(current, op);
    if (outcome instanceof Refusal) {
      errors.push({ op_index: index, code: outcome.code, message: outcome.message, doc_url: DOC_URL });
    } else {
      current = outcome;
    }
  }
  return { after: orEmptyObject(current), errors };
}

type FieldOp = Extract<UpdateOp, { path: string }>;
type PathOp = Extract<UpdateOp, { path: string[] }>;
type Outcome = Json | Refusal;

/** A value under change: every object and array is copied once, when it changes first. */
class Draft {
  private readonly copies = new WeakSet<object>();

  /** The root after one operation; `undefined` stands for a key that is still missing. */
  apply(root: Json | undefined, op: UpdateOp): Outcome {
    const refusal = refusePath(op.type, segmentsOf(op));
    if (refusal) return refusal;
    switch (op.type) {
      case 'set':
        return this.change(root, op, () => op.value);
      case 'increment':
        return this.change(root, op, (target) =>
          target === undefined ? op.by : (add(target, op.by) ?? notANumber(op, target)),
        );
      case 'decrement':
        return this.change(root, op, (target) =>
          target === undefined ? negate(op.by) : (subtract(target, op.by) ?? notANumber(op, target)),
        );
      case 'remove':
        return op.path === '' ? null : this.removeField(root, op);
      case 'merge':
        return this.merge(root, op);
      case 'append':
        return this.append(root, op);
    }
  }

  /** Changes the root, or one field of it; to `change`, what is missing is `undefined`. */
  private change(
    root: Json | undefined,
    op: FieldOp,
    change: (target: Json | undefined) => Outcome,
  ): Outcome {
    if (op.path === '') return change(root);
    const object = orEmptyObject(root);
    if (!isObject(object)) return notAnObject(op.type, op.path, object);
    const changed = change(member(object, op.path));
    return changed instanceof Refusal ? changed : this.withMember(object, op.path, changed);
  }

  private removeField(root: Json | undefined, op: FieldOp): Outcome {
    const object = orEmptyObject(root);
    if (!isObject(object)) return notAnObject(op.type, op.path, object);
    if (!Object.hasOwn(object, op.path)) return object;
    const copy = this.writable(object);
    delete copy[op.path];
    return copy;
  }

  /** A path replaces whatever is no object on its way, the root included; without one, such a root stays. */
  private merge(root: Json | undefined, { path, value }: PathOp): Outcome {
    const refusal = refuseMergeValue(value);
    if (refusal) return refusal;
    const object = orEmptyObject(root);
    if (path.length === 0 && !isObject(object)) return object;
    return this.changeAt(object, path, (target) => {
      const merged = this.writable(objectOrEmpty(target));
      for (const [name, item] of Object.entries(objectOrEmpty(value))) setMember(merged, name, item);
      return merged;
    });
  }

  private append(root: Json | undefined, { path, value }: PathOp): Outcome {
    const label = path.at(-1) ?? 'root';
    if (path.length === 0) return this.appended(root, value, label);
    const object = orEmptyObject(root);
    if (!isObject(object)) return notAnObject('append', `[${path.join(', ')}]`, object);
    return this.changeAt(object, path, (target) =>
      // Only a field of the root begins as a string; deeper down a missing one is always an array.
      target === undefined && path.length > 1 ? [value] : this.appended(target, value, label),
    );
  }

  private appended(target: Json | undefined, value: Json, label: string): Outcome {
    if (target === undefined || target === null) return typeof value === 'string' ? value : [value];
    if (Array.isArray(target)) {
      const items = this.writableItems(target);
      items.push(value);
      return items;
    }
    if (typeof target !== 'string') {
      const message = `Cannot append at path '${label}': target is ${typeName(target)}, expected array, string, null, or missing field.`;
      return new Refusal('append.type_mismatch', message);
    }
    if (typeof value === 'string') return target + value;
    const message = `Expected string append value at path '${label}', got ${typeName(value)}.`;
    return new Refusal('append.type_mismatch', message);
  }

  /** Walks down literal names; what is missing or no object on the way becomes one. */
  private changeAt(
    target: Json | undefined,
    [name, ...rest]: string[],
    change: (leaf: Json | undefined) => Outcome,
  ): Outcome {
    if (name === undefined) return change(target);
    const object = objectOrEmpty(target);
    const changed = this.changeAt(member(object, name), rest, change);
    return changed instanceof Refusal ? changed : this.withMember(object, name, changed);
  }

  private withMember(object: JsonObject, name: string, value: Json): JsonObject {
    const copy = this.writable(object);
    setMember(copy, name, value);
    return copy;
  }

  private writable(object: JsonObject): JsonObject {
    return this.copies.has(object) ? object : this.remember({ ...object });
  }

  private writableItems(items: Json[]): Json[] {
    return this.copies.has(items) ? items : this.remember([...items]);
  }

  private remember<T extends object>(copy: T): T {
    this.copies.add(copy);
    return copy;
  }
}

function segmentsOf(op: UpdateOp): readonly string[] {
  if (Array.isArray(op.path)) return op.path;
  return op.path === '' ? [] : [op.path];
}

function orEmptyObject(value: Json | undefined): Json {
  return value === undefined ? {} : value;
}

function objectOrEmpty(value: Json | undefined): JsonObject {
  return isObject(value) ? value : {};
}

function notAnObject(op: string, label: string, target: Json): Refusal {
  const message = `Cannot ${op} at path '${label}': target is ${typeName(target)}, expected object.`;
  return new Refusal(`${op}.target_not_object`, message);
}

function notANumber(op: FieldOp, target: Json): Refusal {
  const message = `Expected number at path '${op.path || 'root'}', got ${typeName(target)}.`;
  return new Refusal(`${op.type}.not_number`, message);
}
