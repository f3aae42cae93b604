/** The client process: holds the connections to every side, and runs one window at a time on one of them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Connection, openConnections } from '../connection.js';
import { serveCommands } from '../remote-commands.js';
import { quantile } from '../spread.js';
import type { Json } from '../wire.js';
import { inputOf, inputsOf, valueOfSize, type Workload } from '../workload.js';

export interface LoadClientCommands {
  connect(input: {
    readonly side: string;
    readonly url: string;
    readonly connections: number;
  }): Promise<void>;
  disconnect(input: { readonly side: string }): Promise<void>;
  /** Writes keys of the workload (128 at most) through this side and reads each back; waits for a link that is coming up. */
  fill(input: { readonly side: string; readonly workload: Workload }): Promise<void>;
  /** A closed loop: `inFlight` calls spread over the connections, each answer followed by the next call. */
  measure(input: Measurement): Promise<LoadWindow>;
  /** The same, for a number of calls: each key once if there are as many. Resolves when all are answered. */
  callAll(input: CallAll): Promise<LoadWindow>;
  /** One call, and its result. */
  ask(input: {
    readonly side: string;
    readonly functionId: string;
    readonly data: Json;
  }): Promise<{ readonly result?: Json }>;
}

export interface Measurement {
  readonly side: string;
  readonly workload: Workload;
  readonly inFlight: number;
  readonly windowMs: number;
}

export interface CallAll {
  readonly side: string;
  readonly workload: Workload;
  readonly calls: number;
  readonly inFlight: number;
}

export interface LoadWindow {
  readonly completed: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly longestMs: number;
  /** Calls answered with an error, and the first such error. */
  readonly refused: number;
  readonly firstRefusal?: string;
}

const KEYS_READ_BACK = 128;
/** How long all calls in flight together may stay unanswered. */
const PATIENCE_MS = 35_000;

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
    const some = { ...workload, keys: Math.min(workload.keys, KEYS_READ_BACK) };
    for (const input of inputsOf({ ...some, functionId: 'state::set' })) {
      await connection.ask('state::set', input);
    }
    for (const [number, input] of inputsOf({ ...some, functionId: 'state::get' }).entries()) {
      const found = JSON.stringify(await connection.ask('state::get', input));
      const expected = JSON.stringify(valueOfSize(workload.valueBytes, number));
      if (found !== expected) throw new Error(`${side} read ${found} where ${expected} was written`);
    }
  },
  measure: ({ side, workload, inFlight, windowMs }) => {
    const inputs = inputsOf(workload);
    const callOf = (turn: number) => inputs[turn % inputs.length] ?? null;
    return runLoop(connectionsOf(side), { functionId: workload.functionId, inFlight, windowMs, callOf });
  },
  callAll: ({ side, workload, calls, inFlight }) => {
    const callOf = (turn: number) => (turn < calls ? inputOf(workload, turn % workload.keys) : undefined);
    return runLoop(connectionsOf(side), { functionId: workload.functionId, inFlight, callOf });
  },
  ask: async ({ side, functionId, data }) => {
    const result = await connectionsOf(side)[0]?.ask(functionId, data);
    return result === undefined ? {} : { result };
  },
});

interface Loop {
  readonly functionId: string;
  readonly inFlight: number;
  /** Answers after it do not count; without it the loop ends with its calls. */
  readonly windowMs?: number;
  /** The input of each call in turn; undefined when there are no more. */
  callOf(turn: number): Json | undefined;
}

function runLoop(connections: readonly Connection[], loop: Loop): Promise<LoadWindow> {
  const { functionId, inFlight, windowMs = Number.POSITIVE_INFINITY, callOf } = loop;
  const latencies: number[] = [];
  let turn = 0;
  let unanswered = 0;
  let refused = 0;
  let firstRefusal: string | undefined;
  return new Promise((resolve, reject) => {
    const begin = performance.now();
    const end = begin + windowMs;
    let lastAnswerAt = begin;
    const alarm = setInterval(() => {
      if (performance.now() - lastAnswerAt < PATIENCE_MS) return;
      clearInterval(alarm);
      reject(new Error(`${unanswered} of ${inFlight} calls were never answered`));
    }, 1_000);
    const callOn = (connection: Connection, input: Json) => {
      const sentAt = performance.now();
      turn++;
      unanswered++;
      connection.call(functionId, input, ({ error }) => {
        unanswered--;
        const now = performance.now();
        lastAnswerAt = now;
        if (error) {
          refused++;
          firstRefusal ??= `${error.code}: ${error.message}`;
        }
        if (now < end) latencies.push(now - sentAt);
        const next = now < end ? callOf(turn) : undefined;
        if (next !== undefined) {
          callOn(connection, next);
        } else if (unanswered === 0) {
          clearInterval(alarm);
          latencies.sort((a, b) => a - b);
          resolve({
            completed: latencies.length,
            perSecond: (latencies.length * 1_000) / Math.min(windowMs, now - begin),
            p50Ms: quantile(latencies, 0.5),
            p99Ms: quantile(latencies, 0.99),
            longestMs: quantile(latencies, 1),
            refused,
            ...(firstRefusal === undefined ? {} : { firstRefusal }),
          });
        }
      });
    };
    for (let call = 0; call < inFlight; call++) {
      const connection = connections[call % connections.length];
      const input = callOf(turn);
      if (connection && input !== undefined) callOn(connection, input);
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
