/** A process full of workers: idle ones, or ones that listen to state changes. */
import { type Connection, openConnections } from '../connection.js';
import { serveCommands } from '../remote-commands.js';
import { registerFunctionText, registerStateTriggerText, resultText } from '../wire.js';
import { valueOfSize } from '../workload.js';

export interface WorkerFleetCommands {
  /** Connects the workers and registers their functions; resolves when the other side has read all of it. */
  connect(input: FleetOptions): Promise<void>;
  disconnect(input: { readonly side: string }): Promise<void>;
  /** Changes one key again and again, each time waiting until every trigger has been delivered. */
  fanOut(input: FanOut): Promise<FanOutWindow>;
  /** Sends the answers that `fanOut` held back, and waits until they are read. */
  releaseAnswers(input: { readonly side: string }): Promise<void>;
}

export interface FleetOptions {
  readonly side: string;
  readonly url: string;
  readonly workers: number;
  readonly functionsPerWorker: number;
  /** Binds each function to changes of this scope. */
  readonly triggerScope?: string;
}

export interface FanOut {
  readonly side: string;
  readonly windowMs: number;
  readonly valueBytes: number;
  /** Whether the workers answer each delivery at once, as SDKs do, or only when told to. */
  readonly answers: 'at once' | 'held back';
}

export interface FanOutWindow {
  readonly deliveries: number;
  readonly perSecond: number;
}

interface HeldAnswer {
  readonly worker: Connection;
  readonly text: string;
}

interface Fleet {
  readonly options: FleetOptions;
  readonly workers: readonly Connection[];
  heldAnswers: HeldAnswer[];
}

const fleets = new Map<string, Fleet>();

serveCommands<WorkerFleetCommands>({
  connect: async (options) => {
    const { side, url, functionsPerWorker, triggerScope } = options;
    const workers = await openConnections(url, options.workers, (index) => `fleet-${side}-${index}`);
    for (const [index, worker] of workers.entries()) {
      for (let number = 0; number < functionsPerWorker; number++) {
        const name = `fleet::worker-${index}::on-change-${number}`;
        worker.send(registerFunctionText(name));
        if (triggerScope !== undefined) {
          worker.send(registerStateTriggerText(`trigger-${index}-${number}`, name, triggerScope));
        }
      }
    }
    await allHaveRead(workers);
    fleets.set(side, { options, workers, heldAnswers: [] });
  },
  disconnect: async ({ side }) => {
    await Promise.all(fleetOf(side).workers.map((worker) => worker.close()));
    fleets.delete(side);
  },
  fanOut: async ({ side, windowMs, valueBytes, answers }) => {
    const fleet = fleetOf(side);
    const begin = performance.now();
    let deliveries = 0;
    for (let number = 0; performance.now() < begin + windowMs; number++) {
      deliveries += await deliverOneChange(fleet, valueBytes, number, answers);
    }
    const seconds = (performance.now() - begin) / 1_000;
    if (answers === 'at once') await allHaveRead(fleet.workers);
    return { deliveries, perSecond: deliveries / seconds };
  },
  releaseAnswers: async ({ side }) => {
    const fleet = fleetOf(side);
    for (const { worker, text } of fleet.heldAnswers) worker.send(text);
    fleet.heldAnswers = [];
    await allHaveRead(fleet.workers);
  },
});

function deliverOneChange(
  fleet: Fleet,
  valueBytes: number,
  number: number,
  answers: FanOut['answers'],
): Promise<number> {
  const { workers, options } = fleet;
  const expected = workers.length * options.functionsPerWorker;
  let arrived = 0;
  return new Promise((resolve, reject) => {
    const giveUp = setTimeout(() => reject(new Error(`${arrived} of ${expected} deliveries came`)), 10_000);
    for (const worker of workers) {
      worker.onInvocation = ({ invocation_id: id, function_id: functionId }) => {
        if (id) {
          const text = resultText(id, functionId);
          if (answers === 'at once') worker.send(text);
          else fleet.heldAnswers.push({ worker, text });
        }
        if (++arrived < expected) return;
        clearTimeout(giveUp);
        resolve(expected);
      };
    }
    workers[0]
      ?.ask('state::set', {
        scope: options.triggerScope ?? '',
        key: 'watched',
        value: valueOfSize(valueBytes, number),
      })
      .catch(reject);
  });
}

async function allHaveRead(workers: readonly Connection[]): Promise<void> {
  await Promise.all(workers.map((worker) => worker.everythingIsRead()));
}

function fleetOf(side: string): Fleet {
  const fleet = fleets.get(side);
  if (!fleet) throw new Error(`${side} has no fleet`);
  return fleet;
}
