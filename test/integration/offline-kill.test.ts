import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { UpdateOp } from '../../src/operations/calls.js';
import type { BarrierResult } from '../../src/replication/operator.js';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import {
  BY_ITSELF_MS,
  expectExactAccounts,
  numbers,
  pendingIn,
  resultOf,
  type Status,
  valuesIn,
} from '../support/outpost.js';
import { RawWorker } from '../support/raw-worker.js';
import { stopsAfterEach } from '../support/running.js';
import { tempDir } from '../support/temp-dir.js';
import { UnreliableRemote } from '../support/unreliable-remote.js';

const stopLater = stopsAfterEach();
const SCOPE = 'kill';

/** A gateway in a process of its own, that is killed and started again on the same data. */
class Victim {
  private running: { process: GatewayProcess; worker: RawWorker } | undefined;

  constructor(
    private readonly remote: UnreliableRemote,
    private readonly dataDir: string,
  ) {}

  get worker(): RawWorker {
    if (!this.running) throw new Error('the gateway does not run');
    return this.running.worker;
  }

  async start(): Promise<void> {
    const process = await startGatewayProcess({
      remote: this.remote.url,
      dataDir: this.dataDir,
      gateway: {
        patience_ms: 500,
        settle_delay_ms: 50,
        remote: { reconnect_ms: [20, 100], call_timeout_ms: 400 },
        limits: { min_free_bytes: 0 },
        log: { level: 'warn' },
      },
    });
    this.running = { process, worker: await RawWorker.connect(process.url) };
  }

  async kill(): Promise<void> {
    const running = this.running;
    this.running = undefined;
    await running?.process.signal('SIGKILL');
    await running?.process.stop();
  }

  /** Sends a burst of writes and kills the process after so many were answered; gives those that were. */
  async killAfter(answers: number, writes: Write[]): Promise<Write[]> {
    const answered: Write[] = [];
    await new Promise<void>((resolve) => {
      for (const write of writes) {
        void this.call(write).then((answer) => {
          pendingIn(answer);
          answered.push(write);
          if (answered.length === answers) resolve();
        });
      }
    });
    await this.kill();
    return answered;
  }

  call({ key, value, by }: Write) {
    return value === undefined
      ? this.worker.call('state::update', {
          scope: SCOPE,
          key,
          ops: [{ type: 'increment', path: 'n', by }],
        })
      : this.worker.call('state::set', { scope: SCOPE, key, value });
  }

  get(key: string) {
    return this.worker.call('state::get', { scope: SCOPE, key });
  }

  async settled(): Promise<BarrierResult> {
    return resultOf(await this.worker.call('gateway::barrier', { timeout_ms: BY_ITSELF_MS }));
  }

  async status(): Promise<Status> {
    return resultOf(await this.worker.call('gateway::status', {}));
  }

  stop(): Promise<void> {
    return this.kill();
  }
}

/** A set, or without a value an increment. Values, and steps, are unique, so that each is known again. */
interface Write {
  key: string;
  value?: number;
  by?: number;
}

function stepOf(ops: UpdateOp[] = []): number {
  const [op] = ops;
  return op?.type === 'increment' ? Number(op.by) : Number.NaN;
}

async function victim(remote: UnreliableRemote): Promise<Victim> {
  const folder = await tempDir();
  stopLater({ stop: () => folder.remove() });
  const gateway = stopLater(new Victim(remote, join(folder.path, 'data')));
  await gateway.start();
  return gateway;
}

const sets = (from: number, count: number): Write[] =>
  numbers(count).map((n) => ({ key: `k${(from + n) % 4}`, value: from + n }));

/** What a key's journal must hold: what was acknowledged, in order; what was not may be there too, in its place. */
function expectEachInOrder(remote: UnreliableRemote, acknowledged: Write[]): void {
  for (const key of new Set(acknowledged.map((write) => write.key))) {
    const executed = valuesIn(remote.journalOf(SCOPE, key)) as number[];
    expect(executed, `${key} in order, none twice`).toEqual([...new Set(executed)].sort((a, b) => a - b));
    const wanted = acknowledged.filter((write) => write.key === key).map(({ value }) => value);
    expect(executed, `${key}: every acknowledged write`).toEqual(expect.arrayContaining(wanted));
    expect(remote.value(SCOPE, key)).toBe(executed.at(-1));
  }
}

