/** A token bucket: `perSecond` calls on average, a second's worth at once. 0 means no limit. */
export class RateLimit {
  private tokens: number;
  private countedAt: number;

  constructor(
    private readonly perSecond: number,
    private readonly now: () => number,
  ) {
    this.tokens = perSecond;
    this.countedAt = now();
  }

  /** Whether one more call may pass now. */
  admits(): boolean {
    if (this.perSecond === 0) return true;
    const now = this.now();
    const earned = (Math.max(0, now - this.countedAt) / 1000) * this.perSecond;
    this.tokens = Math.min(this.perSecond, this.tokens + earned);
    this.countedAt = now;
    if (this.tokens < 1) return false;
    this.tokens -= 1;
    return true;
  }
}
