/**
 * What is known of a whole scope, without its keys: `state::list` gives values only. Changes since are folded in by
 * value, and pending writes are laid over only where the values themselves prove that we know every key.
 */
import { isObject, type Json, printJson, WholeFloat } from '../../protocol/json.js';
import type { PendingKey } from '../own-writes.js';
import { jsonOf, type Known, type View } from '../view.js';

/** A change to one key of a scope, after the scope was listed. */
export interface ScopeChange {
  before: Known;
  after: Known;
}

/** The values after the changes; undefined: a change does not fit, so we did not know the scope. */
export function fold(values: readonly Json[], changes: readonly ScopeChange[]): Json[] | undefined {
  const list = new ValueList(values);
  const fits = changes.every(({ before, after }) => list.replace(jsonOf(before), jsonOf(after)));
  return fits ? list.values() : undefined;
}

/**
 * The values of a scope with our pending writes laid over.
 *
 * A list does not say which value is whose. Only if the known values of single keys are exactly those in the list do
 * we know all keys, and with them what each pending write does to the list: "a pending write to a key that a keyless
 * snapshot does not identify makes the scope unknown".
 *
 * @param snapshot the scope's values, changes since folded in
 * @param present the known values of all its keys that have one
 */
export function wholeScope(
  snapshot: readonly Json[],
  present: readonly Json[],
  pending: readonly Pick<PendingKey, 'base' | 'view'>[],
): Json[] | 'unknown' {
  if (pending.length === 0) return [...snapshot];
  if (!haveSameValues(snapshot, present)) return 'unknown';
  const list = new ValueList(snapshot);
  const fits = pending.every(
    ({ base, view }) => isKnown(base) && isKnown(view) && list.replace(jsonOf(base), jsonOf(view)),
  );
  return fits ? list.values() : 'unknown';
}

/** Equal texts mean equal values, as `sameValue` sees them: member order is ignored, 1 and 1.0 are one number. */
export function printCanonically(value: Json): string {
  if (typeof value === 'number') return printNumber(value);
  if (value instanceof WholeFloat) return printNumber(value.value);
  if (Array.isArray(value)) return `[${value.map(printCanonically).join(',')}]`;
  if (!isObject(value)) return printJson(value);
  const members = Object.entries(value).map(
    ([name, item]) => `${JSON.stringify(name)}:${printCanonically(item)}`,
  );
  return `{${members.sort().join(',')}}`;
}

/** Whole numbers digit by digit, as integers beyond 2^53 are printed; minus zero as zero. */
function printNumber(value: number): string {
  return Number.isInteger(value) ? BigInt(value).toString() : String(value);
}

function isKnown(view: View): view is Known {
  return view.kind !== 'unknown';
}

function haveSameValues(some: readonly Json[], others: readonly Json[]): boolean {
  if (some.length !== others.length) return false;
  const texts = some.map(printCanonically).sort();
  const otherTexts = others.map(printCanonically).sort();
  return texts.every((text, index) => text === otherTexts[index]);
}

/** Values in order, found by what they are. */
class ValueList {
  private readonly items: (Json | undefined)[];
  /** Where equal values stand, the first of them last. */
  private readonly places = new Map<string, number[]>();

  constructor(values: readonly Json[]) {
    this.items = [...values];
    for (let place = values.length - 1; place >= 0; place -= 1) this.enter(place, values[place] as Json);
  }

  /** Replaces one value that equals `before`; `undefined` is no value. False if there is none such. */
  replace(before: Json | undefined, after: Json | undefined): boolean {
    if (before === undefined) {
      if (after !== undefined) this.enter(this.items.push(after) - 1, after);
      return true;
    }
    const place = this.places.get(printCanonically(before))?.pop();
    if (place === undefined) return false;
    this.items[place] = after;
    if (after !== undefined) this.enter(place, after);
    return true;
  }

  values(): Json[] {
    return this.items.filter((item) => item !== undefined);
  }

  private enter(place: number, value: Json): void {
    const text = printCanonically(value);
    const places = this.places.get(text);
    if (places) places.push(place);
    else this.places.set(text, [place]);
  }
}
