/** What goes out with an attempt, and what its answer says. */

import { withoutName } from '../../operations/repeats.js';
import { isObject, type Json, member } from '../../protocol/json.js';
import { Payload } from '../../protocol/payload.js';
import type { Expected, SentNote } from '../log/layout.js';
import type { ScopeRule } from '../scope-rules.js';
import { ABSENT, jsonOf, type Known, knownValue, UNKNOWN, type View } from '../view.js';
import {
  effectOf,
  newValueIn,
  oldValueIn,
  orNull,
  type Passed,
  type Write,
  type WriteInput,
} from '../write.js';
import { canBeMarked } from './marker.js';

/**
 * What is passed on beside another input. Not the name that its caller gave it (`idempotency_key`): under that, the next
 * gateway would take it for another call.
 */
export function passedOf({ payload, metadata, traceparent, baggage }: Passed): Passed {
  return { payload, metadata: metadata && withoutName(metadata), traceparent, baggage };
}

/** The input of `state::compare-and-set` for a set that is to replace one value only (observe section 7.2). */
export function comparison({ input }: Write, expected: Known): Payload {
  const { scope, key } = input;
  const value = jsonOf(effectOf(input, expected).after as Known) ?? null;
  return Payload.of({ scope, key, expected: jsonOf(expected) ?? null, value });
}

/** What `state::compare-and-set` found instead of the expected value; undefined: it has stored ours. */
export function foundInstead(result: Payload | undefined): Known | undefined {
  const answer = result?.value;
  if (!isObject(answer) || member(answer, 'swapped') === true) return undefined;
  const current = member(answer, 'current');
  return current === undefined || current === null ? ABSENT : knownValue(current);
}

/** What a logged write did, as the remote's answer tells. `oldValue`: null may also be no value; undefined: it does not say. */
export function changeIn(
  functionId: WriteInput['functionId'],
  result: Payload | undefined,
): { after: View; oldValue: Json | undefined } {
  if (functionId === 'state::delete') return { after: ABSENT, oldValue: orNull(result?.value) };
  const newValue = newValueIn(result);
  const isBlind = isObject(result?.value) && member(result.value, 'base') === 'unknown';
  // A gateway that accepted it without knowing the value before cannot say what came out of it.
  if (newValue === undefined || (isBlind && functionId !== 'state::set'))
    return { after: UNKNOWN, oldValue: undefined };
  return { after: knownValue(newValue), oldValue: isBlind ? undefined : oldValueIn(result) };
}

interface Circumstances {
  rule: Pick<ScopeRule, 'settle' | 'singleWriter'>;
  /** As computed when it was accepted. */
  expected: Expected;
  /** What the key holds now, as the remote last told. */
  before: View;
  takeNumber: () => number;
  withReceipt: boolean;
}

/** What is noted of an update before its frame leaves: what has changed since it was accepted matters only where reading is to tell. */
export function noteOn(
  input: WriteInput,
  { rule, expected, before, takeNumber, withReceipt }: Circumstances,
): SentNote {
  if (rule.settle !== 'marker' && !rule.singleWriter) return { expected, marker: 0, withReceipt };
  const { after } = effectOf(input, before);
  const isMarked = rule.settle === 'marker' && canBeMarked(input, before, after);
  return { expected: { before, after }, marker: isMarked ? takeNumber() : 0, withReceipt };
}
