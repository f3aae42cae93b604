import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GatewayError } from '../../../../src/errors.js';
import { member, parseJson } from '../../../../src/protocol/json.js';
import { Payload } from '../../../../src/protocol/payload.js';
import { Retention } from '../../../../src/replication/retain/retention.js';
import type { RetainRule } from '../../../../src/replication/retain/verification.js';
import { ABSENT, knownValue } from '../../../../src/replication/view.js';
import { Database } from '../../../../src/storage/database.js';
import { GroupCommit } from '../../../../src/storage/group-commit.js';
import { type SilentLogger, silentLogger } from '../../../support/silent-logger.js';
import { type TempDir, tempDir } from '../../../support/temp-dir.js';

const RETAIN_MS = 60_000;

let folder: TempDir;
let database: Database;
let commits: GroupCommit;
let logger: SilentLogger;
let retention: Retention;
let now: number;
let epoch: string | undefined;
/** What the remote holds, or how it fails at a read. */
let values: Map<string, unknown>;
let reads: string[];
let waits: number[];
let rule: RetainRule;
const stopping = new AbortController();

beforeEach(async () => {
  folder = await tempDir();
  logger = silentLogger();
  database = new Database(folder.path, logger);
  await database.open();
  commits = new GroupCommit(database, { sync: 'every-write' });
  now = 1_000_000;
  epoch = undefined;
  values = new Map();
  reads = [];
  waits = [];
  rule = { retain: 'report', retainMs: RETAIN_MS, singleWriter: false };
  retention = await opened(RETAIN_MS);
});

afterEach(async () => {
  await commits.close();
  await database.close();
  await folder.remove();
});

async function opened(longestMs: number | undefined): Promise<Retention> {
  const made = new Retention(
    {
      database,
      commits,
      caller: {
        available: true,
        call: async ({ data, function_id }) => {
          const key = String(member(data.value as { key: string }, 'key'));
          reads.push(key);
          const value = values.get(key);
          if (value instanceof Error) throw value;
          const answer = { type: 'invocationresult', invocation_id: 'i', function_id } as const;
          if (value === 'failing') return { ...answer, error: { code: 'GET_ERROR', message: '' } };
          return value === undefined
            ? answer
            : { ...answer, result: Payload.fromText(JSON.stringify(value)) };
        },
      },
      patienceMs: 100,
      ratePerS: 10,
      longestMs,
      ruleOf: () => rule,
      isBusy: () => false,
      nullIsAbsent: () => false,
      callOf: (functionId, { payload }) => ({ function_id: functionId, data: payload, metadata: undefined }),
      epoch: () => epoch,
      opened: async () => undefined,
      write: async () => ({}),
      learn: () => undefined,
      clock: {
        now: () => now,
        wait: async (ms, signal) => {
          waits.push(ms);
          await new Promise(setImmediate);
          signal.throwIfAborted();
        },
        schedule: () => () => undefined,
      },
      logger,
    },
    stopping.signal,
  );
  await made.load();
  return made;
}

function connect(id: string): void {
  epoch = id;
  retention.connected(id);
}

function disconnect(): void {
  epoch = undefined;
  retention.disconnected();
}

function confirmed(key: string, value: number): void {
  values.set(key, value);
  retention.confirmed({ scope: 's', key }, { before: ABSENT, after: knownValue(parseJson(`${value}`)) });
}

const judged = (count: number) => expect.poll(() => retention.status.verified, { interval: 1 }).toBe(count);
const told = (lines: number) => expect.poll(() => logger.lines.length, { interval: 1 }).toBe(lines);
const records = async () => (await database.level.keys({ gte: 'retain/', lt: 'retain0' }).all()).length;

describe('confirmed writes grow old', () => {
  it('while the remote is there only: what was young when it left is verified, however late it comes back', async () => {
    connect('first');
    confirmed('old', 1);
    now += RETAIN_MS + 1;
    confirmed('young', 2);
    disconnect();
    now += 100 * RETAIN_MS;
    await retention.look();
    values.clear();
    connect('second');
    await told(1);
    expect(reads).toEqual(['young']);
    expect(retention.status).toEqual({ verified: 1, lost: 1, restored: 0, changed: 0 });
  });

  it('and are gone once they are old and verified', async () => {
    connect('first');
    confirmed('k', 1);
    disconnect();
    now += 100 * RETAIN_MS;
    connect('second');
    await retention.look(); // too early
    await judged(1);
    await told(1);
    await retention.look();
    expect(await records()).toBe(0);
  });

  it('and are gone when no scope wants them any more', async () => {
    connect('first');
    confirmed('k', 1);
    await commits.flush();
    retention = await opened(undefined);
    expect(retention.isOn).toBe(false);
    now += RETAIN_MS;
    await retention.look();
    expect(await records()).toBe(0);
  });

  it('and all are verified by a gateway that does not know how long the remote was away', async () => {
    connect('first');
    confirmed('k', 1);
    await commits.flush();
    retention = await opened(RETAIN_MS);
    now += 100 * RETAIN_MS;
    connect('second');
    await judged(1);
  });
});

describe('the keys are read', () => {
  it('no faster than the rate wants', async () => {
    connect('first');
    for (let n = 0; n < 40; n += 1) confirmed(`k${n}`, n);
    disconnect();
    connect('second');
    await judged(40);
    expect(waits.reduce((sum, ms) => sum + ms, 0)).toBe(4000);
  });

  it('until the remote answers; one that only fails is left alone', async () => {
    connect('first');
    confirmed('silent', 1);
    confirmed('failing', 2);
    disconnect();
    values.set('silent', new GatewayError('GATEWAY_TIMEOUT', ''));
    values.set('failing', 'failing');
    connect('second');
    const readsOf = (key: string) => reads.filter((read) => read === key).length;
    await expect.poll(() => readsOf('silent'), { interval: 1 }).toBeGreaterThan(10);
    expect(readsOf('failing')).toBe(3);
    values.set('silent', 1);
    await judged(1);
    await told(1);
  });

  it('no more once the connection has ended; the next one begins anew', async () => {
    connect('first');
    confirmed('k', 1);
    disconnect();
    values.set('k', new GatewayError('GATEWAY_OFFLINE', ''));
    connect('second');
    await expect.poll(() => reads.length, { interval: 1 }).toBeGreaterThan(1);
    now += 100 * RETAIN_MS; // nothing was verified since it was young
    disconnect();
    values.set('k', 1);
    connect('third');
    await judged(1);
    await told(1);
    reads = [];
    confirmed('new', 2);
    connect('fourth');
    await judged(2);
    expect(reads).toEqual(['new']); // the other one has grown old on the third
  });
});
