import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { BarrierResult, Receipt } from '../../src/replication/operator.js';
import type { Frame } from '../support/frame-log.js';
import { type RunningGateway, startGateway } from '../support/gateway.js';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { BY_ITSELF_MS, expectExactAccounts, numbers, resultOf, type Status } from '../support/outpost.js';
import { RawWorker } from '../support/raw-worker.js';
import { stopsAfterEach } from '../support/running.js';
import { tempDir } from '../support/temp-dir.js';
import { UnreliableRemote } from '../support/unreliable-remote.js';

/** `SOAK_SEEDS=1,2,3 SOAK_STEPS=500 SOAK_KILL=1` makes it longer, and kills a process of its own (needs a build). */
const { SOAK_SEEDS = '8,28', SOAK_STEPS = '60', SOAK_KILL } = process.env;
const STEPS = Number(SOAK_STEPS);
const SETTLE_MS = 200;
const WORKERS = 3;

const stopLater = stopsAfterEach();

interface Told {
  worker: number;
  scope: string;
  key: string;
  id: number;
  kind: 'set' | 'increment' | 'delete';
  answer: Frame | 'none';
}

/** A gateway before an unreliable remote, and workers that come back with it. */
class Site {
  private gateway: RunningGateway | GatewayProcess | undefined;
  workers: RawWorker[] = [];

  constructor(
    readonly remote: UnreliableRemote,
    private readonly dataDir: string,
  ) {}

  async open(): Promise<void> {
    const options = {
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
    };
    this.gateway = await (SOAK_KILL ? startGatewayProcess(options) : startGateway(options));
    const { url } = this.gateway;
    this.workers = await Promise.all(numbers(WORKERS).map(() => RawWorker.connect(url)));
  }

  async close(): Promise<void> {
    const { gateway } = this;
    this.gateway = undefined;
    if (gateway && 'signal' in gateway) await gateway.signal('SIGKILL');
    await gateway?.stop();
    await Promise.all(this.workers.map((worker) => worker.stop()));
  }

  async stop(): Promise<void> {
    await this.close();
    await this.remote.stop();
  }

  call(worker: number, functionId: string, data: object): Promise<Frame | 'none'> {
    const caller = this.workers[worker] as RawWorker;
    return Promise.race([caller.call(functionId, data), caller.closed.then(() => 'none' as const)]);
  }

  async ask<T>(functionId: string, data: object = {}): Promise<T> {
    return resultOf<T>((await this.call(0, functionId, data)) as Frame);
  }
}

/** Numbers from 0 to 1, the same for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Bursts of writes by a seed, while calls, links, engine and gateway fail. */
async function soak(site: Site, seed: number): Promise<Told[]> {
  const random = randomOf(seed);
  const below = (bound: number) => Math.floor(random() * bound);
  const told: Promise<Told>[] = [];
  let ids = 0;
  const write = () => {
    ids += 1;
    const [worker, scope, key, id] = [below(WORKERS), ['s', 'behind'][below(2)] ?? '', `k${below(4)}`, ids];
    const dice = random();
    const kind = dice < 0.5 ? 'set' : dice < 0.9 ? 'increment' : 'delete';
    const more =
      kind === 'set'
        ? { value: { id } }
        : kind === 'increment'
          ? { ops: [{ type: 'increment', path: 'n', by: id }] }
          : {};
    const functionId = { set: 'state::set', increment: 'state::update', delete: 'state::delete' }[kind];
    const answer = site.call(worker, functionId, { scope, key, ...more });
    told.push(answer.then((answer) => ({ worker, scope, key, id, kind, answer })));
  };
  const { remote } = site;
  const isWrite = { where: ({ functionId }: { functionId: string }) => functionId !== 'state::get' };
  const faults = [
    () => remote.cut(),
    () => remote.silent(isWrite, 1 + below(3)),
    () => remote.drop({}, 1 + below(3)),
    () => {
      const late = remote.late({}, 1 + below(4));
      setTimeout(() => late.release(), below(600));
    },
    () => {
      const late = remote.executeLate(isWrite, 1 + below(3));
      setTimeout(() => {
        late.end();
        remote.cut();
        setTimeout(() => late.release(), SETTLE_MS / 5);
      }, 20);
    },
    () => remote.delay(below(SETTLE_MS / 2), {}, 1 + below(5)),
    () => remote.errorButExecute(isWrite, 1),
    () => remote.refuse('function_not_found', isWrite, 1),
    () => remote.refuse('VALUE_TOO_LARGE', { functionId: 'state::set' }, 1),
    () => remote.blackHole(),
    () => remote.die(),
    async () => {
      await site.close();
      await site.open();
    },
  ];
  const comeBack = async () => {
    remote.heal();
    await remote.revive();
  };
  for (const step of numbers(STEPS)) {
    for (const _ of numbers(below(8))) write();
    if (random() < 0.7) await site.call(0, 'gateway::status', {}); // so that they were read before more goes wrong
    if (step % 2 === 0) await faults[below(faults.length)]?.();
    else if (random() < 0.7) await comeBack();
    await delay(below(100));
  }
  await comeBack();
  await delay(700); // whatever is late is released
  remote.answerNormally();
  return Promise.all(told);
}

