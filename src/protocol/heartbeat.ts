/** What the heartbeat needs of a connection. */
export interface Pulse {
  /** Whether any frame arrived since this was last asked. */
  heard(): boolean;
  ping(): void;
  /** Ends a connection that has gone silent. */
  lost(): void;
}

/** The pulse of a connection whose owner notes every sign of life. */
export class NotedPulse implements Pulse {
  private wasHeard = true;

  constructor(
    readonly ping: () => void,
    readonly lost: () => void,
  ) {}

  /** To be called at any frame, pings and pongs included. */
  note(): void {
    this.wasHeard = true;
  }

  heard(): boolean {
    const { wasHeard } = this;
    this.wasHeard = false;
    return wasHeard;
  }
}

/** SDKs ping every 20 s and give up after 60 s of silence (wire protocol 1.5); so do we. */
export const PING_INTERVAL_MS = 20_000;
const SILENT_ROUNDS = 3;

/**
 * Liveness by any frame: each round pings every connection, and one that was silent for three rounds is ended.
 * Protocol pings cannot be used: Node and Python workers ignore them.
 */
export class Heartbeat {
  private readonly silence = new Map<Pulse, number>();

  add(pulse: Pulse): void {
    this.silence.set(pulse, 0);
  }

  remove(pulse: Pulse): void {
    this.silence.delete(pulse);
  }

  /** One round; the owner calls it every `PING_INTERVAL_MS`. */
  beat(): void {
    for (const [pulse, rounds] of this.silence) {
      const silent = pulse.heard() ? 0 : rounds + 1;
      this.silence.set(pulse, silent);
      if (silent >= SILENT_ROUNDS) pulse.lost();
      else pulse.ping();
    }
  }
}
