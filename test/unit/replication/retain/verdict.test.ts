import { describe, expect, it } from 'vitest';
import { type RetainedEvidence, verdictOf } from '../../../../src/replication/retain/verdict.js';
import { ABSENT, type Known, knownValue } from '../../../../src/replication/view.js';

const judge = (found: Known, after: Known, more: Partial<RetainedEvidence> = {}) =>
  verdictOf({ found, after, wasHeld: false, soleWriter: false, nullIsAbsent: false, ...more });
const NULL = knownValue(null);
const [OURS, THEIRS] = [knownValue({ a: 1, b: [2] }), knownValue('theirs')];

describe('a confirmed write whose key is read back', () => {
  it('is kept where the key holds its value, in whatever order of members', () => {
    expect(judge(knownValue({ b: [2.0], a: 1 }), OURS)).toBe('kept');
  });

  it('is kept where the value was held before it, too', () => {
    expect(judge(OURS, OURS, { wasHeld: true })).toBe('kept');
  });

  it('is lost where the key is back at an earlier value', () => {
    expect(judge(THEIRS, OURS, { wasHeld: true })).toBe('lost');
    expect(judge(ABSENT, OURS, { wasHeld: true })).toBe('lost');
  });

  it('is changed where the key holds what it never held', () => {
    expect(judge(THEIRS, OURS)).toBe('changed');
  });

  it('is only gone where the key holds nothing, which it did not before', () => {
    expect(judge(ABSENT, OURS)).toBe('gone');
  });

  it('a delete is kept, lost and overwritten', () => {
    expect(judge(ABSENT, ABSENT)).toBe('kept');
    expect(judge(OURS, ABSENT, { wasHeld: true })).toBe('lost');
    expect(judge(OURS, ABSENT)).toBe('changed');
  });

  it('is lost whatever is found where nobody else writes', () => {
    expect(judge(THEIRS, OURS, { soleWriter: true })).toBe('lost');
    expect(judge(ABSENT, OURS, { soleWriter: true })).toBe('lost');
    expect(judge(OURS, OURS, { soleWriter: true })).toBe('kept');
  });

  it('a stored null is no value only where the remote shows it so', () => {
    expect(judge(ABSENT, NULL, { nullIsAbsent: true })).toBe('kept');
    expect(judge(ABSENT, NULL)).toBe('gone');
  });
});
