/** What a look at a whole store finds. */
import type { Book } from '../log/book.js';
import type { LaneVerdict } from './lane-walk.js';
import type { MarkState } from './mark.js';
import type { DamagedRecord, SpaceName } from './spaces.js';
import type { StoreCopy } from './store-copy.js';

/** Damaged records that are named; more are only counted. */
export const MOST_NAMED = 1000;

export interface Inspection {
  /** Why LevelDB refuses the store as it lies; undefined: it opens it. */
  refusal: string | undefined;
  /** What is wrong with files, a sentence each. */
  files: string[];
  /** Sound records by what they are. */
  records: Record<SpaceName, number>;
  damaged: { count: number; named: DamagedRecord[] };
  /** What the book should say, counted from the records. */
  counted: Counted;
  book: Book | undefined;
  /** Undefined: entries, links and lanes fit. */
  lanes: LaneVerdict | undefined;
  /** Figures that contradict each other, a sentence each. */
  contradictions: string[];
  mark: MarkState;
  /** Groups of writes at the end of the log that are lost, at least; undefined: nobody can tell. */
  missingGroups: number | undefined;
  /** Whole groups of writes may be lost, so that nobody knows what has been sent since. */
  mayHaveLostGroups: boolean;
  /** No note that an update was sent is damaged. */
  tellsWhatWasSent: boolean;
  /** What is worth knowing and no damage. */
  notes: string[];
}

export interface Counted {
  entries: number;
  bytes: number;
  /** By reason. */
  quarantined: Record<string, number>;
  heldLanes: number;
  scopeLanes: number;
  mirrorBytes: number;
  /** The largest sequence number that anything bears. */
  greatest: number;
}

/** A store that was looked at, and the copy that can be read from. */
export interface Inspected {
  inspection: Inspection;
  copy: StoreCopy;
}

export function isWhole({ refusal, files, damaged, lanes, contradictions }: Inspection): boolean {
  return !refusal && files.length === 0 && damaged.count === 0 && !lanes && contradictions.length === 0;
}

export function emptyCounts(): Inspection['records'] {
  return {
    entries: 0,
    lanes: 0,
    links: 0,
    sent_notes: 0,
    book: 0,
    floors: 0,
    repeats: 0,
    retained: 0,
    lost: 0,
    last_of_key: 0,
    quarantined: 0,
    receipt_packs: 0,
    conflicts: 0,
    mirror_values: 0,
    mirror_lists: 0,
    mirror_other: 0,
    identity: 0,
    format: 0,
    other: 0,
  };
}