describe('kill -9 of a gateway', () => {
  it('loses no accepted set: offline, twice, and in the middle of a drain', { timeout: 60_000 }, async () => {
    const remote = stopLater(await UnreliableRemote.startAway());
    const gateway = await victim(remote);
    const acknowledged = await gateway.killAfter(60, sets(0, 100));

    await gateway.start();
    for (const key of ['k0', 'k1', 'k2', 'k3']) {
      const newest = Math.max(
        ...acknowledged.filter((write) => write.key === key).map(({ value = 0 }) => value),
      );
      expect(resultOf<number>(await gateway.get(key))).toBeGreaterThanOrEqual(newest);
    }
    acknowledged.push(...(await gateway.killAfter(60, sets(1000, 100))));

    await gateway.start();
    await remote.revive();
    await remote.executed(30);
    await gateway.kill(); // while draining

    await gateway.start();
    expect(await gateway.settled()).toEqual({ settled: true, quarantined: 0, held: 0 });
    expectEachInOrder(remote, acknowledged);
    const status = await gateway.status();
    expectExactAccounts(status);
    expect(status.writes.accepted).toBeGreaterThanOrEqual(acknowledged.length);
    expect(status.writes.committed + status.writes.superseded).toBe(status.writes.accepted);
    expect(status.log.entries).toBe(0);
  });

  it('applies no increment twice: each is executed or in quarantine', { timeout: 60_000 }, async () => {
    const remote = stopLater(await UnreliableRemote.start());
    const gateway = await victim(remote);
    const keys = numbers(8).map((n) => `n${n}`);
    for (const key of keys) {
      await gateway.worker.call('state::set', { scope: SCOPE, key, value: { n: 0 } });
    }
    await remote.die();
    await expect.poll(async () => (await gateway.status()).link.state).not.toBe('open');
    const increments = numbers(80).map((n) => ({ key: `n${n % 8}`, by: n + 1 }));
    for (const increment of increments) pendingIn(await gateway.call(increment));
    await gateway.kill();

    await gateway.start();
    const silent = remote.silent({ functionId: 'state::update' }, 3);
    await remote.revive();
    await silent.met(3);
    await gateway.kill();

    await gateway.start();
    const { quarantined } = await gateway.settled();
    const { writes, quarantine } = await gateway.status();
    expect(writes).toMatchObject({ accepted: 80, committed: 80 - quarantined, quarantined });
    expect(quarantine.unknown).toBe(quarantined);
    expect(quarantined).toBeGreaterThanOrEqual(3);
    const executed = remote.journal.filter(({ function_id }) => function_id === 'state::update');
    const steps = executed.map(({ ops }) => stepOf(ops));
    expect(steps, 'none twice').toHaveLength(new Set(steps).size);
    // Every committed one was executed, and of those in quarantine nobody can tell.
    expect(executed.length).toBeGreaterThanOrEqual(writes.committed);
    expect(executed.length).toBeLessThanOrEqual(80);
    const total = keys.reduce((sum, key) => sum + (remote.value(SCOPE, key) as { n: number }).n, 0);
    expect(total).toBe(steps.reduce((sum, step) => sum + step, 0));
  });

  it('in the moment between sending and hearing: a set is read back', { timeout: 60_000 }, async () => {
    const remote = stopLater(await UnreliableRemote.startAway());
    const gateway = await victim(remote);
    pendingIn(await gateway.call({ key: 'k', value: 1 }));
    pendingIn(await gateway.call({ key: 'k', value: 2 }));
    const silent = remote.silent({ functionId: 'state::set' }, 1);
    await remote.revive();
    await silent.met();
    await gateway.kill();
    await gateway.start();
    expect(await gateway.settled()).toMatchObject({ quarantined: 0 });
    expect(valuesIn(remote.journalOf(SCOPE, 'k'))).toEqual([1, 2]);
  });
});
