import { GatewayError } from '../../errors.js';
import type { StateAnswer } from '../../operations/calls.js';
import type { Lane, Lanes } from '../log/lanes.js';
import type { RemoteCaller } from '../remote-caller.js';
import type { AwaitedWrites } from '../replay/awaited.js';
import type { Replay } from '../replay/replay.js';
import type { Write } from '../write.js';
import type { Acceptance, Manner } from './acceptance.js';
import type { WaitingRoom } from './waiting.js';
import { inLogUnanswered } from './writer-errors.js';

/** How a write is known again, if it has a name. */
export interface Name extends Pick<Manner, 'repeatId' | 'together'> {
  /** It is for us to see to it once it is in our log, whatever it meets: a gateway before us asks no more of its answer. */
  isHandedOver?: boolean;
}

/** Writes that are on the disk before they are sent, also while the remote answers. */
export class LoggedFirst {
  constructor(
    private readonly lanes: Lanes,
    private readonly acceptance: Acceptance,
    private readonly replay: Replay,
    private readonly awaited: AwaitedWrites,
    private readonly caller: Pick<RemoteCaller, 'available'>,
    private readonly waitingRoom: WaitingRoom,
    private readonly writesThrough: (scope: string) => boolean,
  ) {}

  /** Into the log, and from there to the remote, whose answer the caller gets if it comes in time. */
  answer(lane: Lane, write: Write, manner: Name, patienceMs: number): Promise<StateAnswer> {
    if (lane.turn !== 'online') return this.logAndWait(lane, write, manner, patienceMs);
    return this.waitingRoom.waitIn(
      lane,
      (patienceLeft) => this.logAndWait(lane, write, manner, patienceLeft),
      () => this.logAndWait(lane, write, manner, 0),
    );
  }

  private async logAndWait(lane: Lane, write: Write, manner: Name, patienceMs: number): Promise<StateAnswer> {
    const isAwaited = patienceMs > 0 && this.caller.available && this.writesThrough(lane.scope);
    let seq = 0;
    try {
      const { entry, answer, isBlind } = this.acceptance.accept(lane, write, { ...manner, isAwaited });
      seq = entry.seq;
      const remotely = isAwaited ? this.awaited.answerTo(seq, patienceMs) : undefined;
      const accepted = await answer;
      this.replay.wake();
      const said = await remotely;
      if (said?.error) throw GatewayError.fromBody(said.error);
      if (said) return said.result ? { result: said.result } : {};
      if (isAwaited && isBlind && !manner.isHandedOver) throw inLogUnanswered(write.input.functionId, seq);
      return accepted;
    } finally {
      this.awaited.tell(seq, undefined);
      this.lanes.release(lane);
    }
  }
}
