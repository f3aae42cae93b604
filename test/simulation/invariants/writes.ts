/** What must hold of each write when everything is settled (promises, section 2). */
import type { Json } from '../../../src/protocol/json.js';
import { isObject, member, printJson } from '../../../src/protocol/json.js';
import type { Execution, Held } from '../engine-state.js';
import { type History, isOutcomeUnknown, type MadeWrite, nameOf, wasAccepted } from '../history.js';
import type { Violations } from './now.js';

/** accepted-means-durable: a write that was accepted is applied, or it is where its scope's rule says. */
export function nothingAcceptedIsLost(history: History): Violations {
  return history.writes.flatMap((write) => {
    if (!wasAccepted(write)) return [];
    const how = howItEndedBadly(history, write);
    return how === undefined ? [] : [`accepted-means-durable: ${nameOf(write)} ${how}`];
  });
}

function howItEndedBadly(history: History, write: MadeWrite): string | undefined {
  const { receipt } = write;
  const rule = history.ruleOf(write);
  const isExecuted = history.executionsOf(write).length > 0;
  if (!receipt) return 'was accepted, and nothing is known of it';
  const reason =
    receipt.status === 'quarantined' || receipt.status === 'dropped' ? receipt.reason : undefined;
  switch (reason ?? receipt.status) {
    case 'committed':
      return isExecuted || wasHeldAnyway(history, write) ? undefined : 'is committed, and was never applied';
    case 'refused':
      return write.kind === 'refused' && !isExecuted ? undefined : 'was never refused';
    case 'unknown':
      return canBeSettled(history, write) ? 'could have been settled' : undefined;
    case 'parked':
      return rule.conflict === 'park' || rule.conflict === 'function' ? undefined : 'was parked';
    case 'overflow':
      if (rule.overflow !== 'drop-oldest') return 'made room for others';
      return isExecuted ? 'made room for others, and was applied' : undefined;
    case 'expired':
      if (rule.expireMs === 0) return 'expired';
      return isExecuted ? 'expired, and was applied' : undefined;
    case 'conflicted':
      if (rule.conflict === 'local-wins' && canBeFenced(history, write)) return 'lost, and should have won';
      return undefined;
    case 'superseded':
      if (!canBeFenced(history, write)) return undefined;
      if (!rule.coalesce) return 'was superseded, and could have been settled';
      return isExecuted ? 'made way for a newer one, and was applied' : undefined;
    case 'dropped':
      return undefined;
    default:
      return `is still ${receipt.status}`;
  }
}

/** never-twice, with its two exceptions for writes that reading can settle. */
export function nothingIsAppliedTwice(history: History): Violations {
  return history.writes.flatMap((write) => {
    const kept = history.executionsOf(write).filter(({ lost }) => !lost);
    if (kept.length < 2) return [];
    const isWeak = history.plan.manners.adapter !== 'kv';
    // A known gap: somebody's delete makes a marked value look as it did before.
    const isUnmarked = write.key.isShared && history.ruleOf(write).settle === 'marker';
    if (write.kind === 'add' && isUnmarked && wentOverOthers(history, kept)) return [];
    const mayRepeat = write.kind !== 'add' && (isWeak || wentOverOthers(history, kept));
    return mayRepeat ? [] : [`never-twice: ${nameOf(write)} was applied ${kept.length} times`];
  });
}

/** order-per-key: writes of one lane are applied in the order in which they were made. */
export function orderPerKey(history: History): Violations {
  const newest = new Map<string, MadeWrite>();
  for (const { write: number } of history.executions) {
    const write = number === undefined ? undefined : history.writes[number];
    if (!write || write.seqs.length > 1 || write.times > 1) continue; // it was made again
    const lane = history.laneOf(write);
    const before = newest.get(lane);
    if (before && write.number < before.number) {
      if (mustKeepOrder(history, write, before)) {
        return [`order-per-key: ${nameOf(write)} was applied after ${nameOf(before)}`];
      }
    } else newest.set(lane, write);
  }
  return [];
}

/** no-ghost-writes: a write that was answered with an error of ours is never sent. */
export function noGhostWrites(history: History): Violations {
  return history.writes.flatMap((write) => {
    const { told } = write;
    if (told?.kind !== 'error' || isOutcomeUnknown(write)) return [];
    // An operator may have sent it again; and what the disk failed to take may be found there.
    if (write.seqs.length > 1 || write.hasFailed) return [];
    const isOurs = told.code.startsWith('GATEWAY_') || told.code === 'VALUE_TOO_LARGE';
    // One that is parked may have been applied before somebody else wrote.
    const since = told.code === 'GATEWAY_CONFLICT' ? told.at : 0;
    if (!isOurs || !history.executionsOf(write).some(({ at }) => at > since)) return [];
    return [`no-ghost-writes: ${nameOf(write)} was answered ${told.code}, and applied`];
  });
}

