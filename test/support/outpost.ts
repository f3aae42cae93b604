import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { BarrierResult, Receipt, ReplicationStatus } from '../../src/replication/operator.js';
import type { Frame } from './frame-log.js';
import { type RunningGateway, startGateway } from './gateway.js';
import { RawWorker } from './raw-worker.js';
import { type TempDir, tempDir } from './temp-dir.js';
import { UnreliableRemote, type UnreliableRemoteOptions } from './unreliable-remote.js';

export const SCOPE = 's';
/** How long a call waits for the remote, unless a test says otherwise. */
export const PATIENCE_MS = 200;
/** For what should take milliseconds, on a machine that is busy. */
export const AT_ONCE_MS = 150;
/** For what comes by itself, after fences, breakers and timers. */
export const BY_ITSELF_MS = 15_000;

export interface OutpostOptions {
  remote?: UnreliableRemoteOptions;
  /** The gateway starts without its remote. */
  away?: boolean;
  /** More of the block `iii-state-gateway`; what is in `remote`, `limits` and `breaker` is added to ours. */
  gateway?: GatewayBlock;
}

interface GatewayBlock {
  remote?: object;
  limits?: object;
  breaker?: object;
  [option: string]: unknown;
}

/** What an operator sees, and what a test compares. */
export type Status = ReplicationStatus & { gateway: unknown; state: unknown };

/** An accepted write's answer. */
export interface PendingResult {
  old_value: unknown;
  new_value: unknown;
  pending: true;
  receipt: string;
  base?: 'unknown';
}

/** A gateway before an unreliable remote, with a worker on it that writes; the gateway may go and come back. */
export class Outpost {
  private running: { gateway: RunningGateway; worker: RawWorker } | undefined;

  private constructor(
    readonly remote: UnreliableRemote,
    private readonly folder: TempDir,
    private readonly block: GatewayBlock,
  ) {}

  static async start({ remote: about, away = false, gateway = {} }: OutpostOptions = {}): Promise<Outpost> {
    const remote = await UnreliableRemote[away ? 'startAway' : 'start'](about);
    const outpost = new Outpost(remote, await tempDir(), gateway);
    await outpost.open();
    if (!away) await remote.received(({ function_id }) => function_id === 'engine::workers::register');
    return outpost;
  }

  get gateway(): RunningGateway {
    if (!this.running) throw new Error('the gateway does not run');
    return this.running.gateway;
  }

  get worker(): RawWorker {
    if (!this.running) throw new Error('the gateway does not run');
    return this.running.worker;
  }

  get dataDir(): string {
    return join(this.folder.path, 'data');
  }

  /** Starts the gateway on what it left behind, with more options if the test has some. */
  async open(more: GatewayBlock = {}): Promise<void> {
    const { remote, limits, breaker, ...block } = { ...this.block, ...more };
    const gateway = await startGateway({
      remote: this.remote.url,
      dataDir: this.dataDir,
      gateway: {
        patience_ms: PATIENCE_MS,
        settle_delay_ms: 50,
        remote: { reconnect_ms: [20, 100], call_timeout_ms: 400, ...remote },
        limits: { min_free_bytes: 0, ...limits },
        breaker: { reset_ms: 200, ...breaker },
        ...block,
      },
    });
    try {
      this.running = { gateway, worker: await RawWorker.connect(gateway.url) };
    } catch (error) {
      await gateway.stop();
      throw error;
    }
  }

  async close(): Promise<void> {
    const running = this.running;
    this.running = undefined;
    await running?.worker.stop();
    await running?.gateway.stop();
  }

  async restart(more: GatewayBlock = {}): Promise<void> {
    await this.close();
    await this.open(more);
  }

  async stop(): Promise<void> {
    await this.close();
    await this.remote.stop();
    await this.folder.remove();
  }

  // Calls of the worker

  set(key: string, value: unknown, more: object = {}): Promise<Frame> {
    return this.worker.call('state::set', { scope: SCOPE, key, value, ...more });
  }

