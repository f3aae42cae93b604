import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

interface Address {
  host: string;
  port: number;
}

function fileIn(dataDir: string): string {
  return join(dataDir, 'admin-address');
}

/** An address as others reach it: who listens on every address is found on this machine's own. */
export function urlOf({ host, port }: Address): string {
  if (host === '0.0.0.0') return `http://127.0.0.1:${port}`;
  if (host === '::') return `http://[::1]:${port}`;
  return host.includes(':') ? `http://[${host}]:${port}` : `http://${host}:${port}`;
}

/** Leaves word in the data folder of where the admin server is, so that commands find one on any port. */
export async function leaveAddress(dataDir: string, address: Address): Promise<void> {
  const draft = `${fileIn(dataDir)}.new`;
  await writeFile(draft, `${urlOf(address)}\n`);
  await rename(draft, fileIn(dataDir));
}

export async function removeAddress(dataDir: string): Promise<void> {
  await rm(fileIn(dataDir), { force: true });
}

/** What was left; undefined where no gateway runs, or one without an admin server. */
export async function findAddress(dataDir: string): Promise<string | undefined> {
  const text = await readFile(fileIn(dataDir), 'utf8').catch(() => '');
  const url = text.trim();
  return URL.canParse(url) ? url : undefined;
}
