import { beforeEach, describe, expect, it } from 'vitest';
import { Payload } from '../../../src/protocol/payload.js';
import { type Lane, Lanes } from '../../../src/replication/log/lanes.js';
import { type Entry, type Expected, laneAt } from '../../../src/replication/log/layout.js';
import { Scanner } from '../../../src/replication/log/scanner.js';
import { WriteAheadLog } from '../../../src/replication/log/write-ahead-log.js';
import type { Write } from '../../../src/replication/write.js';
import { Database } from '../../../src/storage/database.js';
import { stopsAfterEach } from '../../support/running.js';
import { silentLogger } from '../../support/silent-logger.js';
import { tempDir } from '../../support/temp-dir.js';

const stopAfter = stopsAfterEach();
let database: Database;
let folder: string;
let log: WriteAheadLog;
let lanes: Lanes;

function setOf(scope: string, key: string, value: number): Write {
  return {
    input: { functionId: 'state::set', scope, key, value },
    payload: Payload.of({ scope, key, value }),
    metadata: Payload.of({ who: 'me' }),
    traceparent: 'trace',
  };
}

function begin(): void {
  log = new WriteAheadLog(database, silentLogger());
  lanes = new Lanes(log, () => false);
}

async function reopen(): Promise<void> {
  await log.close();
  await database.close();
  await database.open();
  begin();
}

async function add(lane: Lane, value: number, sent = false): Promise<Entry> {
  const { entry, durable } = log.append(lane, {
    write: setOf(lane.scope, lane.key as string, value),
    acceptedAt: 1000 + value,
    sent,
  });
  await durable;
  return entry;
}

async function scanned(): Promise<number[]> {
  const scanner = new Scanner(database, log.book.acknowledged, log.damage);
  await scanner.load();
  const seqs: number[] = [];
  for (let entry = scanner.next(); entry; entry = scanner.next()) seqs.push(entry.seq);
  return seqs;
}

beforeEach(async () => {
  const dir = await tempDir();
  stopAfter({ stop: dir.remove });
  folder = dir.path;
  database = new Database(`${folder}/store`, silentLogger());
  await database.open();
  stopAfter({ stop: () => database.close() });
  begin();
});