  get(key: string, more: object = {}): Promise<Frame> {
    return this.worker.call('state::get', { scope: SCOPE, key, ...more });
  }

  delete(key: string): Promise<Frame> {
    return this.worker.call('state::delete', { scope: SCOPE, key });
  }

  update(key: string, ...ops: object[]): Promise<Frame> {
    return this.worker.call('state::update', { scope: SCOPE, key, ops });
  }

  increment(key: string, by = 1): Promise<Frame> {
    return this.update(key, { type: 'increment', path: 'n', by });
  }

  /** Writes a value that the gateway accepts on its own; gives the answer. */
  async setPending(key: string, value: unknown): Promise<PendingResult> {
    return pendingIn(await this.set(key, value));
  }

  // The link

  /** The remote dies, and the gateway knows. */
  async goOffline(): Promise<void> {
    await this.remote.die();
    await this.linkBecomes((state) => state !== 'open');
  }

  /** The remote is back, and the gateway is connected. */
  async goOnline(memory: 'kept' | 'lost' = 'kept'): Promise<void> {
    await this.remote.revive(memory);
    await this.linkBecomes((state) => state === 'open');
  }

  // What the gateway tells

  async status(): Promise<Status> {
    return resultOf<Status>(await this.worker.call('gateway::status', {}));
  }

  receipt(receipt: string, wait_ms = 0): Promise<Frame> {
    return this.worker.call('gateway::receipt', { receipt, wait_ms });
  }

  /** Where a write ended. */
  async ending(receipt: string): Promise<Receipt> {
    return resultOf<Receipt>(await this.receipt(receipt, BY_ITSELF_MS));
  }

  /** Waits for everything accepted so far. */
  async settled(): Promise<BarrierResult> {
    return resultOf<BarrierResult>(await this.worker.call('gateway::barrier', { timeout_ms: BY_ITSELF_MS }));
  }

  /** Asks the admin server; `token: false` comes without the key to it. */
  async admin(
    method: string,
    path: string,
    { token = true }: { token?: boolean } = {},
  ): Promise<{ status: number; body: unknown }> {
    const [address, key] = await Promise.all(
      ['admin-address', 'admin-token'].map((name) => readFile(join(this.dataDir, name), 'utf8')),
    );
    const base = (address ?? '').trim().replace(/^(?!https?:)/, 'http://');
    const headers: Record<string, string> = token ? { authorization: `Bearer ${key?.trim()}` } : {};
    const response = await fetch(new URL(path, base), { method, headers });
    const text = await response.text();
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
  }

  private async linkBecomes(fits: (state: string) => boolean): Promise<void> {
    await expect
      .poll(async () => fits((await this.status()).link.state), { timeout: BY_ITSELF_MS, interval: 5 })
      .toBe(true);
  }
}

/** The result of an answer that must not be an error. */
export function resultOf<T>(answer: Frame): T {
  expect(answer['error'], 'an answer without error').toBeUndefined();
  return answer['result'] as T;
}

/** The code of an answer that must be an error. */
export function codeOf(answer: Frame): string {
  expect(answer, 'an answer with an error').toHaveProperty('error');
  return (answer['error'] as { code: string }).code;
}

/** The result of a write that the gateway accepted on its own. */
export function pendingIn(answer: Frame): PendingResult {
  const result = resultOf<PendingResult>(answer);
  expect(result).toMatchObject({ pending: true, receipt: expect.stringMatching(/^[0-9a-f-]{36}-\d+$/) });
  return result;
}

/** Each accepted write is in exactly one state (gateway-api section 5). */
export function expectExactAccounts({ writes }: Status): void {
  const { accepted, ...states } = writes;
  expect(
    Object.values(states).reduce((sum, count) => sum + count, 0),
    JSON.stringify(writes),
  ).toBe(accepted);
}

/** What a lane's writes left behind, in the order of their execution. */
export function valuesIn(journal: readonly { after: unknown }[]): unknown[] {
  return journal.map(({ after }) => after);
}

/** `[0, 1, … count - 1]` */
export const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n);
