import type { InvocationResult } from '../../protocol/messages.js';
import type { Clock } from '../clock.js';

/** What the remote said to a write. */
export type RemoteAnswer = Pick<InvocationResult, 'result' | 'error'>;

type Tell = (answer: RemoteAnswer | undefined) => void;

/** Callers of logged writes that wait for what the remote says. */
export class AwaitedWrites {
  private readonly waiting = new Map<number, Tell>();
  /** Those whose answer is known, and on its way to the disk. */
  private readonly answered = new Set<number>();

  constructor(private readonly clock: Pick<Clock, 'schedule'>) {}

  /** Resolves with the remote's answer; undefined: it did not come in time, or the write ended without one. */
  answerTo(seq: number, patienceMs: number): Promise<RemoteAnswer | undefined> {
    return new Promise((resolve) => {
      const callOff = this.clock.schedule(() => {
        if (!this.answered.has(seq)) this.tell(seq, undefined);
      }, patienceMs);
      this.waiting.set(seq, (answer) => {
        callOff();
        resolve(answer);
      });
    });
  }

  /** Its answer is known, and told as soon as it is written: it is not given up any more. */
  isAnswered(seq: number): void {
    if (this.waiting.has(seq)) this.answered.add(seq);
  }

  /** Whether somebody still waits: then it has not been accepted yet, and its end is for its caller alone. */
  has(seq: number): boolean {
    return this.waiting.has(seq);
  }

  tell(seq: number, answer: RemoteAnswer | undefined): void {
    const tell = this.waiting.get(seq);
    this.waiting.delete(seq);
    this.answered.delete(seq);
    tell?.(answer);
  }
}
