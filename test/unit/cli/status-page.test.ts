import { expect, it } from 'vitest';
import { statusPage } from '../../../src/cli/status-page.js';
import { statusFor } from '../admin/admin-site.js';
import { MemoryOperator } from '../admin/memory-operator.js';

const now = Date.parse('2026-01-02T05:05:05.678Z');

it('fits on one screen, and says it all', () => {
  const operator = new MemoryOperator();
  operator.accept('a');
  operator.settle(operator.accept('b'), 'committed');
  operator.quarantine('c');
  expect(statusPage(statusFor(operator), { now, isColourful: false })).toBe(`\
site-a  iii-state-gateway 1.2.3, process 42, up 2 h 1 min
degraded
  - 1 in quarantine: writes that wait for an operator

workers     3 connected to ws://127.0.0.1:49134
state       on the remote engine ws://hub:49134
data        /data
link        open for 2 h 1 min, 3 connections so far
remote      ws://hub:49134, adapter kv, exactly-once
breaker     closed, opened 2 times
log         1 write, 2 KiB, the oldest 1.5 s old
            takes writes, up to 1 000 000 and 1 GiB
writes      3 accepted: 1 pending, 1 committed, 1 quarantined
quarantine  1 refused; see \`iii-state-gateway quarantine list\`
conflicts   4 won; see \`iii-state-gateway conflicts list\`
replay      5 in flight, 7 being settled, 6 sent since the start
mirror      1 KiB of 4 KiB, answered 9 of 10 reads (90 %)
`);
});

it('tells what is held, lost and damaged', () => {
  const operator = new MemoryOperator();
  operator.quarantine('a');
  operator.quarantine('b', 1, 'x', 'parked');
  operator.settle(operator.accept('c'), 'conflicted');
  operator.held = { keys: 1, writes: 3 };
  operator.damaged = 2;
  operator.retain = { verified: 8, lost: 3, restored: 2, changed: 0 };
  const page = statusPage(statusFor(operator), { now, isColourful: false });
  for (const line of [
    '  - 1 held: keys or scopes whose later writes wait for such a decision\n',
    '\nquarantine  1 refused, 1 parked; see',
    '\nheld        3 writes to 1 key or scope\n',
    '\nconflicts   4 won, 1 lost; see',
    '\ndamaged     2 records\n',
    '\nretained    8 verified, 3 lost, 2 restored\n',
  ])
    expect(page).toContain(line);
});

it('is short without replication', () => {
  expect(statusPage(statusFor(undefined), { now, isColourful: false })).toBe(`\
site-a  iii-state-gateway 1.2.3, process 42, up 2 h 1 min
all is well

workers     3 connected to ws://127.0.0.1:49134
state       on the remote engine ws://hub:49134
data        /data
`);
});

it('is in colour where it may be, and nowhere else', () => {
  const page = (isColourful: boolean) => statusPage(statusFor(undefined), { now, isColourful });
  expect(page(true)).toContain('\u001b[32mall is well\u001b[0m');
  expect(page(false)).not.toContain('\u001b');
});

it('does not let others steer the terminal', () => {
  const status = statusFor(new MemoryOperator());
  const page = statusPage(
    { ...status, degraded: true, reasons: ['\u001b[2J\rgone\u202e'] },
    { now, isColourful: false },
  );
  expect(page).toContain('  - \\u001b[2J\\u000dgone\\u202e\n');
});
