import { describe, expect, it } from 'vitest';
import { type Evidence, isExpected, sameKnown, settle } from '../../../src/replication/replay/settlement.js';
import { ABSENT, type Known, UNKNOWN } from '../../../src/replication/view.js';

const value = (text: string): Known => ({ kind: 'value', text });

const evidence: Evidence = {
  found: value('"other"'),
  after: value('"mine"'),
  before: value('"before"'),
  fenced: true,
  newer: 'none',
  conflict: 'local-wins',
  followsLoser: false,
  nullIsAbsent: false,
};

describe('settling a write whose outcome is not known', () => {
  it.each<[string, Partial<Evidence>, string]>([
    ['it is there', { found: value('"mine"') }, 'committed'],
    [
      'it is there, with members in another order',
      { found: value('{"b":1.0,"a":2}'), after: value('{"a":2,"b":1}') },
      'committed',
    ],
    [
      'it is there, without a fence',
      { found: value('"mine"'), fenced: false, newer: 'absolute' },
      'committed',
    ],
    ['what was before is there', { found: value('"before"') }, 'send-again'],
    ['what was before is there, without a fence', { found: value('"before"'), fenced: false }, 'send-again'],
    ['something else is there', {}, 'overwrite'],
    ['something else is there, without a fence', { fenced: false }, 'yield'],
    [
      'newer writes of ours wait, without a fence',
      { found: value('"before"'), fenced: false, newer: 'absolute' },
      'superseded',
    ],
    [
      'newer writes of ours build on it, without a fence',
      { found: value('"before"'), fenced: false, newer: 'relative' },
      'unknown',
    ],
    [
      'newer writes of ours wait, behind a fence',
      { found: value('"before"'), newer: 'absolute' },
      'send-again',
    ],
    ['nobody knows what was before', { before: UNKNOWN }, 'send-again'],
    [
      'nobody knows what was before, without a fence, and nothing is there',
      { before: UNKNOWN, fenced: false, found: ABSENT },
      'send-again',
    ],
    [
      'nobody knows what was before, without a fence, and something is there',
      { before: UNKNOWN, fenced: false },
      'yield',
    ],
    ['a delete was done', { found: ABSENT, after: ABSENT }, 'committed'],
    ['a delete was not done', { found: value('"before"'), after: ABSENT }, 'send-again'],
    [
      'a null was set where null looks absent',
      { found: ABSENT, after: value('null'), nullIsAbsent: true },
      'committed',
    ],
    [
      'a null was not set where the two differ',
      { found: ABSENT, after: value('null'), before: ABSENT },
      'send-again',
    ],
  ])('%s', (_, part, kind) => {
    expect(settle({ ...evidence, ...part })).toEqual({ kind });
  });

  it('takes values for the same by structure, numbers by their exact value', () => {
    expect(sameKnown(value('9007199254740993'), value('9007199254740992'), false)).toBe(false);
    expect(sameKnown(value('-0'), value('0.0'), false)).toBe(true);
    expect(sameKnown(value('null'), ABSENT, false)).toBe(false);
    expect(sameKnown(value('null'), ABSENT, true)).toBe(true);
  });

  it('expects an old value of null where there is none, and anything where nothing is known', () => {
    expect(isExpected(ABSENT, null)).toBe(true);
    expect(isExpected(value('1'), null)).toBe(false);
    expect(isExpected(value('{"a":1}'), { a: 1 })).toBe(true);
    expect(isExpected(UNKNOWN, 'whatever')).toBe(true);
  });
});
