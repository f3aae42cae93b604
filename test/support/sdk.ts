import { type IIIClient, registerWorker } from 'iii-sdk';
import { type ISdk, registerWorker as registerOlderWorker } from 'iii-sdk-0.9';

/** Back at once after a lost connection: the defaults are for people, who wait longer than tests. */
export const QUICK_RECONNECT = {
  initialDelayMs: 100,
  maxDelayMs: 300,
  backoffMultiplier: 1,
  jitterFactor: 0,
};

const options = (workerName: string) => ({
  workerName,
  otel: { enabled: false },
  enableMetricsReporting: false,
  invocationTimeoutMs: 10_000,
  reconnectionConfig: QUICK_RECONNECT,
});

/** Workers of one test; all of them leave with it. */
export class Workers {
  private readonly all: { shutdown(): Promise<void> }[] = [];

  /** A worker on npm `iii-sdk` 0.22.1. */
  connect(url: string, name: string): IIIClient {
    return this.keep(registerWorker(url, options(name)));
  }

  /** A worker on npm `iii-sdk` 0.9.0, whose functions take an object first. */
  connectOlder(url: string, name: string): ISdk {
    return this.keep(registerOlderWorker(url, options(name)));
  }

  async shutdown(): Promise<void> {
    await Promise.all(this.all.splice(0).map((worker) => worker.shutdown()));
  }

  keep<Worker extends { shutdown(): Promise<void> }>(worker: Worker): Worker {
    this.all.push(worker);
    return worker;
  }
}

/** What the SDKs' clients have in common. */
export interface Caller {
  trigger(request: { function_id: string; payload: unknown }): Promise<unknown>;
}

/**
 * Resolves once the engine has read all that these workers registered, and the engine behind it what it was asked
 * for on their behalf: frames of a connection are read in order. The second question counts: the first may have
 * been queued before the SDK introduced itself, and engines from 0.23 keep registrations back until then.
 */
export async function ready(...workers: Caller[]): Promise<void> {
  const ask = async (worker: Caller) => {
    await worker.trigger({ function_id: 'engine::workers::list', payload: {} });
    await worker.trigger({ function_id: 'state::get', payload: { scope: 'is', key: 'anybody there' } });
  };
  await Promise.all(workers.map(ask));
}
