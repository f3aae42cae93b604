import type { Config } from '../config/config.js';
import type { Gateway, GatewayContext } from '../gateway.js';
import type { SignalSource } from './signals.js';

/** All that the commands use of the world around them, so that tests can be that world. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Answers, for people and for pipes. */
  out(text: string): void;
  /** Remarks and complaints. */
  err(text: string): void;
  /** Whether a person reads what goes to `err`. */
  readonly isTerminal: boolean;
  /** Whether what goes to `out` may be in colour. */
  readonly isColourful: boolean;
  readonly signals: SignalSource;
  now(): number;
  sleep(ms: number): Promise<void>;
  /** Ends the process at once. */
  exit(code: number): void;
  createGateway(config: Config, context: GatewayContext): Gateway;
}
