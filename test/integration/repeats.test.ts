import { describe, expect, it } from 'vitest';
import { startGateway } from '../support/gateway.js';
import { startRelay } from '../support/gateway-relay.js';
import {
  codeOf,
  expectExactAccounts,
  numbers,
  Outpost,
  type OutpostOptions,
  PATIENCE_MS,
  pendingIn,
  resultOf,
  SCOPE,
  valuesIn,
} from '../support/outpost.js';
import { RawWorker } from '../support/raw-worker.js';
import { stopsAfterEach } from '../support/running.js';
import { tempDir } from '../support/temp-dir.js';

const stopLater = stopsAfterEach();
const outpost = async (options: OutpostOptions = {}) => stopLater(await Outpost.start(options));

/** Increments a counter under a name. */
function count(site: Outpost, idempotency_key: string, by = 1) {
  const ops = [{ type: 'increment', path: 'n', by }];
  return site.worker.call('state::update', { scope: SCOPE, key: 'k', ops, idempotency_key });
}

describe('a call with an idempotency_key', () => {
  it('is done once, and answered as it was first', async () => {
    const site = await outpost();
    const first = resultOf(await count(site, 'a'));
    expect(first).toEqual({ old_value: null, new_value: { n: 1 } });
    expect(resultOf(await count(site, 'a'))).toEqual(first);
    await site.restart();
    expect(resultOf(await count(site, 'a'))).toEqual(first);
    expect(resultOf(await count(site, 'b'))).toMatchObject({ new_value: { n: 2 } });
    expect(site.remote.value(SCOPE, 'k')).toEqual({ n: 2 });
    expectExactAccounts(await site.status());
  });

  it('may have it in its metadata', async () => {
    const site = await outpost();
    const call = () =>
      site.worker.call(
        'state::update',
        { scope: SCOPE, key: 'k', ops: [{ type: 'increment', path: 'n', by: 1 }] },
        { metadata: { idempotency_key: 'a', mine: true } },
      );
    for (const _ of numbers(3)) resultOf(await call());
    expect(site.remote.value(SCOPE, 'k')).toEqual({ n: 1 });
  });

  it('offline and after a restart too, until it is settled and after that', async () => {
    const site = await outpost();
    await site.set('k', { n: 5 });
    await site.goOffline();
    const first = pendingIn(await count(site, 'a'));
    expect(pendingIn(await count(site, 'a'))).toEqual(first);
    await site.restart();
    expect(pendingIn(await count(site, 'a'))).toEqual(first);
    await site.goOnline();
    await site.settled();
    expect(resultOf(await count(site, 'a'))).toEqual({ old_value: { n: 5 }, new_value: { n: 6 } });
    expect(site.remote.value(SCOPE, 'k')).toEqual({ n: 6 });
  });

  it('made twice at the same time is done once', async () => {
    const site = await outpost();
    const answers = await Promise.all(numbers(5).map(() => count(site, 'a')));
    for (const answer of answers) expect(resultOf(answer)).toMatchObject({ new_value: { n: 1 } });
    expect(site.remote.journalOf(SCOPE, 'k')).toHaveLength(1);
  });

  it('is not lost with its answer: what the remote did is done once', async () => {
    const site = await outpost();
    await site.set('k', { n: 0 });
    const silent = site.remote.silent({ functionId: 'state::update' }, 1);
    const first = await count(site, 'a');
    await silent.met();
    expect(pendingIn(first)).toMatchObject({ new_value: { n: 1 } });
    site.remote.cut();
    await site.settled();
    const receipts = await site.status();
    // An engine that cannot say what became of an increment leaves it to an operator; the repeat says so.
    expect(receipts.quarantine.unknown).toBe(1);
    expect(codeOf(await count(site, 'a'))).toBe('GATEWAY_OUTCOME_UNKNOWN');
    expect(site.remote.journalOf(SCOPE, 'k')).toHaveLength(2);
  });

  it('with another input is refused, and changes nothing', async () => {
    const site = await outpost();
    resultOf(await count(site, 'a'));
    expect(codeOf(await count(site, 'a', 2))).toBe('GATEWAY_KEY_REUSED');
    expect(site.remote.value(SCOPE, 'k')).toEqual({ n: 1 });
  });

  it('that the remote refuses is refused again, without asking it, and is nowhere in the accounts', async () => {
    const site = await outpost();
    const refused = site.remote.refuse('FORBIDDEN', { functionId: 'state::update' });
    expect(codeOf(await count(site, 'a'))).toBe('FORBIDDEN');
    refused.end();
    expect(codeOf(await count(site, 'a'))).toBe('FORBIDDEN');
    expect(site.remote.journalOf(SCOPE, 'k')).toEqual([]);
    const status = await site.status();
    expect(status.writes).toMatchObject({ accepted: 0, quarantined: 0 });
    expectExactAccounts(status);
  });

  it('that was refused for now may be made again', async () => {
    const site = await outpost();
    await site.goOffline();
    expect(codeOf(await count(site, 'a'))).toBe('GATEWAY_OFFLINE_UNKNOWN');
    await site.goOnline();
    expect(resultOf(await count(site, 'a'))).toMatchObject({ new_value: { n: 1 } });
  });

  it.each(['', 'x'.repeat(257), 5, null])('must be a text of 1 to 256 characters, not %j', async (key) => {
    const site = await outpost();
    expect(codeOf(await count(site, key as string))).toBe('deserialization_error');
  });

  it('deletes once, and says again what was there', async () => {
    const site = await outpost();
    await site.set('k', 'value');
    const remove = () => site.worker.call('state::delete', { scope: SCOPE, key: 'k', idempotency_key: 'd' });
    expect(resultOf(await remove())).toBe('value');
    await site.set('k', 'newer');
    expect(resultOf(await remove())).toBe('value');
    expect(site.remote.value(SCOPE, 'k')).toBe('newer');
  });
});

