import type { InvocationResult } from '../../protocol/messages.js';
import type { Clock } from '../clock.js';

/** What the remote said to a write. */
export type RemoteAnswer = Pick<InvocationResult, 'result' | 'error'>;

type Tell = (answer: RemoteAnswer | undefined) => void;

/** Callers of logged writes that wait for what the remote says. */
export class AwaitedWrites {
  private readonly waiting = new Map<number, Tell>();

  constructor(private readonly clock: Pick<Clock, 'schedule'>) {}

  /** Resolves with the remote's answer; undefined: it did not come in time, or the write ended without one. */
  answerTo(seq: number, patienceMs: number): Promise<RemoteAnswer | undefined> {
    return new Promise((resolve) => {
      const callOff = this.clock.schedule(() => this.tell(seq, undefined), patienceMs);
      this.waiting.set(seq, (answer) => {
        callOff();
        resolve(answer);
      });
    });
  }

  /** Whether somebody still waits: then it has not been accepted yet, and its end is for its caller alone. */
  has(seq: number): boolean {
    return this.waiting.has(seq);
  }

  tell(seq: number, answer: RemoteAnswer | undefined): void {
    const tell = this.waiting.get(seq);
    this.waiting.delete(seq);
    tell?.(answer);
  }
}
