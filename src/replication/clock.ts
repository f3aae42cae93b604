import { setTimeout as delay } from 'node:timers/promises';
import { afterMs, type Schedule } from '../storage/group-commit.js';

/** Time as it is handed in, so that tests own it. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Resolves after so many ms. @throws the signal's reason when it is aborted before. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
  /** Calls `action` once after so many ms; the returned function calls it off. */
  schedule: Schedule;
}

/** The machine's clock; a wait keeps no process alive. */
export const systemClock: Clock = {
  now: Date.now,
  wait: (ms, signal) => delay(ms, undefined, { signal, ref: false }),
  schedule: afterMs,
};
