import type { Payload } from '../../protocol/payload.js';
import type { Freshness } from '../mirror/freshness.js';
import type { Mirror } from '../mirror/mirror.js';
import type { OwnWrites } from '../own-writes.js';
import type { RemoteCaller } from '../remote-caller.js';
import type { ReadRules } from './reader-wishes.js';

/** What a reader reads from. */
export interface ReaderOptions {
  remote: Pick<RemoteCaller, 'available' | 'call'>;
  mirror: Pick<Mirror, 'get' | 'asking' | 'learnAnswer' | 'presentIn' | 'scopes'>;
  own: OwnWrites;
  freshness: Pick<Freshness, 'mayServe' | 'readIssued' | 'readAnswered'>;
  stamp: (metadata: Payload | undefined) => Payload;
  /** How long one call waits for the remote. */
  patienceMs: number;
  /** Somebody wants to read the scope from the mirror: its changes should be followed. */
  follow: (scope: string) => void;
  rulesFor: (scope: string) => ReadRules;
  /** The link's present epoch. */
  epoch: () => string | undefined;
  now: () => number;
}