describe('the write-ahead log', () => {
  it('keeps a write with everything that came with it, across a restart', async () => {
    const { seq } = await add(lanes.open('s', 'k'), 1);
    await reopen();
    const entry = log.entry(seq);
    expect(entry?.write).toMatchObject({
      functionId: 'state::set',
      scope: 's',
      key: 'k',
      traceparent: 'trace',
    });
    expect(entry?.write.metadata?.value).toEqual({ who: 'me' });
    expect(entry?.write.input).toEqual({ functionId: 'state::set', scope: 's', key: 'k', value: 1 });
    expect(entry?.acceptedAt).toBe(1001);
    expect(log.book).toMatchObject({ entries: 1, accepted: 1 });
  });

  it('never gives a sequence number twice, not even when the log has emptied', async () => {
    const lane = lanes.open('s', 'k');
    const first = await add(lane, 1);
    await log.end({ lane, entry: first, together: [] }, 'committed');
    await reopen();
    expect((await add(lanes.open('s', 'k'), 2)).seq).toBe(first.seq + 1);
    expect(log.book).toMatchObject({ entries: 1, accepted: 2, ended: { committed: 1 } });
  });

  it('hands a lane from one entry to the next, in their order', async () => {
    const lane = lanes.open('s', 'k');
    const entries = await Promise.all([add(lane, 1), add(lane, 2), add(lane, 3)]);
    for (const [index, entry] of entries.entries()) {
      expect(lane.record).toMatchObject({ count: 3 - index, head: entry.seq });
      await log.end({ lane, entry, together: [] }, 'committed');
    }
    expect(lane.record).toBeUndefined();
    expect(log.isEmpty).toBe(true);
    expect(log.book.bytes).toBe(0);
    expect(await database.level.keys({ gte: 'log/', lt: 'log/book' }).all()).toEqual([]);
    expect(await database.level.keys({ gt: 'log/book', lt: 'log0' }).all()).toEqual([]);
  });

  it('finds its lanes again after a restart, and only those with something in them', async () => {
    const [a, b] = [lanes.open('s', 'a'), lanes.open('s', 'b')];
    const entry = await add(a, 1);
    await add(a, 2);
    const gone = await add(b, 3);
    await log.end({ lane: a, entry, together: [] }, 'committed');
    await log.end({ lane: b, entry: gone, together: [] }, 'committed');
    await reopen();
    expect(log.laneRecord(laneAt('s', 'a'))).toMatchObject({ count: 1, head: entry.seq + 1 });
    expect(log.laneRecord(laneAt('s', 'b'))).toBeUndefined();
    expect(log.laneRecord(laneAt('s', 'never'))).toBeUndefined();
  });

  it('is read in the order of acceptance, without what is settled', async () => {
    const first = await add(lanes.open('s', 'a'), 1);
    await add(lanes.open('s', 'b'), 2);
    await add(lanes.open('s', 'c'), 3);
    log.followAcknowledged(() => first.seq);
    await log.end({ lane: lanes.open('s', 'a'), entry: first, together: [] }, 'committed');
    await reopen();
    expect(log.book.acknowledged).toBe(first.seq);
    expect(await scanned()).toEqual([first.seq + 1, first.seq + 2]);
  });

  it('knows after a restart which entries may have been sent', async () => {
    const kept = await add(lanes.open('s', 'kept'), 1, true);
    const plain = await add(lanes.open('s', 'plain'), 2);
    await log.noteSending(plain);
    const relative = log.append(lanes.open('s', 'n'), {
      write: setOf('s', 'n', 3),
      acceptedAt: 0,
      sent: false,
      expected: { before: { kind: 'absent' }, after: { kind: 'value', text: '3' } },
    });
    await relative.durable;
    expect(log.mayHaveBeenSent(kept), 'of this run').toBe(false);
    await reopen();
    const [, , unsent] = [kept, plain, relative.entry].map(({ seq }) => log.entry(seq));
    expect(log.mayHaveBeenSent(kept)).toBe(true);
    expect(log.mayHaveBeenSent(plain)).toBe(true);
    expect(unsent && log.mayHaveBeenSent(unsent)).toBe(false);
    const { expected } = relative.entry;
    await log.noteSending(relative.entry, { expected: expected as Expected, marker: 0, withReceipt: false });
    await reopen();
    expect(log.mayHaveBeenSent(relative.entry)).toBe(true);
  });

  it('notes the sending of thousands of entries at once', async () => {
    const entry = await add(lanes.open('s', 'k'), 1);
    expect(log.noteSending(entry)).toBeInstanceOf(Promise);
    await log.noteSending(entry);
    expect(log.noteSending({ ...entry, seq: entry.seq + 1000 })).toBeUndefined();
  });

  it('remembers that nothing may leave a lane before a fence', async () => {
    const lane = lanes.open('s', 'k');
    lane.turn = 'unclear';
    await add(lane, 1);
    await add(lane, 2);
    await reopen();
    expect(log.laneRecord(laneAt('s', 'k'))).toMatchObject({ count: 2, fenceFirst: true });
    await log.clearFence(lanes.open('s', 'k'));
    await reopen();
    expect(log.laneRecord(laneAt('s', 'k'))).toMatchObject({ count: 2, fenceFirst: false });
  });

  it('does not give out a damaged entry, nor pass it by for good', async () => {
    const { seq } = await add(lanes.open('s', 'k'), 1);
    await log.commit([
      { type: 'put', key: `log/entry/${seq.toString(16).padStart(12, '0')}`, value: Buffer.from('rubbish') },
    ]);
    expect(() => log.entry(seq)).toThrow(expect.objectContaining({ code: 'GATEWAY_STORAGE' }));
    const { seq: later } = await add(lanes.open('s', 'other'), 2);
    const scanner = new Scanner(database, log.book.acknowledged, log.damage);
    await scanner.load();
    expect(scanner.next()?.seq).toBe(later);
    expect(scanner.passed).toBe(seq - 1); // so that it is met again at the next start
    expect(log.damage.count).toBe(1);
  });
});