describe('two gateways in a chain', () => {
  /** A gateway before a gateway before an unreliable remote. */
  async function chain() {
    const hub = await outpost();
    const relay = stopLater(await startRelay(Number(new URL(hub.gateway.url).port)));
    const folder = await tempDir();
    stopLater({ stop: folder.remove });
    const options = {
      remote: relay.url,
      dataDir: `${folder.path}/edge`,
      gateway: {
        patience_ms: 3 * PATIENCE_MS,
        settle_delay_ms: 50,
        limits: { min_free_bytes: 0 },
        remote: { reconnect_ms: [20, 100] },
      },
    };
    const edge = stopLater(await startGateway(options));
    const worker = stopLater(await RawWorker.connect(edge.url));
    return { hub, relay, worker };
  }

  it('never double an increment whose answer was lost between them', async () => {
    const { hub, relay, worker } = await chain();
    await hub.set('k', { n: 0 });
    const ops = [{ type: 'increment', path: 'n', by: 1 }];
    const add = () => worker.call('state::update', { scope: SCOPE, key: 'k', ops });
    resultOf(await worker.call('state::get', { scope: SCOPE, key: 'k' }));
    for (const _ of numbers(3)) resultOf(await add());
    // The remote is slow, the link between the gateways is lost meanwhile, and the edge asks again.
    const late = hub.remote.late({ functionId: 'state::update' }, 1);
    const answer = add();
    await late.met();
    relay.loseWorkers();
    late.release();
    pendingIn(await answer);
    await hub.settled();
    const barrier = await worker.call('gateway::barrier', { timeout_ms: 10_000 });
    expect(resultOf(barrier)).toMatchObject({ settled: true, quarantined: 0 });
    const values = valuesIn(hub.remote.journalOf(SCOPE, 'k'));
    expect(values.at(-1)).toEqual({ n: 4 });
    expect(hub.remote.value(SCOPE, 'k')).toEqual({ n: 4 });
  });

  it('drain a backlog through each other, each write once', async () => {
    const { hub, worker } = await chain();
    await hub.set('k', { n: 0 });
    resultOf(await worker.call('state::get', { scope: SCOPE, key: 'k' }));
    await hub.goOffline();
    const ops = [{ type: 'increment', path: 'n', by: 1 }];
    for (const _ of numbers(20)) {
      resultOf(await worker.call('state::update', { scope: SCOPE, key: 'k', ops }));
    }
    await hub.goOnline();
    await worker.call('gateway::barrier', { timeout_ms: 10_000 });
    await hub.settled();
    expect(hub.remote.value(SCOPE, 'k')).toEqual({ n: 20 });
  });
});
