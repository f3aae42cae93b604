export interface PaceOptions {
  /** Replayed writes in flight at most. */
  window: number;
  /** Calls in flight on the link at most. */
  linkWindow: number;
  /** Part of the link that replay may take while there are fresh calls. */
  share: number;
  /** Replayed writes in a second at most; 0: any. */
  ratePerS: number;
}

/** A full window is refilled when only this much of it is used, or so many ms later: frames that leave together cost less. */
const REFILL_AT = 0.5;
const REFILL_MS = 2;

/** How much the replay may send now: its share of the link, and under the cap. Time is handed in. */
export class Pace {
  private tokens: number;
  private filledAt: number;
  /** When the window was last full, until it is refilled. */
  private fullAt: number | undefined;
  /** There is room, and it is left until there is more. */
  private isHolding = false;

  constructor(
    private readonly options: PaceOptions,
    now: number,
  ) {
    this.tokens = options.ratePerS;
    this.filledAt = now;
  }

  /** Whether one more may be sent, with so many of ours and so many fresh calls in flight. */
  mayTake(now: number, inFlight: number, fresh: number): boolean {
    return this.hasRoom(now, inFlight, this.windowBeside(fresh)) && this.hasToken(now);
  }

  /** One was sent. */
  took(): void {
    this.tokens -= 1;
  }

  /** Milliseconds until another one may go though nothing is answered; 0: it takes an answer. */
  waitMs(now: number): number {
    if (this.hasToken(now)) return this.isHolding ? REFILL_MS : 0;
    return Math.ceil(((1 - this.tokens) / this.options.ratePerS) * 1000);
  }

  private hasRoom(now: number, inFlight: number, window: number): boolean {
    this.isHolding = false;
    if (inFlight >= window) {
      this.fullAt = now;
      return false;
    }
    if (this.fullAt === undefined) return true;
    this.isHolding = inFlight > window * REFILL_AT && now - this.fullAt < REFILL_MS;
    if (!this.isHolding) this.fullAt = undefined;
    return !this.isHolding;
  }

  private windowBeside(fresh: number): number {
    const { window, linkWindow, share } = this.options;
    return fresh > 0 ? Math.max(1, Math.min(window, Math.floor(linkWindow * share))) : window;
  }

  private hasToken(now: number): boolean {
    const { ratePerS } = this.options;
    if (ratePerS === 0) return true;
    const earned = (Math.max(0, now - this.filledAt) / 1000) * ratePerS;
    this.tokens = Math.min(ratePerS, this.tokens + earned);
    this.filledAt = now;
    return this.tokens >= 1;
  }
}
