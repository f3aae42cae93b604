/** What the mark outside a store and the store say of each other; the gateway refuses all but the first two. */
import { isSameFile } from '../../storage/file-identity.js';
import type { FoundMark } from '../../storage/high-water-mark.js';
import type { KeptIdentity } from '../../storage/identity.js';

export type MarkState =
  | { kind: 'fits'; incarnation: string; groups: number; next: number }
  /** No gateway that keeps marks has used the store. */
  | { kind: 'none' }
  | { kind: 'lost'; sentence: string }
  /** The data folder as a whole is a copy, and the original may live on. */
  | { kind: 'copied'; sentence: string; next: number }
  /** The mark is another store's. */
  | { kind: 'exchanged'; sentence: string; next: number };

/** @param kept the identity in the store, if it can be read */
export function stateOfMark(found: FoundMark, kept: KeptIdentity | undefined): MarkState {
  if (found.kind !== 'mark') {
    if (kept?.incarnation === undefined) return { kind: 'none' };
    const sentence = `The file high-water-mark is ${found.kind}: without it nobody can tell whether the end of the log is there`;
    return { kind: 'lost', sentence };
  }
  const { incarnation, groups, next, file } = found.slot.mark;
  if (!isSameFile(file, found.file)) {
    const sentence =
      'The data folder is a copy, or was brought back from one: its gateway has to go on as a new one (`--adopt`)';
    return { kind: 'copied', sentence, next };
  }
  if (!kept || kept.incarnation === incarnation) return { kind: 'fits', incarnation, groups, next };
  if (kept.incarnation === undefined && groups === 0) return { kind: 'none' };
  return { kind: 'exchanged', sentence: 'The store is not the one that was used here last', next };
}
