import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GatewayError } from '../errors.js';
import { isUuid } from '../protocol/uuid.js';

/** Who this gateway is, kept in `data_dir/identity.json` from the first start on. */
export interface Identity {
  id: string;
  /** Our last place as a worker of the remote engine. */
  session?: { workerId: string; reattachToken?: string };
}

/**
 * The identity of a data folder; the first start makes one.
 * @throws GatewayError `GATEWAY_STORAGE` when the folder cannot be written or the file is damaged: a new identity
 * would make a stranger of us at the remote, so none is made up.
 */
export class IdentityFile {
  private readonly path: string;
  private identity: Identity;

  constructor(dataDir: string, randomUuid: () => string) {
    this.path = join(dataDir, 'identity.json');
    this.identity = read(this.path) ?? { id: randomUuid() };
    try {
      mkdirSync(dataDir, { recursive: true });
      this.write(this.identity);
    } catch (cause) {
      throw new GatewayError(
        'GATEWAY_STORAGE',
        `The data folder ${dataDir} cannot be written: check its rights`,
        { cause },
      );
    }
  }

  get id(): string {
    return this.identity.id;
  }

  recall(): Identity['session'] {
    return this.identity.session;
  }

  /** Keeps our place at the remote. Losing it costs a reattach, so a failure to write is no failure of the link. */
  remember(session: NonNullable<Identity['session']>): void {
    this.identity = { ...this.identity, session };
    try {
      this.write(this.identity);
    } catch {
      // kept in memory all the same
    }
  }

  /** Written aside and renamed, so that a crash leaves the old file or the new one. The token is ours alone. */
  private write(identity: Identity): void {
    const aside = `${this.path}.new`;
    writeFileSync(aside, `${JSON.stringify(identity)}\n`, { mode: 0o600, flush: true });
    renameSync(aside, this.path);
  }
}

function read(path: string): Identity | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return undefined; // a first start; a folder that cannot be read cannot be written either, which is told
  }
  try {
    const identity = JSON.parse(text) as Identity;
    if (isUuid(identity.id)) return identity;
  } catch {
    // told below
  }
  throw new GatewayError(
    'GATEWAY_STORAGE',
    `${path} is damaged: restore it from a backup, or delete it if nobody may mistake this gateway for another`,
  );
}
