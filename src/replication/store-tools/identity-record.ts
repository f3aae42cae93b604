import { isUuid } from '../../protocol/uuid.js';
import { adopted, decodeIdentity, IDENTITY_KEY, type KeptIdentity } from '../../storage/identity.js';
import { rangeOfSpace } from '../../storage/scoped-keys.js';
import { CONFLICTS } from '../log/layout.js';
import type { MarkState } from './mark.js';
import { rowsOf } from './rows.js';
import { soundBody } from './spaces.js';
import type { StoreCopy } from './store-copy.js';

/** Who the gateway is to be, and the name of the store that is made. */
export interface NextIdentity {
  identity: KeptIdentity & { incarnation: string };
  /** It is not what the old store says, or the old store does not say it. */
  isNew: boolean;
  /** The mark beside the store speaks of another one. */
  needsMark: boolean;
}

/** It stays who it is, unless it is to be another, or nothing in the store tells. */
export async function nextIdentity(
  store: StoreCopy,
  mark: MarkState,
  { adopt, randomUuid }: { adopt: boolean; randomUuid: () => string },
): Promise<NextIdentity> {
  const said = keptIn(store);
  const old = said ?? { id: (await idInReceipts(store)) ?? randomUuid() };
  const next = adopt ? adopted(old, randomUuid()) : old;
  const isMarked = mark.kind === 'fits' && !adopt;
  return {
    identity: { ...next, incarnation: isMarked ? mark.incarnation : randomUuid() },
    isNew: next.id !== said?.id,
    needsMark: !isMarked,
  };
}

/** Who the gateway is, if anything in the store still tells. */
export async function idOf(store: StoreCopy): Promise<string | undefined> {
  return keptIn(store)?.id ?? (await idInReceipts(store));
}

function keptIn(store: StoreCopy): KeptIdentity | undefined {
  const record = store.read(IDENTITY_KEY);
  const body = record && soundBody(IDENTITY_KEY, record);
  return body && decodeIdentity(body);
}

/** The newest conflict tells best: older ones may bear the id of who the gateway was before. */
async function idInReceipts(store: StoreCopy): Promise<string | undefined> {
  let newest: string | undefined;
  for await (const rows of rowsOf(store, rangeOfSpace(CONFLICTS))) {
    for (const [key, record] of rows) {
      const body = soundBody(key, record);
      const receipt = body && (JSON.parse(body.toString()) as { receipt: string }).receipt;
      const id = receipt?.slice(0, receipt.lastIndexOf('-'));
      if (id !== undefined && isUuid(id)) newest = id;
    }
  }
  return newest;
}
