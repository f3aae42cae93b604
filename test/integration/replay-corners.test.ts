import { setTimeout as delay } from 'node:timers/promises';
import { Level } from 'level';
import { describe, expect, it } from 'vitest';
import {
  codeOf,
  expectExactAccounts,
  numbers,
  Outpost,
  pendingIn,
  resultOf,
  SCOPE,
  valuesIn,
} from '../support/outpost.js';
import { stopsAfterEach } from '../support/running.js';

const stopLater = stopsAfterEach();

async function site(rule: object, gateway: object = {}): Promise<Outpost> {
  const scopes = [{ match: SCOPE, ...rule }];
  return stopLater(await Outpost.start({ gateway: { admin: { port: 0 }, scopes, ...gateway } }));
}
const seqOf = (receipt: string) => Number(receipt.split('-').at(-1));
const isSet = { functionId: 'state::set' };

describe('order: scope with conflict: remote-wins', () => {
  it('does not give up writes to other keys', async () => {
    const s = await site({ order: 'scope', conflict: 'remote-wins' });
    await s.set('a', 0);
    await s.set('b', 0);
    await s.goOffline();
    await s.setPending('a', 'ours');
    const b = await s.setPending('b', 'ours');
    s.remote.writesElsewhere(SCOPE, 'a', 'theirs');
    await s.goOnline();
    expect(await s.ending(b.receipt)).toMatchObject({ status: 'committed' });
    expect(s.remote.value(SCOPE, 'b')).toBe('ours');
  });
});

describe('many writes to one key, offline', () => {
  it('make room for each other under drop-oldest', async () => {
    const s = await site({ overflow: 'drop-oldest' }, { limits: { log_entries: 10 } });
    await s.goOffline();
    for (const n of numbers(25)) {
      pendingIn(await s.set('k', n));
      await delay(10);
    }
    await expect.poll(async () => (await s.status()).log.entries, { timeout: 3000 }).toBeLessThan(10);
    expectExactAccounts(await s.status());
  });

  it('all expire', async () => {
    const s = await site({ expire_ms: 200 });
    await s.goOffline();
    for (const n of numbers(5)) await s.setPending('k', n);
    await expect.poll(async () => (await s.status()).writes.expired, { timeout: 8000 }).toBe(5);
  });

  it('are not called sent when they never were', async () => {
    const s = await site({ expire_ms: 1000 });
    await s.goOffline();
    await s.setPending('k', 0);
    await delay(900);
    const second = await s.setPending('k', 1);
    await expect.poll(async () => (await s.status()).writes.expired, { timeout: 8000 }).toBe(1);
    expect(resultOf(await s.receipt(second.receipt))).toMatchObject({ status: 'pending' });
  });
});

describe('the bytes of the log', () => {
  it('are none once it is empty', async () => {
    const s = await site({});
    await s.set('k', { n: 0 });
    await s.goOffline();
    await s.setPending('k', { n: 1, large: 'x'.repeat(10_000) });
    for (const _ of numbers(10)) pendingIn(await s.increment('k'));
    s.remote.refuse('VALUE_TOO_LARGE', { ...isSet, key: 'k' }, 1);
    await s.goOnline();
    await s.settled();
    const { log } = await s.status();
    expect(log.entries).toBe(0);
    expect(log.bytes).toBe(0);
  });
});

describe('a write behind a fence, after a restart', () => {
  it('is still compared with the remote first', async () => {
    const s = await site({ conflict: 'remote-wins' }, { settle_delay_ms: 400 });
    await s.set('k', { n: 1 });
    const dropped = s.remote.drop({ functionId: 'state::update', key: 'k' }, 1);
    const unclear = s.increment('k');
    await dropped.met();
    s.remote.cut();
    expect(codeOf(await unclear)).toBe('GATEWAY_OUTCOME_UNKNOWN');
    const { receipt } = await s.setPending('k', 'ours');
    await s.close();
    s.remote.writesElsewhere(SCOPE, 'k', 'theirs');
    await s.open();
    expect(await s.ending(receipt)).toMatchObject({ status: 'conflicted' });
    expect(s.remote.value(SCOPE, 'k')).toBe('theirs');
  });

  it('still expires', async () => {
    const s = await site({ expire_ms: 300 }, { settle_delay_ms: 400 });
    await s.set('k', { n: 1 });
    const dropped = s.remote.drop({ functionId: 'state::update', key: 'k' }, 1);
    const unclear = s.increment('k');
    await dropped.met();
    s.remote.cut();
    expect(codeOf(await unclear)).toBe('GATEWAY_OUTCOME_UNKNOWN');
    const { receipt } = await s.setPending('k', 'old');
    await s.close();
    await delay(400);
    await s.open();
    expect(await s.ending(receipt)).toMatchObject({ status: 'expired' });
  });
});

