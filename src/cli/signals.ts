type Signal = 'SIGINT' | 'SIGTERM';

/** The part of `process` that tells signals. */
export interface SignalSource {
  on(signal: Signal, listener: (signal: Signal) => void): unknown;
  off(signal: Signal, listener: (signal: Signal) => void): unknown;
}

export interface StopSignals {
  /** Resolves when somebody wants the program to end. */
  readonly first: Promise<Signal>;
  dispose(): void;
}

/**
 * Ctrl-C under `npm start` arrives twice at once: from the terminal, and passed on by npm. Only a signal that comes
 * this much later is a person who does not want to wait.
 */
const ECHO_MS = 500;

/** Waits for SIGINT or SIGTERM; a second one calls `force`. */
export function watchSignals(source: SignalSource, force: () => void, now = Date.now): StopSignals {
  let firstAt: number | undefined;
  let resolveFirst: (signal: Signal) => void = () => {};
  const first = new Promise<Signal>((resolve) => {
    resolveFirst = resolve;
  });
  const onSignal = (signal: Signal) => {
    if (firstAt === undefined) {
      firstAt = now();
      resolveFirst(signal);
    } else if (now() - firstAt >= ECHO_MS) {
      force();
    }
  };
  source.on('SIGINT', onSignal);
  source.on('SIGTERM', onSignal);
  return {
    first,
    dispose() {
      source.off('SIGINT', onSignal);
      source.off('SIGTERM', onSignal);
    },
  };
}
