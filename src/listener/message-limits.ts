import { MAX_MESSAGE_BYTES } from '../protocol/text-frames.js';
import type { WorkerInfo } from '../router/worker.js';

const SMALL_MESSAGE_BYTES = 1024 * 1024;

/**
 * The largest message that a worker reads, in bytes. Python SDKs before 0.24.5 close the connection on anything
 * over 1 MiB, and the awaiting call times out (observe 2.5).
 */
export function maxMessageBytes(info: WorkerInfo | undefined): number {
  if (info?.runtime !== 'python' || info.features.includes('large-messages.v1')) return MAX_MESSAGE_BYTES;
  return isAtLeast(info.version, [0, 24, 5]) ? MAX_MESSAGE_BYTES : SMALL_MESSAGE_BYTES;
}

function isAtLeast(version: string, wanted: readonly number[]): boolean {
  const parts = version.split(/[.-]/).map((part) => Number.parseInt(part, 10));
  for (const [place, least] of wanted.entries()) {
    const part = parts[place] ?? 0;
    if (part !== least) return part > least;
  }
  return true;
}
