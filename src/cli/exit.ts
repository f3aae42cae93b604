import { GatewayError, messageOf } from '../errors.js';

/** Exit codes; scripts and service managers rely on them. */
export const EXIT = {
  done: 0,
  failed: 1,
  wrongUsage: 2,
  configRefused: 3,
  storageRefused: 4,
  /** No gateway answers. */
  nobodyThere: 5,
  /** All is settled, but some of it is in quarantine. */
  quarantined: 6,
} as const;

/** A command that asks a running gateway has found none. */
export class NobodyThere extends Error {}

export function exitCodeOf(error: unknown): number {
  if (error instanceof NobodyThere) return EXIT.nobodyThere;
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
  /** Whose address it is, if not the listener's. */
  part?: 'admin';
}

/** Node's own words for a port that cannot be had are for programmers. */
function explainListening(error: unknown): string | undefined {
  const system = systemErrorIn(error);
  const where = `port ${system?.port} on ${system?.address}`;
  const isAdmin = system?.part === 'admin';
  const portOption = isAdmin ? '--admin-port' : '--port';
  const hostOption = isAdmin ? 'admin.host' : '--host';
  switch (system?.port === undefined ? undefined : system.code) {
    case 'EADDRINUSE':
      return `${where} is already in use: stop the program that has it, or choose another port (${portOption})`;
    case 'EACCES':
      return `${where} needs more rights than this program has: choose a port above 1023 (${portOption})`;
    case 'EADDRNOTAVAIL':
      return `${where} cannot be listened on: ${system?.address} is not an address of this machine (${hostOption})`;
  }
  if (system?.code !== 'ENOTFOUND' || system.hostname === undefined) return undefined;
  return `${system.hostname} is not known as a host name here: choose another address to listen on (${hostOption})`;
}

/** The system error in an error or in what caused it. */
function systemErrorIn(error: unknown): SystemError | undefined {
  if (!(error instanceof Error)) return undefined;
  const isSystemError = 'code' in error && 'syscall' in error && typeof error.code === 'string';
  return isSystemError ? (error as Error & SystemError) : systemErrorIn(error.cause);
}
