/** Lanes in which nothing goes on because a record of theirs has vanished: they wait, and are named. */
import type { Lane } from './lanes.js';
import type { Entry } from './layout.js';
import type { WriteAheadLog } from './write-ahead-log.js';

/** For a lane in which it is nobody's turn: the entry that it begins with was there before this run, and is not there now. */
export function noteMissingHead({ damage, firstOfThisRun }: WriteAheadLog, lane: Lane): void {
  const { record } = lane;
  if (!record || record.count === 0 || record.heldBy > 0 || record.head >= firstOfThisRun) return;
  damage.waits(lane.at, laneInWords(lane.scope, lane.key));
}

/** For an entry that was read and has no lane: if it is still there, it is not settled, but its lane is lost. */
export function noteMissingLane(log: WriteAheadLog, lane: Lane, { seq }: Entry): void {
  if (lane.record || lane.turn !== 'free' || !log.entry(seq)) return;
  log.damage.found(lane.at, `the lane of ${laneInWords(lane.scope, lane.key)}, whose writes wait,`);
}

export const laneInWords = (scope: string, key: string | undefined): string =>
  key === undefined
    ? `scope ${JSON.stringify(scope)}`
    : `key ${JSON.stringify(key)} in scope ${JSON.stringify(scope)}`;
