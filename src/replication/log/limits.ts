import { GatewayError } from '../../errors.js';

export interface LogLimits {
  entries: number;
  bytes: number;
  /** Age that the oldest entry may reach; 0: any. */
  ageMs: number;
  laneEntries: number;
  minFreeBytes: number;
}

/** What the log holds at the moment. */
export interface LogFill {
  entries: number;
  bytes: number;
  oldestAgeMs: number;
  freeBytes: number;
}

/** Why nothing more may be logged, in words; undefined if it may. */
export function fullness(limits: LogLimits, fill: LogFill): string | undefined {
  if (fill.entries >= limits.entries) return `it holds ${limits.entries} writes (limits.log_entries)`;
  if (fill.bytes >= limits.bytes) return `it holds ${limits.bytes} bytes (limits.log_bytes)`;
  if (limits.ageMs > 0 && fill.oldestAgeMs > limits.ageMs) {
    return `its oldest write is older than ${limits.ageMs} ms (limits.log_age_ms)`;
  }
  if (fill.freeBytes < limits.minFreeBytes) {
    return `the disk has less than ${limits.minFreeBytes} bytes free (limits.min_free_bytes)`;
  }
  return undefined;
}

/** How long a caller should wait before it tries again. */
const RETRY_AFTER_MS = 5000;

export function backlogFull(reason: string): GatewayError {
  return new GatewayError(
    'GATEWAY_BACKLOG_FULL',
    `The write was not accepted: the remote engine does not take writes, and the log is full: ${reason}. retry_after_ms=${RETRY_AFTER_MS}`,
  );
}
