import { describe, expect, it } from 'vitest';
import { LaneSums } from '../../../../src/replication/store-tools/lane-sums.js';
import { SeqSet } from '../../../../src/replication/store-tools/seq-set.js';

/** Lanes by name, each the sequence numbers of its entries in order. */
type Log = Record<string, number[]>;

const LOG: Log = { a: [1, 3, 6], b: [2], c: [90, 4, 5, 2 ** 40], d: [] };

interface Told {
  entries: { at: string; seq: number; next: number | undefined }[];
  lanes: { at: string; count: number; head: number; last: number }[];
}

function told(log: Log): Told {
  const entries = Object.entries(log).flatMap(([at, seqs]) =>
    seqs.map((seq, place) => ({ at, seq, next: seqs[place + 1] })),
  );
  const lanes = Object.entries(log).map(([at, seqs]) => ({
    at,
    count: seqs.length,
    head: seqs[0] ?? 0,
    last: seqs.at(-1) ?? 0,
  }));
  return { entries, lanes };
}

function isFitting({ entries, lanes }: Told): boolean {
  const sums = new LaneSums();
  for (const { at, seq, next } of entries) sums.entry(at, seq, next);
  for (const { at, count, head, last } of lanes) sums.lane(at, count, head, last);
  return sums.fit;
}

describe('the sums of lanes', () => {
  it('fit where entries, links and lanes do', () => {
    expect(isFitting(told(LOG))).toBe(true);
    expect(isFitting(told({}))).toBe(true);
  });

  it.each<[what: string, harm: (told: Told) => void]>([
    ['an entry is missing', ({ entries }) => entries.splice(1, 1)],
    ['an only entry is missing', ({ entries }) => entries.splice(3, 1)],
    ['a lane is missing', ({ lanes }) => lanes.splice(1, 1)],
    ['a link is missing', ({ entries }) => Object.assign(entries[0] ?? {}, { next: undefined })],
    ['a link leads on from the last', ({ entries }) => Object.assign(entries[2] ?? {}, { next: 7 })],
    ['a link leads past an entry', ({ entries }) => Object.assign(entries[0] ?? {}, { next: 6 })],
    ['a link leads into another lane', ({ entries }) => Object.assign(entries[0] ?? {}, { next: 4 })],
    ['an entry is of another lane', ({ entries }) => Object.assign(entries[1] ?? {}, { at: 'b' })],
    ['a lane counts one more', ({ lanes }) => Object.assign(lanes[0] ?? {}, { count: 4 })],
    ['a lane begins with the second', ({ lanes }) => Object.assign(lanes[0] ?? {}, { head: 3 })],
    ['a lane ends with the second', ({ lanes }) => Object.assign(lanes[0] ?? {}, { last: 3 })],
    ['a number differs beyond 32 bits', ({ lanes }) => Object.assign(lanes[2] ?? {}, { last: 2 ** 41 })],
  ])('do not where %s', (_, harm) => {
    const harmed = told(LOG);
    harm(harmed);
    expect(isFitting(harmed)).toBe(false);
  });
});

it('a set of numbers holds those that were added, near and far', () => {
  const set = new SeqSet();
  const numbers = [0, 1, 7, 8, 65_535, 65_536, 2 ** 40, 2 ** 47];
  for (const seq of [...numbers, 7]) set.add(seq);
  expect(set.size).toBe(numbers.length);
  expect(numbers.every((seq) => set.has(seq))).toBe(true);
  expect([2, 9, 65_537, 2 ** 40 + 1].some((seq) => set.has(seq))).toBe(false);
});
