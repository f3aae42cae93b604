import type { Config } from '../config/config.js';
import { createLogger, type Logger } from '../logger.js';

type LogOptions = Config['log'];
type Level = Exclude<keyof Logger, 'child'>;

export interface LogOutput {
  readonly isTerminal: boolean;
  write(text: string): void;
}

/** The log as the configuration wants it: lines of JSON for programs, plain lines for a person at a terminal. */
export function openLog({ level, format }: LogOptions, output: LogOutput): Logger {
  const asText = format === 'text' || (format === 'auto' && output.isTerminal);
  return asText ? textLogger(level, output) : createLogger(level);
}

const levels: readonly LogOptions['level'][] = ['trace', 'debug', 'info', 'warn', 'error', 'silent'];

function textLogger(threshold: LogOptions['level'], output: LogOutput, part?: string): Logger {
  const at = (level: Level) => {
    if (levels.indexOf(level) < levels.indexOf(threshold)) return () => {};
    return (facts: object, sentence: string) => {
      const time = new Date().toTimeString().slice(0, 8);
      const subject = part === undefined ? '' : `${part}: `;
      output.write(`${time} ${level.padEnd(5)} ${subject}${sentence}${inBrackets(facts)}\n`);
    };
  };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (of) => textLogger(threshold, output, of.part),
  };
}

function inBrackets(facts: object): string {
  const known = Object.entries(facts).filter(([, fact]) => fact !== undefined);
  if (known.length === 0) return '';
  return ` (${known.map(([name, fact]) => `${name} ${plain(fact)}`).join(', ')})`;
}

function plain(fact: unknown): string {
  if (fact instanceof Error) return fact.message;
  return typeof fact === 'object' ? JSON.stringify(fact) : String(fact);
}