/** How often a write was executed. */
function executionsOf(site: Site): Map<number, number> {
  const counts = new Map<number, number>();
  for (const { value, ops } of site.remote.journal) {
    const [op] = ops ?? [];
    const id = op?.type === 'increment' ? Number(op.by) : (value as { id?: number } | undefined)?.id;
    if (id !== undefined) counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return counts;
}

/** The least and the most often that a write may have been executed, by what its caller was told. */
async function bounds(site: Site, { answer }: Told): Promise<[least: number, most: number, why: string]> {
  if (answer === 'none') return [0, 1, 'no answer'];
  const { code } = (answer['error'] ?? {}) as { code?: string };
  if (code !== undefined) {
    const isOpen = code === 'GATEWAY_OUTCOME_UNKNOWN' || code === 'SET_ERROR';
    return [0, isOpen ? 1 : 0, code];
  }
  const { receipt } = (answer['result'] ?? {}) as { receipt?: string };
  if (receipt === undefined) return [1, 1, 'answered'];
  const { status, reason } = await site.ask<Receipt>('gateway::receipt', { receipt });
  if (status === 'committed') return [1, 1, `${receipt} ${status}`];
  return [0, reason === 'refused' ? 0 : 1, `${receipt} ${status} ${reason ?? ''}`];
}

describe.each(SOAK_SEEDS.split(',').map(Number))('a soak, seed %i', (seed) => {
  it(
    'loses nothing, doubles nothing, keeps the order, and drains',
    async () => {
      const folder = await tempDir();
      const remote = await UnreliableRemote.start();
      const site = stopLater(new Site(remote, `${folder.path}/data`));
      await site.open();
      const told = await soak(site, seed);
      const barrier = await site.ask<BarrierResult>('gateway::barrier', { timeout_ms: BY_ITSELF_MS });
      expect(barrier.settled).toBe(true);
      const status = await site.ask<Status>('gateway::status');
      expectExactAccounts(status);
      expect(status.writes).toMatchObject({ pending: 0, sent: 0 });

      const executions = executionsOf(site);
      const wrong: string[] = [];
      for (const write of told) {
        if (write.kind === 'delete') continue;
        const count = executions.get(write.id) ?? 0;
        const [least, most, why] = await bounds(site, write);
        const { kind, scope, key, id } = write;
        if (count < least || count > most)
          wrong.push(`${kind} ${scope}/${key} ${id}: ${count} times, ${why}`);
      }
      expect(wrong, `seed ${seed}`).toEqual([]);

      const workerOf = new Map(told.map(({ id, worker }) => [id, worker]));
      for (const scope of ['s', 'behind']) {
        for (const key of numbers(4).map((n) => `k${n}`)) {
          const executed = remote.journalOf(scope, key).flatMap(({ value, ops }) => {
            const [op] = ops ?? [];
            return op?.type === 'increment'
              ? Number(op.by)
              : ((value as { id?: number } | undefined)?.id ?? []);
          });
          for (const worker of numbers(WORKERS)) {
            const own = executed.filter((id) => workerOf.get(id) === worker);
            expect(own, `${scope}/${key} of worker ${worker}, seed ${seed}`).toEqual(
              [...own].sort((a, b) => a - b),
            );
          }
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
