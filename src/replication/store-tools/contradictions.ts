import type { Book } from '../log/book.js';
import type { Counted } from './inspection.js';
import type { MarkState } from './mark.js';
import type { Survey } from './survey.js';

type Seen = Pick<Survey, 'book' | 'counted' | 'records' | 'mirrorSize' | 'damaged'>;

/** What the store says of itself and does not hold, a sentence each. */
export function contradictionsIn({ book, counted, records }: Seen, mark: MarkState): string[] {
  const sentences: string[] = [];
  if (records.format === 0) sentences.push('The store does not say what format it has');
  if (records.identity === 0) sentences.push('The store does not say which gateway it belongs to');
  if (book) sentences.push(...againstBook(book, counted));
  else if (counted.greatest > 0) sentences.push('The log has no book, so its counts are unknown');
  if ('sentence' in mark) sentences.push(mark.sentence);
  const missing = missingGroups(book, mark);
  if (missing) {
    sentences.push(
      `At least ${missing} of the groups of writes that had been on the disk are missing at the end of the log`,
    );
  }
  return sentences;
}

/** Groups of writes that had been on the disk, and that the store does not know of; undefined: nobody can tell. */
export function missingGroups(book: Book | undefined, mark: MarkState): number | undefined {
  return book && mark.kind === 'fits' ? Math.max(0, mark.groups - (book.groups ?? 0)) : undefined;
}

function againstBook(book: Book, counted: Counted): string[] {
  const sentences: string[] = [];
  const compare = (what: string, should: number, is: number) => {
    if (should !== is) sentences.push(`The book counts ${should} ${what}; ${is} can be read`);
  };
  compare('writes in the log', book.entries, counted.entries);
  if (book.entries === counted.entries) compare('bytes in the log', book.bytes, counted.bytes);
  for (const reason of new Set([...Object.keys(book.quarantined), ...Object.keys(counted.quarantined)])) {
    const should = (book.quarantined as Record<string, number>)[reason] ?? 0;
    compare(`writes in quarantine as ${reason}`, should, counted.quarantined[reason] ?? 0);
  }
  compare('held lanes', book.held ?? 0, counted.heldLanes);
  compare('lanes of whole scopes', book.scopeLanes ?? 0, counted.scopeLanes);
  const states = [book.entries, ...Object.values(book.ended), ...Object.values(book.quarantined)];
  const accounted = states.reduce((sum, count) => sum + count, 0);
  if (accounted !== book.accepted) {
    sentences.push(
      `The book counts ${book.accepted} accepted writes, and knows where ${accounted} of them are`,
    );
  }
  if (counted.greatest >= book.next) {
    sentences.push(
      `The book gives number ${book.next} to the next write; ${counted.greatest} is taken already`,
    );
  }
  return sentences;
}
