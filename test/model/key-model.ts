import type { Json } from '../../src/protocol/json.js';
import { canonical } from '../support/json-values.js';
import { applied, type Op, type Skipped } from './plain-ops.js';

/** What a key holds; `undefined` is nothing at all, which is not null. */
export type Value = Json | undefined;

/** What somebody makes of a key. */
export type View = { kind: 'known'; value: Value } | { kind: 'unknown' };

/** A write to one key. */
export type Change =
  | { kind: 'set'; value: Json }
  | { kind: 'delete' }
  | { kind: 'update'; ops: readonly Op[] };

export const UNKNOWN: View = { kind: 'unknown' };

export const known = (value: Value): View => ({ kind: 'known', value });

/** One key: what the hub holds, what the gateway may take that to be, and what it has accepted on top. */
export class KeyModel {
  hub: Value;
  /** What the gateway may know of the hub's value: one of these. What it answers tells which, and narrows them. */
  mirror: View[] = [UNKNOWN];
  /** Accepted while the hub was away, in order; the hub gets them when it is back. */
  pending: Change[] = [];
  /** What the newest list of the scope may have of this key: one of these. */
  listed: Value[] = [undefined];
  /** Somebody else changed it since the newest list of the scope; and the gateway then wrote over that. */
  isListOutdated = false;
  isListMistaken = false;
  /** The link was cut while `pending` was on its way: the hub may have some of it already. */
  isTorn = false;

  /** What the key will hold once everything accepted has reached the hub. */
  get drained(): Value {
    return this.pending.reduce(valueAfter, this.hub);
  }

  /** What the gateway may take the key to hold while it is on its own. */
  get ownViews(): View[] {
    return this.mirror.map((view) => this.pending.reduce(viewAfter, view));
  }

  /** The gateway has learnt, beyond doubt, what the hub holds. */
  learnt(): void {
    this.mirror = [known(this.hub)];
  }

  /** The hub listed the scope to the gateway. */
  listedByHub(): void {
    this.listed = [this.hub];
    this.isListOutdated = false;
    this.isListMistaken = false;
  }

  /** Only what agrees with an answer can have been in the gateway's mirror. */
  narrow(fits: (view: View) => boolean): void {
    this.mirror = this.mirror.filter((view) => fits(this.pending.reduce(viewAfter, view)));
  }

  /** The hub executed a write of the gateway's, and the gateway knows it. */
  settled(change: Change): void {
    this.hub = valueAfter(this.hub, change);
    this.learnt();
    this.listed = [this.hub];
    this.isListMistaken ||= this.isListOutdated;
  }

  /** Everything pending has reached the hub. */
  drain(): void {
    for (const change of this.pending.splice(0)) this.settled(change);
    this.isTorn = false;
  }
}

/** What a write that is accepted on a view answers with, and leaves. */
export function outcomeOf(before: Value, change: Change): { after: Value; errors: Skipped[] } {
  if (change.kind === 'update') return applied(before, change.ops);
  return { after: change.kind === 'set' ? change.value : undefined, errors: [] };
}

export function sameValue(one: Value, other: Value): boolean {
  if (one === undefined || other === undefined) return one === other;
  return canonical(one) === canonical(other);
}

export function sameView(one: View, other: View): boolean {
  if (one.kind === 'unknown' || other.kind === 'unknown') return one.kind === other.kind;
  return sameValue(one.value, other.value);
}

function valueAfter(before: Value, change: Change): Value {
  return outcomeOf(before, change).after;
}

function viewAfter(before: View, change: Change): View {
  if (change.kind === 'set') return known(change.value);
  if (before.kind === 'unknown') return UNKNOWN;
  return known(valueAfter(before.value, change));
}
