import { GatewayError } from '../errors.js';
import { isUuid } from '../protocol/uuid.js';
import type { Database } from './database.js';
import type { GroupCommit } from './group-commit.js';
import { openRecord, putRecord } from './record.js';

/** A place as a worker of the remote engine; the token lets us ask for it back. */
export interface RemoteSession {
  workerId: string;
  reattachToken?: string;
}

interface Kept {
  id: string;
  session?: RemoteSession;
}

const KEY = 'meta/identity';

/** Who this gateway is, the same from the first start on, and its last place at the remote engine. */
export class Identity {
  private constructor(
    private kept: Kept,
    private readonly writes: GroupCommit,
  ) {}

  /**
   * The identity kept in a store; a store without one gets one.
   * @throws GatewayError `GATEWAY_STORAGE` when it is damaged: a new one would make a stranger of us at the remote.
   */
  static async open(database: Database, writes: GroupCommit, randomUuid: () => string): Promise<Identity> {
    const kept = read(database);
    const identity = new Identity(kept ?? { id: randomUuid() }, writes);
    if (!kept) await identity.write();
    return identity;
  }

  get id(): string {
    return this.kept.id;
  }

  recall(): RemoteSession | undefined {
    return this.kept.session;
  }

  /** Keeps our place at the remote. One that is lost costs a reattach, so failing to write it fails nothing else. */
  remember(session: RemoteSession): void {
    this.kept = { ...this.kept, session };
    this.write().catch(() => undefined); // the database has logged it
  }

  private write(): Promise<void> {
    return this.writes.commit([putRecord(KEY, Buffer.from(JSON.stringify(this.kept)))]);
  }
}

function read(database: Database): Kept | undefined {
  const record = database.read(KEY);
  if (!record) return undefined;
  const body = openRecord(KEY, record);
  const kept = body && (JSON.parse(body.toString()) as Kept);
  if (kept && isUuid(kept.id)) return kept;
  throw new GatewayError(
    'GATEWAY_STORAGE',
    `The identity kept in ${database.folder} is damaged: bring the folder back from a copy, or start on an empty one if nobody may mistake this gateway for another`,
  );
}
