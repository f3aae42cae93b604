import { GatewayError, messageOf } from '../errors.js';

/** Exit codes; scripts and service managers rely on them. */
export const EXIT = { done: 0, failed: 1, wrongUsage: 2, configRefused: 3, storageRefused: 4 } as const;

export function exitCodeOf(error: unknown): number {
  if (!(error instanceof GatewayError)) return EXIT.failed;
  if (error.code === 'GATEWAY_CONFIG') return EXIT.configRefused;
  return error.code === 'GATEWAY_STORAGE' ? EXIT.storageRefused : EXIT.failed;
}

/** What went wrong in a sentence for the person at the terminal, without a stack. */
export function explain(error: unknown): string {
  return explainListening(error) ?? messageOf(error);
}

interface SystemError {
  code: string;
  address?: string;
  port?: number;
  hostname?: string;
}

/** Node's own words for a port that cannot be had are for programmers. */
function explainListening(error: unknown): string | undefined {
  const system = systemErrorIn(error);
  const where = `port ${system?.port} on ${system?.address}`;
  switch (system?.port === undefined ? undefined : system.code) {
    case 'EADDRINUSE':
      return `${where} is already in use: stop the program that has it, or choose another port (--port)`;
    case 'EACCES':
      return `${where} needs more rights than this program has: choose a port above 1023 (--port)`;
    case 'EADDRNOTAVAIL':
      return `${where} cannot be listened on: ${system?.address} is not an address of this machine (--host)`;
  }
  if (system?.code !== 'ENOTFOUND' || system.hostname === undefined) return undefined;
  return `${system.hostname} is not known as a host name here: choose another address to listen on (--host)`;
}

/** The system error in an error or in what caused it. */
function systemErrorIn(error: unknown): SystemError | undefined {
  if (!(error instanceof Error)) return undefined;
  const isSystemError = 'code' in error && 'syscall' in error && typeof error.code === 'string';
  return isSystemError ? (error as Error & SystemError) : systemErrorIn(error.cause);
}
