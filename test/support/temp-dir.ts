import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TempDir {
  path: string;
  remove(): Promise<void>;
}

/** A new empty folder; whoever makes it removes it. */
export async function tempDir(): Promise<TempDir> {
  const path = await mkdtemp(join(tmpdir(), 'iii-state-gateway-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}
