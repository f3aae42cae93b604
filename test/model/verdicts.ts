import { isObject, type Json, type JsonObject, printJson } from '../../src/protocol/json.js';
import { canonical } from '../support/json-values.js';
import type { Answer } from './exact-worker.js';
import { known, sameValue, type Value, type View } from './key-model.js';

/** An answer that the model does not allow. */
export class Contradiction extends Error {
  override readonly name = 'Contradiction';
}

/** @throws Contradiction */
export function demand(isSo: boolean, what: string, answer: Answer, allowed: string): asserts isSo {
  if (!isSo) throw new Contradiction(`${what}: ${shown(answer)}; the model has ${allowed}`);
}

export function shown(answer: Answer): string {
  if (answer.kind === 'result') return printJson(answer.value);
  return answer.kind === 'error' ? answer.code : 'no result';
}

export function shownViews(views: readonly View[]): string {
  return views.map((view) => (view.kind === 'known' ? shownValue(view.value) : 'unknown')).join(' or ');
}

export function shownValue(value: Value): string {
  return value === undefined ? 'absent' : printJson(value);
}

/** What the answer to a read of one key says that it holds. */
export function viewIn(answer: Answer): View | undefined {
  if (answer.kind === 'result') return known(answer.value);
  if (answer.kind === 'no-result') return known(undefined);
  return answer.code === 'GATEWAY_OFFLINE_UNKNOWN' ? { kind: 'unknown' } : undefined;
}

export function objectIn(answer: Answer): JsonObject | undefined {
  return answer.kind === 'result' && isObject(answer.value) ? answer.value : undefined;
}

/** Whether the object has these members, in any order, and no others. */
export function hasExactly(object: JsonObject, names: readonly string[]): boolean {
  return Object.keys(object).sort().join() === [...names].sort().join();
}

/** Whether the list holds, in any order, one of its possible values for each key, and nothing else. */
export function isListOf(list: readonly Json[], keys: readonly (readonly Value[])[]): boolean {
  const [first, ...others] = keys;
  if (!first) return list.length === 0;
  return first.some((value) => {
    if (value === undefined) return isListOf(list, others);
    const at = list.findIndex((item) => sameValue(item, value));
    return at >= 0 && isListOf(list.toSpliced(at, 1), others);
  });
}

export function sameTexts(some: readonly string[], others: readonly string[]): boolean {
  return canonical([...some].sort()) === canonical([...others].sort());
}
