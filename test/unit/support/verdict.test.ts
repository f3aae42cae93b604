import { describe, expect, it } from 'vitest';
import type { QuarantineReason, Receipt } from '../../../src/replication/operator.js';
import type { JournalEntry } from '../../support/remote-state.js';
import { callOf, type Told, type ToldWrite, type WriteKind } from '../../support/told-writes.js';
import { violationsIn } from '../../support/verdict.js';

const [SCOPE, KEY] = ['s', 'k'];
const ANSWERED: Told = { kind: 'answered' };
const NOTHING: Told = { kind: 'nothing' };
const accepted = (seq: number): Told => ({ kind: 'accepted', receipt: `g-${seq}` });
const NO_ACCOUNTS = {
  accepted: 0,
  pending: 0,
  sent: 0,
  committed: 0,
  conflicted: 0,
  quarantined: 0,
  expired: 0,
  superseded: 0,
  dropped: 0,
};

function write(id: number, told: Told, more: Partial<ToldWrite> = {}): ToldWrite {
  return { id, worker: 0, scope: SCOPE, key: KEY, kind: 'set', told, repeated: false, ...more };
}

function execution(id: number, more: Partial<JournalEntry> = {}): JournalEntry {
  const function_id = 'state::set';
  const [before, after] = [undefined, { id }];
  const entry = {
    function_id,
    scope: SCOPE,
    key: KEY,
    before,
    after,
    at: 0,
    connection: 'c',
    lost: false,
  } as const;
  return { ...entry, label: String(id), ...more };
}

const committed = (...seqs: number[]) =>
  new Map(seqs.map((seq) => [`g-${seq}`, { status: 'committed' } as Receipt]));

/** What is found when these writes left these executions. */
function found(
  writes: ToldWrite[],
  executed: (number | JournalEntry)[],
  endings: ReadonlyMap<string, Receipt> = new Map(),
  more: { orderedScopes?: Set<string>; retried?: Map<string, QuarantineReason>; superseded?: number } = {},
): string {
  const journal = executed.map((one) => (typeof one === 'number' ? execution(one) : one));
  const { superseded = 0, ...rest } = more;
  const accounts = { ...NO_ACCOUNTS, superseded };
  return violationsIn({ writes, journal, endings, accounts, ...rest }).join('\n');
}

describe('the verdict on a run', () => {
  it('finds nothing where all is as it was told', () => {
    const writes = [write(1, ANSWERED), write(2, accepted(7)), write(3, NOTHING), write(4, NOTHING)];
    expect(found(writes, [1, 2, 3], committed(7))).toBe('');
  });

  it.each([ANSWERED, accepted(7)])('finds what is lost: %j', (told) => {
    expect(found([write(1, told)], [], committed(7))).toContain('is lost');
  });

  it.each<WriteKind>(['set', 'increment', 'append'])('finds a %s that was executed twice', (kind) => {
    expect(found([write(1, ANSWERED, { kind })], [1, 1])).toContain('executed 2 times');
    expect(found([write(1, NOTHING, { kind })], [1, 1])).toContain('executed 2 times');
  });

  it('finds a refused write that was executed, but not one of which nobody knew', () => {
    expect(found([write(1, { kind: 'error', code: 'GATEWAY_BACKLOG_FULL' })], [1])).toContain(
      'executed 1 times',
    );
    expect(found([write(1, { kind: 'error', code: 'GATEWAY_OUTCOME_UNKNOWN' })], [1])).toBe('');
  });

  it('finds what was executed and is in quarantine because it was refused, or to make room', () => {
    const quarantined = (reason: 'refused' | 'overflow' | 'unknown') =>
      new Map([['g-7', { status: 'quarantined', reason } as Receipt]]);
    expect(found([write(1, accepted(7))], [1], quarantined('refused'))).toContain('executed 1 times');
    expect(found([write(1, accepted(7))], [1], quarantined('overflow'))).toContain('executed 1 times');
    expect(found([write(1, accepted(7))], [1], quarantined('unknown'))).toBe('');
  });

  it('finds writes out of order: of one worker, by sequence, in a scope of one order, on one connection', () => {
    const writes = [write(1, ANSWERED), write(2, ANSWERED)];
    expect(found(writes, [2, 1])).toContain('was executed after');
    const ofTwo = [write(1, accepted(1)), write(2, accepted(2), { worker: 1 })];
    expect(found(ofTwo, [2, 1], committed(1, 2))).toContain('by sequence');
    const twoKeys = [write(1, ANSWERED), write(2, ANSWERED, { key: 'l' })];
    const executed = [execution(2, { key: 'l' }), execution(1)];
    expect(found(twoKeys, executed)).toBe('');
    expect(found(twoKeys, executed, new Map(), { orderedScopes: new Set([SCOPE]) })).toContain(
      'was executed after',
    );
    expect(found([write(1, NOTHING), write(2, NOTHING)], [2, 1])).toContain('connection c');
  });

  it('lets a frame of a dead process come late, and a set go over it again; an increment may not', () => {
    const ghost = write(1, NOTHING);
    const late = execution(1, { connection: 'dead' });
    expect(found([ghost, write(2, ANSWERED)], [2, late])).toBe('');
    expect(found([ghost, write(2, accepted(7))], [2, late, 2], committed(7))).toBe('');
    expect(
      found([ghost, write(2, accepted(7), { kind: 'increment' })], [2, late, 2], committed(7)),
    ).toContain('executed 2 times');
  });

  it('lets a set go over what somebody else wrote, at that key only', () => {
    const theirs = (key: string) => execution(0, { key, connection: 'elsewhere', label: 'theirs' });
    const ours = [write(1, accepted(7))];
    expect(found(ours, [1, theirs(KEY), 1], committed(7))).toBe('');
    expect(found(ours, [1, theirs('l'), 1], committed(7))).toContain('executed 2 times');
    expect(found(ours, [theirs(KEY), 1, 1], committed(7))).toContain('executed 2 times');
  });

  it('lets one that an operator sent again come out of turn, and once more only if it may have been executed before', () => {
    const writes = [write(1, accepted(1)), write(2, accepted(2))];
    const retried = (reason: QuarantineReason) => ({ retried: new Map([['g-1', reason]]) });
    expect(found(writes, [2, 1], committed(2), retried('refused'))).toBe('');
    expect(found(writes, [2, 1], committed(2))).toContain('was executed after');
    expect(found(writes, [1, 2, 1], committed(2), retried('refused'))).toContain('executed 2 times');
    expect(found(writes, [1, 2, 1], committed(2), retried('unknown'))).toBe('');
  });

  it('takes a delete that was not executed only where the key was absent, or it may have come to another end', () => {
    const remove = write(2, ANSWERED, { kind: 'delete' });
    expect(found([write(1, ANSWERED), remove], [1])).toContain('is lost');
    expect(found([remove], [])).toBe('');
    expect(found([write(1, ANSWERED), remove], [1, execution(3, { after: undefined })])).toContain(
      'nobody sent it',
    );
    expect(found([write(1, ANSWERED), remove], [1], new Map(), { superseded: 1 })).toBe('');
  });

  it('finds a receipt that was given twice', () => {
    expect(found([write(1, accepted(7)), write(2, accepted(7))], [1, 2], committed(7))).toContain(
      'one receipt',
    );
  });

  it('knows each write again by what it leaves behind', () => {
    expect(callOf(write(5, ANSWERED, { kind: 'append' })).data).toMatchObject({
      ops: [{ type: 'append', value: 5 }],
    });
  });
});
