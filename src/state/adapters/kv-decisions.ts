/** What each write makes of the value that it finds, and answers: pure, so the same call finds the same answer again. */
import type { StateAnswer, StateInputOf } from '../../operations/calls.js';
import { changeResult, notSwappedResult, swappedResult } from '../../operations/results.js';
import { sameValue } from '../../operations/same-value.js';
import { applyOps } from '../../operations/update-ops.js';
import { type Json, parseJson, printJson } from '../../protocol/json.js';
import { Payload } from '../../protocol/payload.js';
import type { Decide } from './kv-store.js';

export type WriteInput = StateInputOf<
  'state::set' | 'state::delete' | 'state::update' | 'state::compare-and-set'
>;

export function decisionOf(input: WriteInput): Decide<StateAnswer> {
  switch (input.functionId) {
    case 'state::set':
      return set(input);
    case 'state::delete':
      return remove(input);
    case 'state::update':
      return update(input);
    case 'state::compare-and-set':
      return compareAndSet(input);
  }
}

/** Values are kept as text, and go out without being parsed. */
export function bareValue(text: string | undefined): StateAnswer {
  return text === undefined ? {} : { result: Payload.fromText(text) };
}

function set({ scope, key, value }: StateInputOf<'state::set'>): Decide<StateAnswer> {
  const text = printJson(value);
  return (found) => {
    const before = parse(found);
    const answer = { result: changeResult(before, value), change: { scope, key, before, after: value } };
    return { write: { text }, answer };
  };
}

function remove({ scope, key }: StateInputOf<'state::delete'>): Decide<StateAnswer> {
  return (found) => {
    const change = { scope, key, before: parse(found), after: undefined };
    return { write: found === undefined ? 'nothing' : 'delete', answer: { ...bareValue(found), change } };
  };
}

/** The outcome is stored even where every operation failed, as the engine does. */
function update({ scope, key, ops }: StateInputOf<'state::update'>): Decide<StateAnswer> {
  return (found) => {
    const before = parse(found);
    const { after, errors } = applyOps(before, ops);
    const answer = { result: changeResult(before, after, errors), change: { scope, key, before, after } };
    return { write: { text: printJson(after) }, answer };
  };
}

function compareAndSet({
  scope,
  key,
  expected,
  value,
}: StateInputOf<'state::compare-and-set'>): Decide<StateAnswer> {
  return (found) => {
    const before = parse(found);
    if (!isExpected(before, expected)) {
      return { write: 'nothing', answer: { result: notSwappedResult(before) } };
    }
    const answer = { result: swappedResult(), change: { scope, key, before, after: value } };
    return { write: { text: printJson(value) }, answer };
  };
}

/** Null expects that there is no value; a stored null cannot be expected. */
function isExpected(before: Json | undefined, expected: Json): boolean {
  if (before === undefined) return expected === null;
  return expected !== null && sameValue(before, expected);
}

function parse(text: string | undefined): Json | undefined {
  return text === undefined ? undefined : parseJson(text);
}
