import { setTimeout as delay } from 'node:timers/promises';
import { SeededRandom } from '../support/seeded-random.js';
import type { WriteKind } from '../support/told-writes.js';
import type { UnreliableRemote } from '../support/unreliable-remote.js';
import type { Ledger } from './ledger.js';
import type { ScopeCase } from './rules.js';
import { WORKERS } from './site.js';

const KEYS = ['a', 'b', 'c'];
const KINDS: readonly WriteKind[] = [
  'set',
  'set',
  'set',
  'replace',
  'increment',
  'increment',
  'append',
  'delete',
];
/** Calls that one worker has not seen answered. */
const MOST_WAITING = 24;
const BURST = 4;
const PAUSE_MS = 60;
const ELSEWHERE_PAUSE_MS = 100;

export interface Writers {
  /** They write no more. */
  end(): void;
  /** Waits until every call is answered or its connection gone. */
  ended(): Promise<void>;
}

/** Workers that write without pause: bursts to any key of any scope, whatever the others do; and somebody elsewhere. */
export function startWriters(
  remote: UnreliableRemote,
  ledger: Ledger,
  cases: readonly ScopeCase[],
  seed: number,
): Writers {
  const stopped = new AbortController();
  const working = Array.from({ length: WORKERS }, (_, worker) =>
    writeUntil(stopped.signal, worker, ledger, cases, new SeededRandom(seed, worker + 1)),
  );
  const contested = cases.filter((one) => one.contested);
  if (contested.length > 0) {
    working.push(writeElsewhere(stopped.signal, remote, contested, new SeededRandom(seed, WORKERS + 1)));
  }
  return {
    end: () => stopped.abort(),
    ended: async () => {
      await Promise.all(working);
      await ledger.allTold();
    },
  };
}

async function writeElsewhere(
  stopped: AbortSignal,
  remote: UnreliableRemote,
  contested: readonly ScopeCase[],
  random: SeededRandom,
): Promise<void> {
  for (let elsewhere = 1; !stopped.aborted; elsewhere += 1) {
    remote.writesElsewhere(random.pick(contested).scope, anyKey(random), { elsewhere });
    await delay(random.below(ELSEWHERE_PAUSE_MS));
  }
}

export function anyKey(random: SeededRandom): string {
  return random.pick(KEYS);
}

async function writeUntil(
  stopped: AbortSignal,
  worker: number,
  ledger: Ledger,
  cases: readonly ScopeCase[],
  random: SeededRandom,
): Promise<void> {
  const waiting = new Set<Promise<unknown>>();
  while (!stopped.aborted) {
    for (let left = 1 + random.below(BURST); left > 0; left -= 1) {
      const told = ledger.write(worker, random.pick(cases), anyKey(random), random.pick(KINDS));
      waiting.add(told);
      void told.then(() => waiting.delete(told));
    }
    while (waiting.size > MOST_WAITING && !stopped.aborted) await Promise.race(waiting);
    await delay(random.below(PAUSE_MS));
  }
}