describe('conflict: function', () => {
  it('parks what was accepted on top of a parked write', async () => {
    const s = await site({ conflict: 'function', conflict_function_id: 'nowhere::decide' });
    await s.set('k', 1);
    await s.goOffline();
    await s.setPending('k', 'first');
    const second = await s.setPending('k', 'second');
    s.remote.writesElsewhere(SCOPE, 'k', 'theirs');
    await s.goOnline();
    await s.settled();
    expect(await s.ending(second.receipt)).toMatchObject({ status: 'quarantined', reason: 'parked' });
  });
});

describe('a named call', () => {
  it('of a key that nobody knows, in a scope that writes behind, is taken while the remote is there', async () => {
    const s = await site({ write: 'behind' });
    s.remote.writesElsewhere(SCOPE, 'k', { n: 5 });
    const ops = [{ type: 'increment', path: 'n', by: 1 }];
    const unnamed = await s.worker.call('state::update', { scope: SCOPE, key: 'k2', ops });
    pendingIn(unnamed);
    const named = await s.worker.call('state::update', { scope: SCOPE, key: 'k', ops, idempotency_key: 'a' });
    expect(pendingIn(named)).toMatchObject({ old_value: { n: 5 } });
  });

  it('whose write an operator sends again is not told that it was refused', async () => {
    const s = await site({});
    await s.goOffline();
    const first = pendingIn(await s.set('k', 1, { idempotency_key: 'a' }));
    const refused = s.remote.refuse('VALUE_TOO_LARGE', { ...isSet, key: 'k' }, 1);
    await s.goOnline();
    await s.settled();
    refused.end();
    await s.admin('POST', `/api/quarantine/${seqOf(first.receipt)}/retry`);
    await s.settled();
    expect(s.remote.value(SCOPE, 'k')).toBe(1);
    const again = await s.set('k', 1, { idempotency_key: 'a' });
    expect((again['error'] as { code?: string } | undefined)?.code).not.toBe('VALUE_TOO_LARGE');
  });

  it('waits no longer than patience behind one that is not answered', async () => {
    const s = await site({}, { patience_ms: 600, remote: { call_timeout_ms: 20_000 } });
    s.remote.drop({ ...isSet, key: 'k' }, 1);
    const one = s.set('k', 1);
    await delay(50);
    const asked = performance.now();
    resultOf(await s.set('k', 2, { idempotency_key: 'a' }));
    expect(performance.now() - asked).toBeLessThan(800);
    await one;
  });
});

describe('looks at the remote before a replay', () => {
  it('keep to the window', async () => {
    const s = await site({ conflict: 'remote-wins' }, { drain: { window: 4 }, patience_ms: 1000 });
    await s.goOffline();
    for (const n of numbers(60)) await s.setPending(`k${n}`, n);
    const late = s.remote.late({ functionId: 'state::get', scope: SCOPE });
    await s.goOnline();
    await late.met(1);
    await delay(300);
    expect(late.calls.length).toBeLessThanOrEqual(4);
    late.end();
    late.release();
  });
});

describe('a refused awaited write', () => {
  it('is not in the view of those behind it', async () => {
    const s = await site({ single_writer: true }, { patience_ms: 600 });
    await s.set('k', { n: 0 });
    const late = s.remote.refuse('VALUE_TOO_LARGE', { functionId: 'state::update' }, 1);
    const slow = s.remote.drop({ functionId: 'state::update', where: () => late.calls.length > 0 }, 1);
    const [a, b] = [s.increment('k', 10), s.increment('k', 1)];
    expect(codeOf(await a)).toBe('VALUE_TOO_LARGE');
    await slow.met();
    await s.goOffline();
    pendingIn(await b);
    expect((await s.get('k'))['result']).toEqual({ n: 1 });
  });
});

