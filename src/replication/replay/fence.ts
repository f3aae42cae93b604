import type { Clock } from '../clock.js';

/** How a write came to be without a usable answer. */
export interface Unanswered {
  /** `lost`: its connection ended; `late`: its connection stands, and no answer came; `error`: an answer that proves nothing. */
  how: 'lost' | 'late' | 'error';
  /** Our worker id on the connection it was sent on; undefined: not known any more. */
  workerId: string | undefined;
  at: number;
}

/** What the fence asks of the link. */
export interface FenceLink {
  /** Our worker id on the open connection; undefined: there is none. */
  readonly workerId: string | undefined;
  /** When that connection opened, in ms; undefined: there is none. */
  readonly openedAt: number | undefined;
  /** Whether this remote forgets a connection of ours for good, and says so. Known once the link is open. */
  readonly fenceable: boolean;
  /** Whether an error answer of this remote ends what it did (not so if it passes calls on). */
  readonly answersEndCalls: boolean;
  hasLeft(workerId: string): Promise<boolean>;
  /** Resolves when a connection is open and its remote is known. */
  opened(signal: AbortSignal): Promise<void>;
}

/** How often the remote is asked whether an old connection is gone. */
const ASK_AGAIN_MS = 250;
/** How long it may take to notice; after that nothing is certain. */
const MOST_MS = 10_000;

/** Makes sure that an unanswered frame will not be executed any more (replication section 3). */
export class Fence {
  private readonly gone = new Map<string, Promise<boolean>>();

  constructor(
    private readonly link: FenceLink,
    private readonly clock: Pick<Clock, 'now' | 'wait'>,
    private readonly settleDelayMs: number,
    private readonly stopping: AbortSignal,
  ) {}

  /** Waits until a connection is open and its remote is known. @throws the abort reason when the gateway stops. */
  remoteKnown(): Promise<void> {
    return this.link.opened(this.stopping);
  }

  /**
   * Waits until the frame can do no more harm; false: that is only likely.
   * @throws the abort reason when the gateway stops.
   */
  async passed({ how, workerId, at }: Unanswered): Promise<boolean> {
    await this.link.opened(this.stopping);
    if (how === 'error' && this.link.answersEndCalls) return true;
    const isGone = how === 'lost' && this.link.fenceable && workerId !== undefined;
    const fenced = isGone && (await this.hasGone(workerId));
    // The real protection: frames of a dead connection were executed up to 316 ms later. It counts from when the remote
    // heard of us again: what it had not read before, it reads only then.
    const since = how === 'lost' ? Math.max(at, this.link.openedAt ?? at) : at;
    const left = since + this.settleDelayMs - this.clock.now();
    if (left > 0) await this.clock.wait(left, this.stopping);
    await this.link.opened(this.stopping);
    return fenced;
  }

  /** Many writes wait for one connection to be gone: the remote is asked once. */
  private hasGone(workerId: string): Promise<boolean> {
    const asked = this.gone.get(workerId);
    if (asked) return asked;
    const asking = this.ask(workerId).finally(() => this.gone.delete(workerId));
    this.gone.set(workerId, asking);
    return asking;
  }

  private async ask(workerId: string): Promise<boolean> {
    const patience = this.clock.now() + MOST_MS;
    for (;;) {
      await this.link.opened(this.stopping);
      if (this.link.workerId !== workerId && (await this.link.hasLeft(workerId))) return true;
      if (this.clock.now() > patience) return false;
      await this.clock.wait(ASK_AGAIN_MS, this.stopping);
    }
  }
}
