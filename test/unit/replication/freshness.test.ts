import { describe, expect, it } from 'vitest';
import { Freshness } from '../../../src/replication/mirror/freshness.js';

/** A key of a confirmed scope whose value was read. */
function freshKey(freshness = new Freshness(), key = 'k'): Freshness {
  freshness.scopeConfirmed('s');
  read(freshness, 0, key);
  return freshness;
}

function read(freshness: Freshness, now: number, key = 'k'): void {
  const question = freshness.readIssued('s', key, now);
  if (question) freshness.readAnswered(question, true);
}

describe('Freshness: what may be read from the mirror', () => {
  it('is a key that was read while the feed of its scope is confirmed, and no other', () => {
    const freshness = freshKey();
    expect(freshness.mayServe('s', 'k')).toBe(true);
    expect(freshness.mayServe('s', 'other')).toBe(false);
    expect(freshness.mayServe('other', 'k')).toBe(false);
  });

  it('is nothing that was read before the confirmation, or asked for before it', () => {
    const freshness = new Freshness();
    const question = freshness.readIssued('s', 'k', 0);
    freshness.scopeConfirmed('s');
    expect(question).toBeUndefined();
    expect(freshness.mayServe('s', 'k')).toBe(false);
  });

  it('is not a key whose answer the mirror did not take', () => {
    const freshness = new Freshness();
    freshness.scopeConfirmed('s');
    const question = freshness.readIssued('s', 'k', 0) ?? expect.fail('not tracked');
    freshness.readAnswered(question, false);
    expect(freshness.mayServe('s', 'k')).toBe(false);
  });

  it('stays fresh through events that begin with what we knew', () => {
    const freshness = freshKey();
    freshness.eventArrived('s', 'k', true, 10);
    expect(freshness.mayServe('s', 'k')).toBe(true);
  });

  it.each([
    ['an event that does not fit', (freshness: Freshness) => freshness.eventArrived('s', 'k', false, 100)],
    ['a write of our own', (freshness: Freshness) => freshness.ownWrite('s', 'k', 100)],
  ])('ends with %s, and no read makes it fresh for two seconds', (_, disturb) => {
    const freshness = freshKey();
    disturb(freshness);
    expect(freshness.mayServe('s', 'k')).toBe(false);
    read(freshness, 2099);
    expect(freshness.mayServe('s', 'k')).toBe(false);
    read(freshness, 2100);
    expect(freshness.mayServe('s', 'k')).toBe(true);
  });

  it('does not come from a read that was crossed by an event, even by one that fits', () => {
    const freshness = new Freshness();
    freshness.scopeConfirmed('s');
    const question = freshness.readIssued('s', 'k', 0) ?? expect.fail('not tracked');
    freshness.eventArrived('s', 'k', true, 1);
    freshness.readAnswered(question, true);
    expect(freshness.mayServe('s', 'k')).toBe(false);
    read(freshness, 1000);
    expect(freshness.mayServe('s', 'k')).toBe(false);
    read(freshness, 2001);
    expect(freshness.mayServe('s', 'k')).toBe(true);
  });

  it('ends for a whole scope that becomes suspect, until it is confirmed and read again', () => {
    const freshness = freshKey();
    freshness.scopeSuspect('s');
    expect(freshness.mayServe('s', 'k')).toBe(false);
    freshness.scopeConfirmed('s');
    expect(freshness.mayServe('s', 'k')).toBe(false);
    read(freshness, 10);
    expect(freshness.mayServe('s', 'k')).toBe(true);
  });

  it('ends with the epoch; an answer of the old one counts for nothing', () => {
    const freshness = freshKey();
    const question = freshness.readIssued('s', 'k', 5) ?? expect.fail('not tracked');
    freshness.lost(10);
    freshness.scopeConfirmed('s');
    freshness.readAnswered(question, true);
    expect(freshness.mayServe('s', 'k')).toBe(false);
    read(freshness, 100);
    expect(freshness.mayServe('s', 'k')).toBe(false);
    read(freshness, 2010);
    expect(freshness.mayServe('s', 'k')).toBe(true);
  });

  it('comes with one confirmation for all scopes too, except for a suspect one', () => {
    const freshness = new Freshness();
    freshness.scopeConfirmed(undefined);
    read(freshness, 0);
    expect(freshness.mayServe('s', 'k')).toBe(true);
    freshness.scopeSuspect('s');
    expect(freshness.mayServe('s', 'k')).toBe(false);
    freshness.scopeEnded('s');
    freshness.scopeEnded(undefined);
    expect(freshness.mayServe('s', 'k')).toBe(false);
  });

  it('forgets keys when there are too many, and then makes nothing fresh that may be unsettled', () => {
    const freshness = new Freshness(2);
    freshness.scopeConfirmed('s');
    freshness.ownWrite('s', 'k', 100);
    read(freshness, 100, 'a');
    read(freshness, 100, 'b'); // pushes out `k`
    read(freshness, 1000);
    expect(freshness.mayServe('s', 'k')).toBe(false);
    read(freshness, 2100);
    expect(freshness.mayServe('s', 'k')).toBe(true);
  });

  it('does not come from a read that was forgotten meanwhile', () => {
    const freshness = new Freshness(2);
    freshness.scopeConfirmed('s');
    const question = freshness.readIssued('s', 'k', 100) ?? expect.fail('not tracked');
    read(freshness, 100, 'a');
    read(freshness, 100, 'b'); // pushes out `k`
    freshness.eventArrived('s', 'k', true, 101); // noticed by nobody
    freshness.readIssued('s', 'k', 2100);
    freshness.readAnswered(question, true);
    expect(freshness.mayServe('s', 'k')).toBe(false);
  });
});