describe('retain: restore', () => {
  it('does not take back what was executed with an unknown outcome', async () => {
    const s = stopLater(
      await Outpost.start({
        remote: { adapter: 'bridge' },
        gateway: { scopes: [{ match: SCOPE, retain: 'restore', single_writer: true, retain_ms: 60_000 }] },
      }),
    );
    await s.set('k', { n: 1 });
    const silent = s.remote.silent({ functionId: 'state::update' }, 1);
    await s.increment('k');
    await silent.met();
    s.remote.cut();
    await s.settled();
    expect((await s.status()).quarantine.unknown).toBe(1);
    s.remote.cut();
    await delay(2500);
    expect(s.remote.value(SCOPE, 'k')).toEqual({ n: 2 });
  });
});

describe('a retry at the front of a held lane', () => {
  it('is followed by what is behind it, over two restarts', async () => {
    const s = stopLater(
      await Outpost.start({
        gateway: {
          admin: { port: 0 },
          scopes: [{ match: SCOPE, on_refusal: 'hold' }],
          remote: { call_timeout_ms: 20_000 },
        },
      }),
    );
    await s.goOffline();
    const refused = await s.setPending('k', 'refused');
    for (const n of numbers(2)) await s.setPending('k', n);
    s.remote.refuse('VALUE_TOO_LARGE', { ...isSet, key: 'k' }, 1);
    await s.goOnline();
    await s.settled();
    await s.goOffline();
    await s.admin('POST', `/api/quarantine/${seqOf(refused.receipt)}/retry`);
    await s.restart();
    const first = s.remote.late({ ...isSet, key: 'k' }, 1);
    await s.goOnline();
    await first.met();
    const silent = s.remote.drop({ ...isSet, key: 'k' }, 1);
    await s.set('another', 1); // nothing of the log, but
    await delay(300); // patience
    await s.worker.call('state::set', { scope: SCOPE, key: 'x', value: 1, idempotency_key: 'n1' });
    first.release();
    await silent.met();
    await s.worker.call('state::set', { scope: SCOPE, key: 'x', value: 1, idempotency_key: 'n2' });
    await s.restart();
    await s.worker.call('gateway::barrier', { timeout_ms: 3000 });
    await delay(500);
    expect(valuesIn(s.remote.journalOf(SCOPE, 'k'))).toEqual(['refused', 0, 1]);
  });
});

describe('a lane that an operator let go on, offline', () => {
  it('keeps what comes while many other keys are used', async () => {
    const s = stopLater(
      await Outpost.start({
        gateway: { admin: { port: 0 }, scopes: [{ match: 'held', on_refusal: 'hold' }] },
      }),
    );
    const held = (value: unknown) => s.worker.call('state::set', { scope: 'held', key: 'k', value });
    await s.goOffline();
    const refused = pendingIn(await held('refused'));
    await held(1);
    s.remote.refuse('VALUE_TOO_LARGE', { ...isSet, key: 'k' }, 1);
    await s.goOnline();
    await s.settled();
    await s.goOffline();
    await s.admin('POST', `/api/quarantine/${seqOf(refused.receipt)}/retry`);
    for (const n of numbers(5)) await Promise.all(numbers(1000).map((m) => s.set(`k${n}-${m}`, m)));
    pendingIn(await held('last'));
    await s.goOnline();
    await delay(4000);
    expect(valuesIn(s.remote.journalOf('held', 'k'))).toEqual(['refused', 1, 'last']);
  }, 60_000);
});

describe('a parked write that an operator sends again', () => {
  it.each([
    { conflict: 'park', on_refusal: 'hold' },
    { conflict: 'function', conflict_function_id: 'nowhere::decide', on_refusal: 'hold' },
  ])('is followed by what was accepted on top of it: %j', async (rule) => {
    const s = await site(rule);
    await s.set('k', 0);
    await s.goOffline();
    const first = await s.setPending('k', 1);
    await s.setPending('k', 2);
    s.remote.writesElsewhere(SCOPE, 'k', 'theirs');
    await s.goOnline();
    await s.settled();
    await s.admin('POST', `/api/quarantine/${seqOf(first.receipt)}/retry`);
    await s.settled();
    const { writes, quarantine } = await s.status();
    expect({
      values: valuesIn(s.remote.journalOf(SCOPE, 'k')),
      conflicted: writes.conflicted,
      parked: quarantine.parked,
    }).toEqual({ values: [0, 'theirs', 1, 2], conflicted: 0, parked: 0 });
  });
});

