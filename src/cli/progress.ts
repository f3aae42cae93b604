import { count, duration } from './figures.js';
import type { Terminal } from './terminal.js';

export interface Progress {
  done: number;
  left: number;
  /** What holds it up, if something does. */
  hindrance: string | undefined;
}

/** Off a terminal a line is enough now and then. */
const LINE_EVERY_MS = 5000;
const BAR_WIDTH = 30;

/** Tells on standard error how far something is: a bar that moves at a terminal, else lines. */
export class ProgressTeller {
  private readonly startedAt: number;
  private toldAt: number;
  private isOnLine = false;

  constructor(private readonly terminal: Terminal) {
    this.startedAt = terminal.now();
    this.toldAt = this.startedAt;
  }

  tell(progress: Progress): void {
    const now = this.terminal.now();
    if (this.terminal.isTerminal) {
      this.terminal.err(`\r\u001b[K${bar(progress)} ${figures(progress, now - this.startedAt)}`);
      this.isOnLine = true;
    } else if (now - this.toldAt >= LINE_EVERY_MS) {
      this.toldAt = now;
      this.terminal.err(`${figures(progress, now - this.startedAt)}\n`);
    }
  }

  /** Leaves the terminal as it was. */
  end(): void {
    if (this.isOnLine) this.terminal.err('\r\u001b[K');
    this.isOnLine = false;
  }
}

export function bar({ done, left }: Progress): string {
  const share = done + left === 0 ? 1 : done / (done + left);
  const filled = Math.floor(share * BAR_WIDTH);
  return `[${'#'.repeat(filled)}${'-'.repeat(BAR_WIDTH - filled)}] ${String(Math.floor(share * 100)).padStart(3)} %`;
}

function figures({ done, left, hindrance }: Progress, elapsedMs: number): string {
  const rate = elapsedMs >= 1000 && done > 0 ? Math.round((done * 1000) / elapsedMs) : undefined;
  const speed = rate === undefined ? '' : `, ${count(rate)} a second`;
  const held = hindrance === undefined ? '' : `; ${hindrance}`;
  return `${count(left)} left, ${count(done)} done in ${duration(elapsedMs)}${speed}${held}`;
}
