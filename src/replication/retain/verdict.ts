/** What has become of a write that the remote had confirmed, once its key has been read. */
import { sameKnown } from '../replay/settlement.js';
import type { Known } from '../view.js';

export interface RetainedEvidence {
  /** What the key holds now. */
  found: Known;
  /** What our newest write made of it. */
  after: Known;
  /** The key held what was found before one of our retained writes. */
  wasHeld: boolean;
  /** Nobody else writes in this scope. */
  soleWriter: boolean;
  /** Whether this remote shows a stored null as no value. */
  nullIsAbsent: boolean;
}

/**
 * `kept`: it is there. `lost`: the key is back at what it held before it. `gone`: the key holds nothing, which it did not
 * before our writes either: the remote lost more than them, or somebody deleted it. `changed`: somebody else wrote.
 */
export type RetainedVerdict = 'kept' | 'lost' | 'gone' | 'changed';

/**
 * A remote that restarts comes back with what it held a moment ago, so an earlier value is the mark of a loss. Somebody who
 * puts a key back to an earlier value looks the same; only where nobody else writes is it certain.
 */
export function verdictOf({
  found,
  after,
  wasHeld,
  soleWriter,
  nullIsAbsent,
}: RetainedEvidence): RetainedVerdict {
  if (sameKnown(found, after, nullIsAbsent)) return 'kept';
  if (soleWriter || wasHeld) return 'lost';
  return found.kind === 'absent' ? 'gone' : 'changed';
}
