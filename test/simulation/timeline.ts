import type { Clock } from '../../src/replication/clock.js';
import type { Random } from './random.js';

interface Event {
  at: number;
  /** Decides among those of one moment. */
  tie: number;
  action: (() => void) | undefined;
}

const START = Date.UTC(2026, 0, 1);

/**
 * Time, and all that is going to happen. Nothing happens by itself: one event after the other, each with everything
 * that follows from it at once, so that a run follows from its seed.
 */
export class Timeline {
  now = START;
  events = 0;
  private readonly heap: Event[] = [];

  constructor(private readonly random: Random) {}

  /** Since the beginning. */
  get elapsed(): number {
    return this.now - START;
  }

  /** Calls `action` once after so many ms; the returned function calls it off. */
  after(ms: number, action: () => void): () => void {
    const event: Event = { at: this.now + Math.max(0, Math.ceil(ms)), tie: this.random.next(), action };
    this.push(event);
    return () => {
      event.action = undefined;
    };
  }

  /** The clock of one run of the gateway: after its end nothing of it happens any more. */
  clockOf(isAlive: () => boolean): Clock {
    const schedule: Clock['schedule'] = (action, ms) =>
      this.after(ms, () => {
        if (isAlive()) action();
      });
    return {
      now: () => this.now,
      schedule,
      wait: (ms, signal) =>
        new Promise((resolve, reject) => {
          if (signal.aborted) return reject(signal.reason);
          const abort = () => {
            callOff();
            reject(signal.reason);
          };
          const callOff = schedule(() => {
            signal.removeEventListener('abort', abort);
            resolve();
          }, ms);
          signal.addEventListener('abort', abort);
        }),
    };
  }

  /** Lets the next event happen, and all that follows from it at once. */
  async step(): Promise<void> {
    let event = this.pop();
    while (event && !event.action) event = this.pop();
    if (!event?.action) throw new Error('nothing will ever happen again');
    this.now = event.at;
    this.events += 1;
    event.action();
    await quiet();
  }

  private push(event: Event): void {
    const { heap } = this;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent] as Event)) break;
      heap[at] = heap[parent] as Event;
      at = parent;
    }
    heap[at] = event;
  }

  private pop(): Event | undefined {
    const { heap } = this;
    const [first] = heap;
    const last = heap.pop();
    if (!first || !last || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Event, heap[child] as Event)) child += 1;
      if (!isBefore(heap[child] as Event, last)) break;
      heap[at] = heap[child] as Event;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

/** Resolves when nothing follows any more from what has happened: the core waits for nothing but promises and events. */
function quiet(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.tie < b.tie);
}
