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

/** What a store says of its gateway. */
export interface KeptIdentity {
  id: string;
  /** Who it was before it was taken over as a copy, the last one first: receipts bear these ids. */
  formerIds?: readonly string[];
  /** The name of this very store, which its mark knows too (`high-water-mark.ts`); older stores have none. */
  incarnation?: string;
  session?: RemoteSession;
}

export const IDENTITY_KEY = 'meta/identity';

/** Undefined: it is damaged. */
export function decodeIdentity(body: Buffer): KeptIdentity | undefined {
  const kept = JSON.parse(body.toString()) as KeptIdentity;
  return isUuid(kept.id) ? kept : undefined;
}

export function encodeIdentity(kept: KeptIdentity): Buffer {
  return Buffer.from(JSON.stringify(kept));
}

/** Who a copy is once it is taken over; the place at the remote stays with the original. */
export function adopted({ id, formerIds = [] }: KeptIdentity, newId: string): KeptIdentity {
  return { id: newId, formerIds: [id, ...formerIds] };
}

/**
 * The identity kept in a store; undefined: it holds nothing yet.
 * @throws GatewayError `GATEWAY_STORAGE` when it is damaged or lost: a new one would make a stranger of us at the remote.
 */
export async function readIdentity(database: Database, advice: string): Promise<KeptIdentity | undefined> {
  const record = database.read(IDENTITY_KEY);
  const [, second] = record ? [] : await database.level.keys({ limit: 2 }).all();
  if (!record && second === undefined) return undefined; // beside its format
  const body = record && openRecord(IDENTITY_KEY, record);
  const kept = body && decodeIdentity(body);
  if (kept) return kept;
  const what = record ? 'damaged' : 'missing';
  throw new GatewayError(
    'GATEWAY_STORAGE',
    `The identity in the storage folder ${database.folder} is ${what}, and with another one this gateway would be taken for somebody else. ${advice}`,
  );
}

/** Who this gateway is, the same from the first start on, and its last place at the remote engine. */
export class Identity {
  constructor(
    private kept: KeptIdentity,
    private readonly writes: GroupCommit,
  ) {}

  get id(): string {
    return this.kept.id;
  }

  /** Who it was before it was taken over as a copy. */
  get formerIds(): readonly string[] {
    return this.kept.formerIds ?? [];
  }

  recall(): RemoteSession | undefined {
    return this.kept.session;
  }

  /** Keeps our place at the remote. One that is lost costs a reattach, so failing to write it fails nothing else. */
  remember(session: RemoteSession): void {
    this.kept = { ...this.kept, session };
    this.write().catch(() => undefined); // the database has logged it
  }

  /** Keeps the name of the store. */
  nameStore(incarnation: string): Promise<void> {
    this.kept = { ...this.kept, incarnation };
    return this.write();
  }

  write(): Promise<void> {
    return this.writes.commit([putRecord(IDENTITY_KEY, encodeIdentity(this.kept))]);
  }
}
