import type { Schedule } from '../../src/storage/group-commit.js';

/** Timers that go off only when the test says so. */
export class ManualSchedule {
  private readonly waiting = new Map<() => void, number>();

  readonly schedule: Schedule = (action, ms) => {
    this.waiting.set(action, ms);
    return () => this.waiting.delete(action);
  };

  /** The waiting times asked for and not yet over. */
  get pending(): number[] {
    return [...this.waiting.values()];
  }

  /** Lets everything that waits go off, as a timer would. */
  fire(): void {
    const due = [...this.waiting.keys()];
    this.waiting.clear();
    for (const action of due) action();
  }
}
