/** The client process: holds the connections to every side, and runs one window at a time on one of them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Connection, openConnections } from '../connection.js';
import { serveCommands } from '../remote-commands.js';
import { quantile } from '../spread.js';
import { inputsOf, valueOfSize, type Workload } from '../workload.js';

export interface LoadClientCommands {
  connect(input: {
    readonly side: string;
    readonly url: string;
    readonly connections: number;
  }): Promise<void>;
  disconnect(input: { readonly side: string }): Promise<void>;
  /** Writes every key of the workload through this side and reads each back; waits for a link that is coming up. */
  fill(input: { readonly side: string; readonly workload: Workload }): Promise<void>;
  /** A closed loop: `inFlight` calls spread over the connections, each answer followed by the next call. */
  measure(input: Measurement): Promise<LoadWindow>;
}

export interface Measurement {
  readonly side: string;
  readonly workload: Workload;
  readonly inFlight: number;
  readonly windowMs: number;
}

export interface LoadWindow {
  readonly completed: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Calls answered with an error, and the first such error. */
  readonly refused: number;
  readonly firstRefusal?: string;
}

const sides = new Map<string, Connection[]>();

serveCommands<LoadClientCommands>({
  connect: async ({ side, url, connections }) => {
    sides.set(side, await openConnections(url, connections, (index) => `bench-${side}-${index}`));
  },
  disconnect: async ({ side }) => {
    await Promise.all(connectionsOf(side).map((connection) => connection.close()));
    sides.delete(side);
  },
  fill: async ({ side, workload }) => {
    const [connection] = connectionsOf(side);
    if (!connection) return;
    await untilTheLinkIsUp(connection, workload.scope);
    for (const input of inputsOf({ ...workload, functionId: 'state::set' })) {
      await connection.ask('state::set', input);
    }
    for (const [number, input] of inputsOf({ ...workload, functionId: 'state::get' }).entries()) {
      const found = JSON.stringify(await connection.ask('state::get', input));
      const expected = JSON.stringify(valueOfSize(workload.valueBytes, number));
      if (found !== expected) throw new Error(`${side} read ${found} where ${expected} was written`);
    }
  },
  measure: (measurement) => runWindow(connectionsOf(measurement.side), measurement),
});

function runWindow(
  connections: readonly Connection[],
  { workload, inFlight, windowMs }: Measurement,
): Promise<LoadWindow> {
  const inputs = inputsOf(workload);
  const latencies: number[] = [];
  let turn = 0;
  let unanswered = 0;
  let refused = 0;
  let firstRefusal: string | undefined;
  return new Promise((resolve, reject) => {
    const begin = performance.now();
    const end = begin + windowMs;
    const giveUp = setTimeout(
      () => reject(new Error(`${unanswered} of ${inFlight} calls were never answered`)),
      windowMs + 35_000,
    );
    const callOn = (connection: Connection) => {
      const sentAt = performance.now();
      unanswered++;
      connection.call(workload.functionId, inputs[turn++ % inputs.length] ?? null, ({ error }) => {
        unanswered--;
        const now = performance.now();
        if (error) {
          refused++;
          firstRefusal ??= `${error.code}: ${error.message}`;
        }
        if (now < end) {
          latencies.push(now - sentAt);
          callOn(connection);
        } else if (unanswered === 0) {
          clearTimeout(giveUp);
          latencies.sort((a, b) => a - b);
          resolve({
            completed: latencies.length,
            perSecond: (latencies.length * 1_000) / windowMs,
            p50Ms: quantile(latencies, 0.5),
            p99Ms: quantile(latencies, 0.99),
            refused,
            ...(firstRefusal === undefined ? {} : { firstRefusal }),
          });
        }
      });
    };
    for (let call = 0; call < inFlight; call++) {
      const connection = connections[call % connections.length];
      if (connection) callOn(connection);
    }
  });
}

function connectionsOf(side: string): Connection[] {
  const connections = sides.get(side);
  if (!connections) throw new Error(`${side} is not connected`);
  return connections;
}

async function untilTheLinkIsUp(connection: Connection, scope: string): Promise<void> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    try {
      await connection.ask('state::set', { scope, key: 'is-the-link-up', value: 1 });
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(100);
    }
  }
}
