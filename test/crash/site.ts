import { EventEmitter, once } from 'node:events';
import type { Frame } from '../support/frame-log.js';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { RawWorker } from '../support/raw-worker.js';
import type { UnreliableRemote } from '../support/unreliable-remote.js';
import { within } from './within.js';

export const SETTLE_MS = 200;
export const WORKERS = 3;
/** For what a gateway does by itself on a machine that is busy: to start, to stop, to answer, to bring a write home. */
export const BOUND_MS = 15_000;

interface Life {
  process: GatewayProcess;
  workers: RawWorker[];
}

/** A gateway in a process of its own between an unreliable remote and a few workers, started again and again on one data folder. */
export class Site {
  private life: Life | undefined;
  private readonly comings = new EventEmitter<{ open: [] }>().setMaxListeners(0);
  private readonly logs: (() => string)[] = [];

  constructor(
    readonly remote: UnreliableRemote,
    readonly dataDir: string,
    private readonly rules: object[],
    private readonly limits: object = {},
  ) {}

  /** What all processes logged, one after the other. */
  get log(): string {
    return this.logs.map((log) => log()).join('--- next process\n');
  }

  async start(): Promise<void> {
    const process = await within(BOUND_MS, 'a start', this.startProcess());
    this.logs.push(process.log);
    const workers = await Promise.all(Array.from({ length: WORKERS }, () => RawWorker.connect(process.url)));
    this.life = { process, workers };
    this.comings.emit('open');
  }

  /** Starts it and kills it after `ms`; tells whether it was ready before. */
  async startAndKill(ms: number): Promise<boolean> {
    const signal = AbortSignal.timeout(ms);
    try {
      const process = await this.startProcess(signal);
      this.logs.push(process.log);
      await process.signal('SIGKILL');
      await process.stop();
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      throw error;
    }
  }

  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }

  /** Asks it to end, as a service manager does. */
  async terminate(): Promise<void> {
    const code = await within(BOUND_MS, 'an orderly end', this.end('SIGTERM'));
    if (code !== 0) throw new Error(`an orderly end gave the exit code ${code}`);
  }

  /** `none` if the connection ended before an answer came. Waits for a gateway that is not there yet. */
  async call(
    worker: number,
    functionId: string,
    data: object,
    metadata: object = {},
  ): Promise<Frame | 'none'> {
    while (!this.life) await once(this.comings, 'open');
    const caller = this.life.workers[worker] as RawWorker;
    return Promise.race([
      caller.call(functionId, data, { metadata }),
      caller.closed.then(() => 'none' as const),
    ]);
  }

  /** Asks for something that must be told. */
  async ask<T>(functionId: string, data: object = {}): Promise<T> {
    const answer = await this.call(0, functionId, data);
    if (answer === 'none') throw new Error(`the connection ended before ${functionId} was answered`);
    if (answer['error']) throw new Error(`${functionId}: ${JSON.stringify(answer['error'])}`);
    return answer['result'] as T;
  }

  async stop(): Promise<void> {
    await this.kill();
    await this.remote.stop();
  }

  private async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
    const { life } = this;
    this.life = undefined;
    if (!life) return null;
    const code = await life.process.signal(signal);
    await life.process.stop();
    await Promise.all(life.workers.map((worker) => worker.stop()));
    return code;
  }

  private startProcess(signal?: AbortSignal): Promise<GatewayProcess> {
    return startGatewayProcess({
      remote: this.remote.url,
      dataDir: this.dataDir,
      gateway: {
        patience_ms: 200,
        settle_delay_ms: SETTLE_MS,
        scopes: this.rules,
        drain: { window: 8 },
        remote: { reconnect_ms: [20, 100], call_timeout_ms: 400 },
        limits: { min_free_bytes: 0, ...this.limits },
        breaker: { reset_ms: 200 },
      },
      ...(signal && { signal }),
    });
  }
}
