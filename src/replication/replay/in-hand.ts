import type { Entry, SentNote } from '../log/layout.js';
import type { Known } from '../view.js';

/** A lane's head between its turn and its end. */
export interface InHand {
  entry: Entry;
  /** What was noted before its frame left; for updates of which reading cannot tell. */
  note?: SentNote | undefined;
  /** An attempt was not answered: it may have been executed, whatever becomes of the next. */
  isInDoubt?: boolean;
  /** Its frame carried its receipt. */
  withReceipt?: boolean;
  /** The remote is to take it only if the key still holds this. */
  onlyIf?: Known | undefined;
}
