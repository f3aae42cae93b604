import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { BarrierResult, Receipt } from '../../src/replication/operator.js';
import type { Frame } from '../support/frame-log.js';
import { type RunningGateway, startGateway } from '../support/gateway.js';
import { BY_ITSELF_MS, expectExactAccounts, numbers, resultOf, type Status } from '../support/outpost.js';
import { RawWorker } from '../support/raw-worker.js';
import { RemoteTroubles } from '../support/remote-troubles.js';
import { stopsAfterEach } from '../support/running.js';
import { SeededRandom } from '../support/seeded-random.js';
import { tempDir } from '../support/temp-dir.js';
import { callOf, type ToldWrite, toldBy, type WriteKind } from '../support/told-writes.js';
import { UnreliableRemote } from '../support/unreliable-remote.js';
import { violationsIn } from '../support/verdict.js';

/** `SOAK_SEEDS=1,2,3 SOAK_STEPS=500` makes it longer. Where the process is killed: `npm run test:crash`. */
const { SOAK_SEEDS = '8,28', SOAK_STEPS = '60' } = process.env;
const STEPS = Number(SOAK_STEPS);
const SETTLE_MS = 200;
const WORKERS = 3;
const SCOPES = ['s', 'behind'];
const KEYS = ['k0', 'k1', 'k2', 'k3'];
const KINDS: readonly WriteKind[] = ['set', 'set', 'replace', 'increment', 'increment', 'append', 'delete'];

const stopLater = stopsAfterEach();

/** A gateway in this process before an unreliable remote, and workers that come back with it. */
class Site {
  private gateway: RunningGateway | undefined;
  private workers: RawWorker[] = [];

  constructor(
    readonly remote: UnreliableRemote,
    private readonly dataDir: string,
  ) {}

  async open(): Promise<void> {
    const gateway = await startGateway({
      remote: this.remote.url,
      dataDir: this.dataDir,
      gateway: {
        patience_ms: 200,
        settle_delay_ms: SETTLE_MS,
        scopes: [{ match: 'behind', write: 'behind' }],
        drain: { window: 8 },
        remote: { reconnect_ms: [20, 100], call_timeout_ms: 400 },
        limits: { min_free_bytes: 0 },
        breaker: { reset_ms: 200 },
      },
    });
    this.gateway = gateway;
    this.workers = await Promise.all(numbers(WORKERS).map(() => RawWorker.connect(gateway.url)));
  }

  async close(): Promise<void> {
    const { gateway } = this;
    this.gateway = undefined;
    await gateway?.stop();
    await Promise.all(this.workers.map((worker) => worker.stop()));
  }

  async stop(): Promise<void> {
    await this.close();
    await this.remote.stop();
  }

  call(worker: number, functionId: string, data: object, metadata: object = {}): Promise<Frame | 'none'> {
    const caller = this.workers[worker] as RawWorker;
    const answer = caller.call(functionId, data, { metadata });
    return Promise.race([answer, caller.closed.then(() => 'none' as const)]);
  }

  async ask<T>(functionId: string, data: object = {}): Promise<T> {
    return resultOf<T>((await this.call(0, functionId, data)) as Frame);
  }
}

/** Bursts of writes by a seed, while calls, links, engine and gateway fail. */
async function soak(site: Site, seed: number): Promise<ToldWrite[]> {
  const random = new SeededRandom(seed);
  const troubles = new RemoteTroubles(site.remote, random, SETTLE_MS);
  const restart = async () => {
    await site.close();
    await site.open();
  };
  const breaks = [restart, ...troubles.all.map(({ begin }) => begin)];
  const told: Promise<ToldWrite>[] = [];
  const write = async (id: number): Promise<ToldWrite> => {
    const worker = random.below(WORKERS);
    const sent = { id, worker, scope: random.pick(SCOPES), key: random.pick(KEYS), kind: random.pick(KINDS) };
    const { functionId, data } = callOf(sent);
    const answer = await site.call(worker, functionId, data, { label: String(id) });
    return { ...sent, told: toldBy(answer), repeated: false };
  };
  for (const step of numbers(STEPS)) {
    for (const _ of numbers(random.below(8))) told.push(write(told.length));
    if (random.chance(0.7)) await site.call(0, 'gateway::status', {}); // so that they were read before more goes wrong
    if (step % 2 === 0) await random.pick(breaks)();
    else if (random.chance(0.7)) await troubles.healed();
    await delay(random.below(100));
  }
  await troubles.healed();
  return Promise.all(told);
}

/** What the gateway says became of what it accepted. */
async function endingsOf(site: Site, writes: readonly ToldWrite[]): Promise<Map<string, Receipt>> {
  const endings = new Map<string, Receipt>();
  for (const { told } of writes) {
    if (told.kind !== 'accepted') continue;
    endings.set(told.receipt, await site.ask<Receipt>('gateway::receipt', { receipt: told.receipt }));
  }
  return endings;
}

describe.each(SOAK_SEEDS.split(',').map(Number))('a soak, seed %i', (seed) => {
  it(
    'loses nothing, doubles nothing, keeps the order, and drains',
    async () => {
      const folder = await tempDir();
      const remote = await UnreliableRemote.start();
      const site = stopLater(new Site(remote, `${folder.path}/data`));
      await site.open();
      const writes = await soak(site, seed);
      const barrier = await site.ask<BarrierResult>('gateway::barrier', { timeout_ms: BY_ITSELF_MS });
      expect(barrier.settled).toBe(true);
      const status = await site.ask<Status>('gateway::status');
      expectExactAccounts(status);
      expect(status.writes).toMatchObject({ pending: 0, sent: 0 });
      const endings = await endingsOf(site, writes);
      const { journal } = remote;
      expect(violationsIn({ writes, journal, endings, accounts: status.writes }), `seed ${seed}`).toEqual([]);
      for (const scope of SCOPES) {
        for (const key of KEYS) {
          const seen = (await site.call(0, 'state::get', { scope, key })) as Frame;
          expect(seen['result'], `${scope}/${key}, seed ${seed}`).toEqual(remote.value(scope, key));
        }
      }
      await site.stop();
      await folder.remove();
    },
    STEPS * 400 + 30_000,
  );
});
