/** What a logged write that has not been sent yet may do now that it is its turn. */
import type { ScopeRule } from '../scope-rules.js';
import type { WriteClass } from '../write.js';

export interface Turn {
  rule: Pick<ScopeRule, 'conflict' | 'coalesce' | 'expireMs'>;
  kind: WriteClass;
  ageMs: number;
  /** Its caller waits for the remote's answer: it is as fresh as any online write, and nothing speaks against it. */
  isAwaited: boolean;
  /** A write before it has lost to the remote's value, or is in quarantine for it, and it was accepted on top of that. */
  follows: 'loser' | 'parked' | undefined;
  /** What comes after it in its lane; asked only if it matters. */
  next: () => WriteClass | 'none';
}

export type Approach =
  | { kind: 'send' }
  /** The remote's value comes first: it may be a conflict. */
  | { kind: 'look' }
  /** It goes the way of the write before it. */
  | { kind: 'follow'; whom: 'loser' | 'parked' }
  | { kind: 'expire' }
  /** The next one takes its place. */
  | { kind: 'coalesce' };

const SEND: Approach = { kind: 'send' };

/** The rules of its scope, in the order in which they count (replication sections 4 and 8). */
export function approachOf({ rule, kind, ageMs, isAwaited, follows, next }: Turn): Approach {
  if (isAwaited) return SEND;
  if (rule.expireMs > 0 && ageMs > rule.expireMs) return { kind: 'expire' };
  if (follows && loses(rule, kind)) return { kind: 'follow', whom: follows };
  if (rule.coalesce && kind === 'absolute' && next() === 'absolute') return { kind: 'coalesce' };
  return loses(rule, kind) ? { kind: 'look' } : SEND;
}

/** Updates merge by nature: only `park` takes them for a conflict. */
function loses({ conflict }: Turn['rule'], kind: WriteClass): boolean {
  return conflict === 'park' || (conflict !== 'local-wins' && kind === 'absolute');
}
