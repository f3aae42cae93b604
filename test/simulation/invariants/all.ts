import type { SimulatedGateway } from '../gateway.js';
import type { History } from '../history.js';
import { conflictsAreSeen, noConflictWithNobody } from './conflicts.js';
import type { Violations } from './now.js';
import { mirrorIsRightAtTheEnd, readsAreTrue, readYourWrites } from './reads.js';
import {
  answeredMeansApplied,
  answersOfAcceptedAreTrue,
  noGhostWrites,
  nothingAcceptedIsLost,
  nothingIsAppliedTwice,
  orderPerKey,
} from './writes.js';

/** All that must hold when everything is settled. */
export function violationsAtTheEnd(history: History, { core }: SimulatedGateway): Violations {
  return [
    ...nothingAcceptedIsLost(history),
    ...nothingIsAppliedTwice(history),
    ...orderPerKey(history),
    ...noGhostWrites(history),
    ...answeredMeansApplied(history),
    ...answersOfAcceptedAreTrue(history),
    ...readsAreTrue(history),
    ...readYourWrites(history),
    ...mirrorIsRightAtTheEnd(history, (scope, key) => core.witness.peek(scope, key)),
    ...conflictsAreSeen(history),
    ...noConflictWithNobody(history),
  ];
}
