import { expect, it } from 'vitest';
import { describeStatus, type LinkStatus } from '../../../src/remote/status.js';

const cause = new Error('connect ECONNREFUSED 127.0.0.1:49135');

it.each<[LinkStatus, string]>([
  [{ state: 'connecting', attempt: 1 }, 'connecting to the remote engine'],
  [{ state: 'open', since: 0, epoch: 'e' }, 'connected to the remote engine'],
  [
    { state: 'waiting', attempt: 3, cause },
    'the remote engine cannot be reached (connect ECONNREFUSED 127.0.0.1:49135); trying again',
  ],
  [
    { state: 'refused', cause: new Error('it is this gateway itself') },
    'the remote engine cannot be used: it is this gateway itself',
  ],
  [{ state: 'closed' }, 'closed'],
])('the link that is %j says: %s', (status, sentence) => {
  expect(describeStatus(status)).toBe(sentence);
});