/** remote-answers: what the remote itself answered, it has done, once. */
export function answeredMeansApplied(history: History): Violations {
  return history.writes.flatMap((write) => {
    if (write.told?.kind !== 'result' || write.seqs.length > 0) return [];
    const { length } = history.executionsOf(write);
    return length === 1 ? [] : [`remote-answers: ${nameOf(write)} was answered, and applied ${length} times`];
  });
}

/** What an accepted write was said to leave is what it leaves, if nothing but our own accepted writes came before it. */
export function answersOfAcceptedAreTrue(history: History): Violations {
  return history.writes.flatMap((write) => {
    const { told, receipt } = write;
    const promised =
      told?.kind === 'result' && isPending(told.value) ? member(told.value, 'new_value') : undefined;
    const [execution, ...more] = history.executionsOf(write);
    if (promised === undefined || receipt?.status !== 'committed' || !execution || more.length > 0) return [];
    if (!history.isOurs(write) || history.ends.length > 0 || !isChainWhole(history, write)) return [];
    // What a marker adds is not told; and a known gap, as in `noConflictWithNobody`.
    const { settle, consistency } = history.ruleOf(write);
    const text = printJson(promised);
    if (text === execution.after || settle === 'marker' || consistency === 'cache') return [];
    return [`accepted: ${nameOf(write)} was said to leave ${text}, and left ${execution.after}`];
  });
}

/** Every earlier write to the key has gone well. */
function isChainWhole({ writes }: History, { number, key }: MadeWrite): boolean {
  return writes.slice(0, number + 1).every(({ key: other, told, receipt }) => {
    if (other !== key) return true;
    const isBlind =
      told?.kind === 'result' && isPending(told.value) && member(told.value, 'base') === 'unknown';
    return told?.kind === 'result' && !isBlind && (receipt?.status ?? 'committed') === 'committed';
  });
}

function isPending(answer: Json | undefined): answer is { pending: true } {
  return isObject(answer) && member(answer, 'pending') === true;
}

/** Reading cannot tell it from one that was applied: the key held nothing all the same. */
function wasHeldAnyway({ engine }: History, { kind, key, at }: MadeWrite): boolean {
  const held = engine.state.historyOf(key.scope, key.key);
  return kind === 'delete' && held.some(({ text }, index) => text === undefined && endOf(held, index) >= at);
}

export function endOf(held: readonly Held[], index: number): number {
  return held[index + 1]?.at ?? Number.POSITIVE_INFINITY;
}

/** Between any two of these, somebody else has written to the key, or a write of which our caller knows nothing. */
function wentOverOthers({ executions, writes }: History, repeated: readonly Execution[]): boolean {
  return repeated.every((execution, index) => {
    if (index === 0) return true;
    const from = executions.indexOf(repeated[index - 1] as Execution);
    const between = executions.slice(from, executions.indexOf(execution));
    return between.some(({ write, scope, key }) => {
      const isOfOthers = write === undefined || writes[write]?.told?.kind !== 'result';
      return isOfOthers && scope === execution.scope && key === execution.key;
    });
  });
}

/** Of a write whose caller was not told that it is accepted or applied, nothing is promised beyond its run. */
function mustKeepOrder({ plan }: History, late: MadeWrite, newer: MadeWrite): boolean {
  if (plan.manners.adapter !== 'kv') return false;
  if (late.told?.kind === 'result') return true;
  // What the disk failed to take may be found there at the next start.
  return late.run === newer.run && !late.hasFailed;
}

/** Updates are settled only where the scope has seen to it. */
function canBeSettled(history: History, write: MadeWrite): boolean {
  if (!canBeFenced(history, write)) return false;
  if (write.kind !== 'add') return true;
  return false;
}

/**
 * An answer that does not come while the connection stands leaves nothing to fence. A known gap: nor does a call that
 * waited for the first connection of a run, since it was not noted which that became.
 */
export function canBeFenced(history: History, { number, wasBeforeLink, at }: MadeWrite): boolean {
  const { plan, engine } = history;
  if (wasBeforeLink || history.hasEndedBetween(at, Number.POSITIVE_INFINITY)) return false;
  return plan.manners.adapter === 'kv' && !engine.swallowed.has(number);
}
