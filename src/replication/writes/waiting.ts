import type { Clock } from '../clock.js';
import type { Lane } from '../log/lanes.js';
import { backlogFull } from '../log/limits.js';

/** Lets callers wait in memory behind a write to their key that the remote has not answered. */
export class WaitingRoom {
  constructor(
    /** Callers that may wait behind one write. */
    private readonly most: number,
    private readonly clock: Pick<Clock, 'now'>,
  ) {}

  /**
   * @param send it is its turn, with what is left of its patience
   * @param keep the one before it was not answered
   * @throws GatewayError `GATEWAY_BACKLOG_FULL`.
   */
  waitIn<T>(lane: Lane, send: (patienceMs: number) => Promise<T>, keep: () => Promise<T>): Promise<T> {
    lane.waiting ??= [];
    const { waiting } = lane;
    if (waiting.length >= this.most) {
      return Promise.reject(backlogFull(`${this.most} writes to this key wait (limits.lane_entries)`));
    }
    return new Promise((resolve) => {
      waiting.push({
        arrivedAt: this.clock.now(),
        send: (patienceMs) => resolve(send(patienceMs)),
        keep: () => resolve(keep()),
      });
    });
  }

  /** The same for whoever has all patience, and is taken in any case. */
  placeIn<T>(lane: Lane, place: () => T): Promise<T> {
    lane.waiting ??= [];
    const { waiting } = lane;
    return new Promise((resolve) => {
      const take = () => resolve(place());
      waiting.push({ arrivedAt: this.clock.now(), send: take, keep: take });
    });
  }
}
