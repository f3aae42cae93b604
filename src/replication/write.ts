/** Writes as the replication sees them: what they do to a key, and whether reading can tell that they were done. */
import type { StateInputOf } from '../operations/calls.js';
import { applyOps, type OpError } from '../operations/update-ops.js';
import { isObject, type Json, member } from '../protocol/json.js';
import type { Payload } from '../protocol/payload.js';
import { ABSENT, jsonOf, knownValue, UNKNOWN, type View } from './view.js';

export type WriteInput = StateInputOf<'state::set' | 'state::delete' | 'state::update'>;

/** What is passed on to the remote of any call. */
export interface Passed {
  /** The input as received. */
  payload: Payload;
  metadata?: Payload | undefined;
  traceparent?: string | undefined;
  baggage?: string | undefined;
}

/** A checked call that changes one key. */
export interface Write extends Passed {
  input: WriteInput;
}

/**
 * `absolute`: what the key holds afterwards does not depend on what it held, so reading tells whether it was done,
 * and doing it again does no harm. `relative`: it does, and neither is true (replication section 3).
 */
export type WriteClass = 'absolute' | 'relative';

export function classOf(input: WriteInput): WriteClass {
  if (input.functionId !== 'state::update') return 'absolute';
  const replacesRoot = input.ops.length > 0 && input.ops.every((op) => op.type === 'set' && op.path === '');
  return replacesRoot ? 'absolute' : 'relative';
}

export interface Effect {
  after: View;
  /** Operations that were skipped. */
  errors: readonly OpError[];
}

const NO_ERRORS: readonly OpError[] = [];

/** What a write does to a key of which this is known. */
export function effectOf(input: WriteInput, before: View): Effect {
  switch (input.functionId) {
    case 'state::set':
      return { after: knownValue(input.value), errors: NO_ERRORS };
    case 'state::delete':
      return { after: ABSENT, errors: NO_ERRORS };
    case 'state::update': {
      if (before.kind === 'unknown' && classOf(input) === 'relative') {
        return { after: UNKNOWN, errors: NO_ERRORS };
      }
      const { after, errors } = applyOps(before.kind === 'unknown' ? undefined : jsonOf(before), input.ops);
      return { after: knownValue(after), errors };
    }
  }
}

/** The value in an answer's member; what an engine leaves out is null. */
export function orNull(value: Json | undefined): Json {
  return value ?? null;
}

/** What the result of a set or an update says the key holds now; undefined: it does not say. */
export function newValueIn(result: Payload | undefined): Json | undefined {
  const value = result?.value;
  return isObject(value) ? member(value, 'new_value') : undefined;
}

/** What it says the key held before; null may also be no value. */
export function oldValueIn(result: Payload | undefined): Json {
  const value = result?.value;
  return isObject(value) ? orNull(member(value, 'old_value')) : null;
}
