import { expect, it } from 'vitest';
import { gatewayBlock } from '../../../src/config/schema.js';
import { toCamel } from '../../../src/config/spelling.js';
import type { Json } from '../../../src/protocol/json.js';
import { Payload } from '../../../src/protocol/payload.js';
import { systemClock } from '../../../src/replication/clock.js';
import { buildCore } from '../../../src/replication/core.js';
import type { Entry } from '../../../src/replication/log/layout.js';
import { Freshness } from '../../../src/replication/mirror/freshness.js';
import { ScopeRules } from '../../../src/replication/scope-rules.js';
import type { Write, WriteInput } from '../../../src/replication/write.js';
import { Database } from '../../../src/storage/database.js';
import { stopsAfterEach } from '../../support/running.js';
import { silentLogger } from '../../support/silent-logger.js';
import { tempDir } from '../../support/temp-dir.js';

const stopLater = stopsAfterEach();
const SET = { functionId: 'state::set', scope: 's', key: 'k' } as const;
const writeOf = (input: WriteInput): Write => ({
  input,
  payload: Payload.of({ ...input } as object as Json),
});

/** The real core on a real disk, and a remote that takes every write as soon as it is there. */
async function offlineCore() {
  const folder = await tempDir();
  stopLater({ stop: folder.remove });
  const database = new Database(folder.path, silentLogger());
  await database.open();
  stopLater({ stop: () => database.close() });
  const options = toCamel(gatewayBlock.parse({}));
  const remote = { available: false };
  const stopping = new AbortController();
  const core = await buildCore(
    {
      config: options,
      rules: new ScopeRules(options.scopes),
      gatewayId: 'g',
      database,
      space: { free: Number.POSITIVE_INFINITY },
      caller: {
        get available() {
          return remote.available;
        },
        call: async () => ({ type: 'invocationresult', invocation_id: 'i', function_id: 'state::set' }),
      },
      remote: {
        workerId: 'w',
        openedAt: 0,
        fenceable: true,
        answersEndCalls: true,
        hasLeft: async () => true,
        opened: async () => undefined,
        earlierWorkerId: undefined,
        nullIsAbsent: false,
        knowsReceipts: false,
        comparesAndSets: false,
      },
      callsUnderWay: () => 0,
      stamp: (metadata) => metadata ?? Payload.of({}),
      callFunction: () => Promise.reject(new Error('nobody asks it')),
      runId: 'r',
      freshness: new Freshness(),
      follow: () => undefined,
      clock: systemClock,
      logger: silentLogger(),
    },
    stopping.signal,
  );
  stopLater({
    stop: async () => {
      stopping.abort();
      await core.mirror.stop();
      await core.log.close();
    },
  });
  return { core, remote };
}

it('a write that has been sent and settled since the log was read is not given up', async () => {
  const { core, remote } = await offlineCore();
  const { log, lanes, acceptance, endings, replay } = core;
  await acceptance.accept(lanes.open('s', 'k'), writeOf({ ...SET, value: 1 })).answer;
  const [read] = (await log.entriesAfter(0, 10)) as [Entry];
  const settled = new Promise<void>((resolve) => endings.whenSettled(read.seq, resolve));
  remote.available = true;
  replay.wake();
  await settled;
  expect(replay.endUnsent(read, (lane, entry) => endings.expire(lane, entry))).toBeUndefined();
  expect(log.book).toMatchObject({ accepted: 1, entries: 0, bytes: 0, ended: { committed: 1, expired: 0 } });
});

it('one that builds on something else since the log was read leaves as it is now', async () => {
  const { core } = await offlineCore();
  const { log, lanes, acceptance, endings, replay } = core;
  const increment: WriteInput = {
    functionId: 'state::update',
    scope: 's',
    key: 'k',
    ops: [{ type: 'increment', path: 'n', by: 1 }],
  };
  for (const input of [{ ...SET, value: { long: 'x'.repeat(100) } }, increment]) {
    await acceptance.accept(lanes.open('s', 'k'), writeOf(input)).answer;
  }
  const read = await log.entriesAfter(0, 10);
  for (const entry of read) await replay.endUnsent(entry, (lane, now) => endings.expire(lane, now));
  expect(log.book).toMatchObject({ accepted: 2, entries: 0, bytes: 0, ended: { expired: 2 } });
});
