import type { QuarantineReason } from '../operator.js';

/** Where a write can end (gateway-api section 5). */
export type Ending = 'committed' | 'conflicted' | 'expired' | 'superseded' | 'dropped';

/** What is written with every group of the log, so that opening it needs no scan. */
export interface Book {
  /** The next sequence number; they never start again. */
  next: number;
  /** Every entry up to here is settled: scans begin after it. */
  acknowledged: number;
  /** No frame of an entry after this one has left without being noted on its own. */
  sentUpTo: number;
  entries: number;
  bytes: number;
  accepted: number;
  ended: Record<Ending, number>;
  quarantined: Record<QuarantineReason, number>;
  conflictsWon: number;
  /** Lanes of whole scopes that have entries. */
  scopeLanes: number;
  /** Lanes that wait for an operator. */
  held: number;
  /** Lanes that are held, or have been and are not empty yet. */
  floors: number;
  /** Entries in those that are held. */
  heldWrites: number;
  /** Groups that were written: the mark outside the store knows how many at least are on the disk. */
  groups: number;
}

export function newBook(): Book {
  return {
    next: 1,
    acknowledged: 0,
    sentUpTo: 0,
    entries: 0,
    bytes: 0,
    accepted: 0,
    ended: { committed: 0, conflicted: 0, expired: 0, superseded: 0, dropped: 0 },
    quarantined: { refused: 0, unknown: 0, parked: 0, overflow: 0 },
    conflictsWon: 0,
    scopeLanes: 0,
    held: 0,
    floors: 0,
    heldWrites: 0,
    groups: 0,
  };
}
