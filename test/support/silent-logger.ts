import type { Logger } from '../../src/logger.js';

/** A logger that keeps its lines, for tests that look at them. */
export interface SilentLogger extends Logger {
  lines: { level: 'debug' | 'info' | 'warn' | 'error'; facts: object; sentence: string }[];
}

export function silentLogger(): SilentLogger {
  const lines: SilentLogger['lines'] = [];
  const logger: SilentLogger = {
    lines,
    debug: (facts, sentence) => void lines.push({ level: 'debug', facts, sentence }),
    info: (facts, sentence) => void lines.push({ level: 'info', facts, sentence }),
    warn: (facts, sentence) => void lines.push({ level: 'warn', facts, sentence }),
    error: (facts, sentence) => void lines.push({ level: 'error', facts, sentence }),
    child: () => logger,
  };
  return logger;
}
