import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { GatewayError, messageOf } from '../errors.js';
import type { Logger } from '../logger.js';

const OWNER_ONLY = 0o600;
const EVERYBODY_ELSE = 0o077;
const BYTES = 32;

/** Where the token lies in a gateway's data folder. */
export function tokenFile(dataDir: string): string {
  return join(dataDir, 'admin-token');
}

/** The secret that whoever changes something or sees values must know: who can read the data folder does. */
export class AdminToken {
  private readonly digest: Buffer;

  constructor(token: string) {
    this.digest = digestOf(token);
  }

  /** Takes as long for a wrong token as for the right one. */
  is(presented: string): boolean {
    return timingSafeEqual(this.digest, digestOf(presented));
  }
}

/** Digests are of one length, which `timingSafeEqual` wants, and tell nothing by how far they agree. */
function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/**
 * The token kept in a data folder; a folder without one gets one. The folder must be there, and ours alone.
 * @throws GatewayError `GATEWAY_STORAGE` when it cannot be read, made or closed to others, or is no token.
 */
export async function openToken(dataDir: string, logger: Logger): Promise<AdminToken> {
  const path = tokenFile(dataDir);
  try {
    const kept = (await readKept(path, logger)) ?? (await makeToken(dataDir, path));
    return new AdminToken(checked(kept, path));
  } catch (cause) {
    if (cause instanceof GatewayError) throw cause;
    const message = `The admin token ${path} cannot be used (${messageOf(cause)}): see that this program may read and write it`;
    throw new GatewayError('GATEWAY_STORAGE', message, { cause });
  }
}

/** Undefined if there is none yet. */
async function readKept(path: string, logger: Logger): Promise<string | undefined> {
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (!file) return undefined;
  try {
    await closeToOthers(file, path, logger);
    return (await file.readFile('utf8')).trim();
  } finally {
    await file.close();
  }
}

async function closeToOthers(file: FileHandle, path: string, logger: Logger): Promise<void> {
  if (process.platform === 'win32') return; // rights are not in the mode there
  const { mode } = await file.stat();
  if ((mode & EVERYBODY_ELSE) === 0) return;
  await file.chmod(OWNER_ONLY);
  logger.warn(
    { file: path },
    'the admin token was open to other users of this machine, and is no longer; if one of them may have read it, delete the file and start again for a new one',
  );
}

/** Written beside its place and then moved there: a crash leaves the whole token or none. */
async function makeToken(dataDir: string, path: string): Promise<string> {
  const token = randomBytes(BYTES).toString('base64url');
  const draft = `${path}.new`;
  await rm(draft, { force: true });
  const { O_CREAT, O_EXCL, O_WRONLY } = constants;
  const file = await open(draft, O_CREAT | O_EXCL | O_WRONLY, OWNER_ONLY);
  try {
    await file.writeFile(`${token}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
  await syncFolder(dataDir);
  return token;
}

async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return; // folders cannot be opened there
  const handle = await open(folder, 'r');
  await handle.sync().finally(() => handle.close());
}

/** A token of the operator's own is as good as ours, if a header can carry it. */
function checked(token: string, path: string): string {
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  const what = token === '' ? 'is empty' : 'is not one word of printable ASCII';
  throw new GatewayError(
    'GATEWAY_STORAGE',
    `The admin token ${path} ${what}: delete the file, and the next start makes a new one`,
  );
}
