/** What to do with a write whose outcome is not known, once its key has been read (replication section 3). */
import { sameValue } from '../../operations/same-value.js';
import type { Json } from '../../protocol/json.js';
import type { ScopeRule } from '../scope-rules.js';
import { jsonOf, type Known, type View } from '../view.js';
import type { WriteClass } from '../write.js';

export interface Evidence {
  /** What the key holds now. */
  found: Known;
  /** What it would hold had the write been applied. */
  after: Known;
  /** What it held before, as far as we know. */
  before: View;
  /** Whether the unanswered frame can no longer be executed. */
  fenced: boolean;
  /** What waits behind this one in its lane: an absolute write takes its place, a relative one builds on it. */
  newer: WriteClass | 'none';
  /** What the scope wants where somebody else wrote meanwhile. */
  conflict: ConflictPolicy;
  /** It was accepted on top of a write that has lost to the remote's value. */
  followsLoser: boolean;
  /** Whether this remote tells a stored null and a missing key apart. */
  nullIsAbsent: boolean;
}

export type ConflictPolicy = ScopeRule['conflict'];

export type Settlement =
  | { kind: 'committed' }
  | { kind: 'send-again' }
  /** Somebody else wrote meanwhile; the scope's policy decides. */
  | { kind: 'conflict' }
  /** Somebody else wrote meanwhile; our write goes over it. */
  | { kind: 'overwrite' }
  /** Somebody else wrote meanwhile, and sending again could do harm later. */
  | { kind: 'yield' }
  /** Later writes of ours take its place. */
  | { kind: 'superseded' }
  /** Later writes of ours build on it, and sending again could undo them later. */
  | { kind: 'unknown' };

/** Settles an unanswered `set`, `delete` or update of the whole value. */
export function settle({
  found,
  after,
  before,
  fenced,
  newer,
  conflict,
  followsLoser,
  nullIsAbsent,
}: Evidence): Settlement {
  const holds = (view: View) => view.kind !== 'unknown' && sameKnown(found, view, nullIsAbsent);
  if (holds(after)) return { kind: 'committed' };
  // The late twin of a repeated write may overwrite newer changes for good, so without a fence little is repeated.
  if (!fenced && newer !== 'none') return { kind: newer === 'absolute' ? 'superseded' : 'unknown' };
  if (followsLoser && conflict !== 'local-wins') return { kind: 'conflict' };
  if (holds(before)) return { kind: 'send-again' };
  if (conflict !== 'local-wins') {
    return isConflict({ found, base: before, nullIsAbsent }) ? { kind: 'conflict' } : { kind: 'send-again' };
  }
  if (before.kind === 'unknown') {
    // Nothing tells whether anybody wrote meanwhile; where there is nothing, nothing is overwritten.
    return fenced || found.kind === 'absent' ? { kind: 'send-again' } : { kind: 'yield' };
  }
  return { kind: fenced ? 'overwrite' : 'yield' };
}

/** What a relative write does to a key whose only writer we are; each value as far as it is known. */
export interface SoleWriterEvidence {
  found: Known;
  before: View;
  after: View;
  nullIsAbsent: boolean;
}

/** Settles an unanswered update in a scope of a single writer, after the fence: nobody else changed what is found. */
export function settleAsSoleWriter({ found, before, after, nullIsAbsent }: SoleWriterEvidence): Settlement {
  if (before.kind === 'unknown' || after.kind === 'unknown') return { kind: 'unknown' };
  if (sameKnown(before, after, nullIsAbsent)) return { kind: 'unknown' }; // both look alike
  if (sameKnown(found, after, nullIsAbsent)) return { kind: 'committed' };
  return { kind: sameKnown(found, before, nullIsAbsent) ? 'send-again' : 'unknown' };
}

/**
 * Whether the remote holds something that a write was not based on. With an unknown base any value is a conflict: nothing
 * tells whether it came later (replication section 4).
 */
export function isConflict({
  found,
  base,
  nullIsAbsent,
}: {
  found: Known;
  base: View;
  nullIsAbsent: boolean;
}): boolean {
  return base.kind === 'unknown' ? found.kind === 'value' : !sameKnown(found, base, nullIsAbsent);
}

/** Equality of what a key holds (replication section 4). */
export function sameKnown(a: Known, b: Known, nullIsAbsent: boolean): boolean {
  const [x, y] = [jsonOf(a), jsonOf(b)];
  if (nullIsAbsent) return sameValue(x ?? null, y ?? null);
  if (x === undefined || y === undefined) return x === y;
  return sameValue(x, y);
}

/** Whether an answer's `old_value`, in which null also means "no value", shows what was expected. */
export function isExpected(expected: View, oldValue: Json): boolean {
  return expected.kind === 'unknown' || sameValue(jsonOf(expected) ?? null, oldValue);
}
