import { EventEmitter } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isObject, type Json, member } from '../protocol/json.js';
import { type Asked, ask } from './ask.js';
import type { Epoch, RemoteLink } from './link.js';

/** What the promises we can keep depend on (replication 3 and 5). */
export interface RemoteTraits {
  /** Where the engine keeps its state. */
  adapter: 'kv' | 'redis' | 'bridge' | 'unknown';
  /** Whether it tells of changes at all. */
  triggersEnabled: boolean | 'unknown';
  /** State is a worker of its own there, which answers in other shapes (observe 7.1). */
  standalone: boolean;
  /** What we sent on an earlier connection can be proven to be over. */
  fenceable: boolean;
  /** It is a gateway like this one: it drops a repeat of a receipt that it has taken. */
  knowsReceipts: boolean;
  /** It has `state::compare-and-set`. */
  comparesAndSets: boolean;
}

const UNKNOWN: RemoteTraits = {
  adapter: 'unknown',
  triggersEnabled: 'unknown',
  standalone: false,
  fenceable: false,
  knowsReceipts: false,
  comparesAndSets: false,
};

/** The name of the worker that newer engines keep State in, instead of a part of their own. */
const STANDALONE_WORKER = 'state';

/** Asks the engine once per connection what it is like, and emits `known`; all is unknown before and between. */
export class TraitsOfRemote extends EventEmitter<{ known: [RemoteTraits] }> {
  private traits = UNKNOWN;
  private epoch: string | undefined;

  constructor(private readonly link: Pick<RemoteLink, 'on' | 'call'>) {
    super();
    link.on('open', (epoch) => void this.learn(epoch));
    link.on('status', ({ state }) => {
      if (state !== 'open') this.forget();
    });
  }

  get current(): RemoteTraits {
    return this.traits;
  }

  private async learn(epoch: Epoch): Promise<void> {
    this.epoch = epoch.id;
    await nextTurn(); // registrations go first: until they stand, changes are missed
    const traits = await readTraits(this.link, epoch);
    if (this.epoch !== epoch.id) return; // the link was lost while the engine was asked
    this.traits = traits;
    this.emit('known', traits);
  }

  private forget(): void {
    this.epoch = undefined;
    this.traits = UNKNOWN;
  }
}

/** Never rejects: what an engine will not tell is unknown. */
async function readTraits(link: Asked, { reattachable }: Epoch): Promise<RemoteTraits> {
  // One after the other: an engine that does not answer must not fill the window with our questions.
  const stateOwner = await ownerOf(link, 'state::set');
  const receiptOwner = await ownerOf(link, 'gateway::receipt');
  const comparer = await ownerOf(link, 'state::compare-and-set');
  const standalone = stateOwner === STANDALONE_WORKER;
  // An engine that moved to the worker may still have the entry of its former part.
  const id = standalone ? STANDALONE_WORKER : 'iii-state';
  const entry = await ask(link, 'configuration::get', { id }).catch(() => undefined);
  const settings = isObject(entry) ? member(entry, 'value') : undefined;
  const adapter = adapterIn(settings);
  return {
    adapter,
    triggersEnabled: triggersEnabledIn(settings),
    standalone,
    fenceable: reattachable && (adapter === 'kv' || adapter === 'redis'),
    knowsReceipts: isOfOneGateway(receiptOwner, stateOwner) && (adapter === 'kv' || adapter === 'bridge'),
    // A remote that passes calls on can compare only while its own remote is there.
    comparesAndSets: comparer !== undefined && comparer === stateOwner && adapter !== 'bridge',
  };
}

/** A gateway's own listener says its functions are of parts with these names; a gateway that serves an engine has one. */
function isOfOneGateway(receiptOwner: Json | undefined, stateOwner: Json | undefined): boolean {
  if (receiptOwner === undefined) return false;
  return receiptOwner === stateOwner || (receiptOwner === 'iii-state-gateway' && stateOwner === 'iii-state');
}

/** Undefined: there is no such function, or the engine will not tell. */
async function ownerOf(link: Asked, functionId: string): Promise<Json | undefined> {
  const answer = await ask(link, 'engine::functions::info', { function_id: functionId }).catch(
    () => undefined,
  );
  return isObject(answer) ? member(answer, 'worker_name') : undefined;
}

/** What was never set is left out of the entry, and has its default. */
function adapterIn(settings: Json | undefined): RemoteTraits['adapter'] {
  if (!isObject(settings)) return 'unknown';
  const adapter = member(settings, 'adapter') ?? { name: 'kv' };
  const name = isObject(adapter) ? member(adapter, 'name') : undefined;
  return name === 'kv' || name === 'redis' || name === 'bridge' ? name : 'unknown';
}

function triggersEnabledIn(settings: Json | undefined): RemoteTraits['triggersEnabled'] {
  if (!isObject(settings)) return 'unknown';
  const enabled = member(settings, 'triggers_enabled') ?? true;
  return typeof enabled === 'boolean' ? enabled : 'unknown';
}
