/** conflicts-are-seen: a logged write that went over somebody else's newer value is counted; and nothing else is. */
import { isObject, type Json, member } from '../../../src/protocol/json.js';
import { type History, isOutcomeUnknown, type MadeWrite } from '../history.js';
import type { Violations } from './now.js';

export function conflictsAreSeen(history: History): Violations {
  const { conflictsWon, writes } = history;
  const seen = writes.filter((write) => wentOverNewer(history, write)).length;
  if (seen <= conflictsWon) return [];
  return [
    `conflicts-are-seen: ${seen} writes went over somebody's newer value, and ${conflictsWon} are counted`,
  ];
}

/** Where nobody else writes, there is nothing to disagree about. */
export function noConflictWithNobody(history: History): Violations {
  const { plan, conflictsWon, ends, writes } = history;
  if (ends.length > 0 || plan.keys.some((key) => !history.isOurs({ key }))) return [];
  // A known gap, as in `mirrorIsRightAtTheEnd`: then the base is one that was never meant.
  if (writes.some(isOutcomeUnknown)) return [];
  // A known gap: an event of our own write that comes late may begin with what the key holds again by then.
  if (writes.some((write) => history.ruleOf(write).consistency === 'cache')) return [];
  const lost = writes.filter(
    ({ receipt }) => receipt?.status === 'conflicted' || receipt?.reason === 'parked',
  );
  // A known gap: in a scope of one order, writes to other keys follow a loser too.
  const isMeant = lost.every(
    (write) =>
      history.ruleOf(write).order === 'scope' ||
      isBlind(write) ||
      writes.some((other) => leavesBaseUnknown(other, write)),
  );
  if (conflictsWon === 0 && isMeant) return [];
  return [`conflicts-are-seen: ${conflictsWon} won and ${lost.length} lost, and nobody else has written`];
}

function wentOverNewer(history: History, write: MadeWrite): boolean {
  const { told, receipt, kind, seqs } = write;
  if (kind === 'add' || kind === 'delete') return false; // a delete's may go unseen
  if (told?.kind !== 'result' || seqs.length !== 1 || receipt?.status !== 'committed') return false;
  if (history.ruleOf(write).conflict !== 'local-wins' || isBlind(write)) return false;
  if (history.writes.some((earlier) => leavesBaseUnknown(earlier, write))) return false;
  const ofItsKey = history.executions.filter(
    ({ scope, key }) => scope === write.key.scope && key === write.key.key,
  );
  if (ofItsKey.some(({ lost }) => lost)) return false; // what it went over was there, and is not any more
  return history.executionsOf(write).some((execution) => {
    const earlier = history.executions.slice(0, history.executions.indexOf(execution));
    const under = earlier.findLast(
      ({ scope, key, lost }) => scope === execution.scope && key === execution.key && !lost,
    );
    const isNewer = under?.write === undefined && (under?.at ?? 0) > told.at && under?.after !== undefined;
    return isNewer && execution.answered && !history.hasEndedBetween(write.at, Number.POSITIVE_INFINITY);
  });
}

/** What the key held before is not known to us then, or is not what an earlier write was to leave. */
function leavesBaseUnknown(earlier: MadeWrite, { key, number }: MadeWrite): boolean {
  if (earlier.key !== key || earlier.number >= number) return false;
  const { status } = earlier.receipt ?? {};
  const isUnsettled = status !== undefined && status !== 'committed' && status !== 'superseded';
  return isUnsettled || earlier.told?.kind !== 'result' || isBlind(earlier);
}

function isBlind({ told, kind }: MadeWrite): boolean {
  return (
    told?.kind === 'result' && (saysUnknown(told.value) || (kind === 'delete' && told.value === undefined))
  );
}

function saysUnknown(answer: Json | undefined): boolean {
  return isObject(answer) && member(answer, 'base') === 'unknown';
}