describe('where scans begin', () => {
  it('goes on once nothing is held any more', async () => {
    const s = await site({ on_refusal: 'hold' });
    await s.goOffline();
    const first = await s.setPending('k', 1);
    s.remote.refuse('VALUE_TOO_LARGE', { functionId: 'state::set', key: 'k' }, 1);
    await s.goOnline();
    await s.settled();
    await s.admin('POST', `/api/quarantine/${seqOf(first.receipt)}/drop`);
    await s.goOffline();
    for (const n of numbers(20)) await s.setPending(`k${n}`, n);
    await s.goOnline();
    await s.settled();
    await delay(50);
    await s.close();
    const { Database } = await import('../../src/storage/database.js');
    const { silentLogger } = await import('../support/silent-logger.js');
    const { WriteAheadLog } = await import('../../src/replication/log/write-ahead-log.js');
    const database = new Database(`${s.dataDir}/store`, silentLogger());
    await database.open();
    const { acknowledged, next } = new WriteAheadLog(database, silentLogger()).book;
    await database.close();
    expect({ acknowledged, next }).toEqual({ acknowledged: next - 1, next });
  });
});

describe('the view behind a write that met somebody else s value', () => {
  it('is of what it made there', async () => {
    const s = await site({});
    await s.set('k', { n: 1 });
    await s.goOffline();
    for (const _ of numbers(2)) pendingIn(await s.increment('k', 10));
    s.remote.writesElsewhere(SCOPE, 'k', { n: 100 });
    const second = s.remote.drop(
      { functionId: 'state::update', where: () => s.remote.journalOf(SCOPE, 'k').length === 3 },
      1,
    );
    await s.goOnline();
    await second.met();
    await s.goOffline();
    expect(s.remote.value(SCOPE, 'k')).toEqual({ n: 110 });
    expect((await s.get('k'))['result']).toEqual({ n: 120 });
  });
});

describe('a damaged record behind a refused write', () => {
  it('ends no process', async () => {
    const s = await site({});
    await s.goOffline();
    await s.setPending('k', 'first');
    const second = await s.setPending('k', 'second');
    await s.close();
    const level = new Level<string, Buffer>(`${s.dataDir}/store`, { valueEncoding: 'buffer' });
    const seq = Number(second.receipt.split('-').at(-1)).toString(16).padStart(12, '0');
    const record = (await level.get(`log/entry/${seq}`)) as Buffer;
    record[record.length - 1] = (record[record.length - 1] as number) ^ 1;
    await level.put(`log/entry/${seq}`, record);
    await level.close();
    const rejections: unknown[] = [];
    const note = (error: unknown) => rejections.push(error);
    process.on('unhandledRejection', note);
    s.remote.refuse('VALUE_TOO_LARGE', { ...isSet, key: 'k' }, 1);
    await s.open();
    await s.goOnline();
    await delay(1500);
    const status = await s.status();
    process.off('unhandledRejection', note);
    expect(rejections).toEqual([]);
    expect(status.quarantine.refused).toBe(1);
  });
});

describe('a retry at the front of a held lane, before it is sent', () => {
  it('is in the view of those behind it', async () => {
    const s = await site({ on_refusal: 'hold' });
    await s.set('k', { n: 1 });
    await s.goOffline();
    const first = await s.setPending('k', { n: 100 });
    pendingIn(await s.increment('k', 30));
    s.remote.refuse('VALUE_TOO_LARGE', { ...isSet, key: 'k' }, 1);
    await s.goOnline();
    await s.settled();
    expect((await s.get('k'))['result']).toEqual({ n: 31 });
    await s.goOffline();
    await s.admin('POST', `/api/quarantine/${seqOf(first.receipt)}/retry`);
    expect((await s.get('k'))['result']).toEqual({ n: 130 });
  });
});
