import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { startGateway } from '../support/gateway.js';
import { codeOf, numbers, Outpost, pendingIn, resultOf, SCOPE, valuesIn } from '../support/outpost.js';
import { RawWorker } from '../support/raw-worker.js';
import { stopsAfterEach } from '../support/running.js';
import { tempDir } from '../support/temp-dir.js';

const stopLater = stopsAfterEach();
const seqOf = (receipt: string) => Number(receipt.split('-').at(-1));
const isSet = { functionId: 'state::set' };
async function site(rule: object, gateway: object = {}): Promise<Outpost> {
  const scopes = [{ match: SCOPE, ...rule }];
  return stopLater(await Outpost.start({ gateway: { admin: { port: 0 }, scopes, ...gateway } }));
}

describe('coalesce in a held lane', () => {
  it('does not let the lane go', async () => {
    const s = await site({});
    await s.set('k', { n: 0 });
    await s.goOffline();
    const first = await s.setPending('k', { n: 'first' });
    s.remote.refuse('VALUE_TOO_LARGE', { ...isSet, key: 'k' }, 1);
    await s.goOnline();
    await s.settled();
    await s.restart({ scopes: [{ match: SCOPE, on_refusal: 'hold', coalesce: true }] });
    await s.goOffline();
    pendingIn(await s.increment('k'));
    await s.setPending('k', { n: 'third' });
    s.remote.refuse('VALUE_TOO_LARGE', { functionId: 'state::update', key: 'k' }, 1);
    await s.goOnline();
    await s.settled();
    expect((await s.status()).held).toEqual({ keys: 1, writes: 1 });
    await s.admin('POST', `/api/quarantine/${seqOf(first.receipt)}/retry`);
    await delay(300);
    expect(valuesIn(s.remote.journalOf(SCOPE, 'k'))).toEqual([{ n: 0 }]);
    expect(codeOf(await s.set('k', 'x'))).toBe('GATEWAY_KEY_HELD');
  });
});

describe('a named write behind one that loses', () => {
  it('does not go over their value unseen', async () => {
    const s = await site({ conflict: 'remote-wins' }, { patience_ms: 1500 });
    await s.set('k', 1);
    await s.goOffline();
    await s.setPending('k', 'ours');
    s.remote.writesElsewhere(SCOPE, 'k', 'theirs');
    const look = s.remote.late({ functionId: 'state::get', key: 'k' }, 1);
    await s.goOnline();
    await look.met();
    const named = s.set('k', 'on top of ours', { idempotency_key: 'a' });
    await delay(100);
    look.release();
    await named;
    await s.settled();
    const { conflicts_won, writes } = await s.status();
    expect({ value: s.remote.value(SCOPE, 'k'), conflicts_won, conflicted: writes.conflicted }).not.toEqual({
      value: 'on top of ours',
      conflicts_won: 0,
      conflicted: 1,
    });
  });
});

describe('a named write that a gateway behind us refused', () => {
  it('can be sent again by an operator', async () => {
    const hub = stopLater(await Outpost.start());
    const folder = await tempDir();
    stopLater({ stop: folder.remove });
    const edge = stopLater(
      await startGateway({
        remote: hub.gateway.url,
        dataDir: `${folder.path}/edge`,
        gateway: {
          admin: { port: 0 },
          patience_ms: 600,
          limits: { min_free_bytes: 0 },
          scopes: [{ match: SCOPE, write: 'behind' }],
        },
      }),
    );
    const worker = stopLater(await RawWorker.connect(edge.url));
    const refused = hub.remote.refuse('VALUE_TOO_LARGE', { ...isSet, key: 'k' });
    const first = resultOf<{ receipt: string }>(
      await worker.call('state::set', { scope: SCOPE, key: 'k', value: 1, idempotency_key: 'a' }),
    );
    await worker.call('gateway::barrier', { timeout_ms: 5000 });
    expect(resultOf(await worker.call('gateway::receipt', { receipt: first.receipt }))).toMatchObject({
      status: 'quarantined',
    });
    refused.end();
    const { readFile } = await import('node:fs/promises');
    const [address, token] = await Promise.all(
      ['admin-address', 'admin-token'].map((n) => readFile(`${folder.path}/edge/${n}`, 'utf8')),
    );
    const base = (address ?? '').trim().replace(/^(?!https?:)/, 'http://');
    const response = await fetch(new URL(`/api/quarantine/${seqOf(first.receipt)}/retry`, base), {
      method: 'POST',
      headers: { authorization: `Bearer ${token?.trim()}` },
    });
    expect(response.status).toBe(200);
    await worker.call('gateway::barrier', { timeout_ms: 5000 });
    expect(hub.remote.value(SCOPE, 'k')).toBe(1);
  });
});

describe('a named call that was settled by reading', () => {
  it('is answered the same when ten thousand other writes have been settled since', async () => {
    const s = await site({}, { scopes: [{ match: 'other', write: 'behind' }] });
    const silent = s.remote.silent({ ...isSet, key: 'k' }, 1);
    pendingIn(await s.set('k', 1, { idempotency_key: 'a' }));
    await silent.met();
    s.remote.cut();
    await s.settled();
    resultOf(await s.set('k', 1, { idempotency_key: 'a' }));
    for (const n of numbers(25))
      await Promise.all(
        numbers(1000).map((m) => s.worker.call('state::set', { scope: 'other', key: `${n}-${m}`, value: m })),
      );
    await s.settled();
    resultOf(await s.set('k', 1, { idempotency_key: 'a' }));
  }, 60_000);
});

describe('an update whose outcome the gateway behind us does not know', () => {
  it('ends at some time', async () => {
    const hub = stopLater(await Outpost.start({ gateway: { admin: { port: 0 } } }));
    const folder = await tempDir();
    stopLater({ stop: folder.remove });
    const edge = stopLater(
      await startGateway({
        remote: hub.gateway.url,
        dataDir: `${folder.path}/edge`,
        gateway: {
          patience_ms: 600,
          settle_delay_ms: 50,
          limits: { min_free_bytes: 0 },
          scopes: [{ match: SCOPE, write: 'behind', blind_writes: true }],
        },
      }),
    );
    const worker = stopLater(await RawWorker.connect(edge.url));
    hub.remote.writesElsewhere(SCOPE, 'k', { n: 5 });
    const noRead = hub.remote.drop({ functionId: 'state::get' }, 1);
    const dropped = hub.remote.drop({ functionId: 'state::update' }, 1);
    const ops = [{ type: 'increment', path: 'n', by: 1 }];
    resultOf(await worker.call('state::update', { scope: SCOPE, key: 'k', ops }));
    void noRead;
    await dropped.met();
    await delay(300);
    hub.remote.cut();
    await hub.settled();
    const passed = await worker.call('gateway::barrier', { timeout_ms: 6000 });
    expect(passed).not.toHaveProperty('error');
  }, 30_000);
});
