/** What the heartbeat needs of a connection. */
export interface Pulse {
  /** Whether any frame arrived since this was last asked. */
  heard(): boolean;
  ping(): void;
  /** Ends a connection that has gone silent. */
  lost(): void;
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
