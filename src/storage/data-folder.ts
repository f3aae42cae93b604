import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Service } from '../lifecycle.js';
import type { Logger } from '../logger.js';
import { Database } from './database.js';
import { GroupCommit } from './group-commit.js';
import { Identity } from './identity.js';

/** The gateway's own store in its data folder. While it is open, no other gateway can start on that folder. */
export class DataFolder implements Service {
  readonly name = 'data folder';
  /** Where everything is kept; open between start and stop. */
  readonly database: Database;
  private opened: { writes: GroupCommit; identity: Identity } | undefined;

  constructor(dataDir: string, logger: Logger) {
    this.database = new Database(join(dataDir, 'store'), logger);
  }

  /** @throws GatewayError `GATEWAY_STORAGE`: in use by another process, not writable, damaged. */
  async start(): Promise<void> {
    if (this.opened) return;
    await this.database.open();
    try {
      const writes = new GroupCommit(this.database, { sync: 'every-write' });
      this.opened = { writes, identity: await Identity.open(this.database, writes, randomUUID) };
    } catch (error) {
      await this.database.close();
      throw error;
    }
  }

  async stop(): Promise<void> {
    const { opened } = this;
    this.opened = undefined;
    try {
      await opened?.writes.close();
    } finally {
      await this.database.close();
    }
  }

  /** Who this gateway is; known once started. */
  get identity(): Identity {
    if (this.opened) return this.opened.identity;
    throw new TypeError('the data folder is not open');
  }
}
