/** The trigger types by which workers hear of each other (wire protocol 7.3). */
import type { Json } from '../protocol/json.js';
import { Payload } from '../protocol/payload.js';
import { functionSummary } from './engine-functions/function-rows.js';
import { byId } from './engine-functions/rows.js';
import type { RegisteredFunction } from './functions.js';
import type { Router } from './router.js';
import type { Trigger, TriggerSource } from './triggers.js';

/** A crowd of workers that comes back is told of in a few long lists, not in one list for each of them. */
const PAUSE_MS = 100;

export interface EngineEventOptions {
  /** Runs something a little later. */
  defer?(work: () => void): void;
}

/** Offers `engine::functions-available` and `engine::workers-available`; their configs are not looked at. */
export function offerEngineEvents(router: Router, { defer = afterPause }: EngineEventOptions = {}): void {
  const ofFunctions = new Subscribers(router, 'Fires when functions come or go');
  const ofWorkers = new Subscribers(router, 'Fires when workers come, go or introduce themselves');
  router.triggers.offerType('engine::functions-available', ofFunctions);
  router.triggers.offerType('engine::workers-available', ofWorkers);

  const changes = new NetChanges();
  router.functions.on('change', (change, entry) => {
    if (!changes.isDue) defer(() => changes.take() && ofFunctions.tell(() => functionsEvent(router)));
    changes.note(change, entry);
  });
  router.workers.on('change', (event, worker) => ofWorkers.tell(() => ({ event, worker_id: worker.id })));
}

function afterPause(work: () => void): void {
  setTimeout(work, PAUSE_MS).unref();
}

function functionsEvent(router: Router): Json {
  const functions = [...router.functions.all()].sort(byId).map(functionSummary);
  return { event: 'functions_changed', functions };
}

/** Who wants to hear of something; an event is made once, and only if there is somebody. */
class Subscribers implements TriggerSource {
  private readonly triggers = new Set<Trigger>();

  constructor(
    private readonly router: Router,
    readonly description: string,
  ) {}

  add(trigger: Trigger): void {
    this.triggers.add(trigger);
  }

  remove(trigger: Trigger): void {
    this.triggers.delete(trigger);
  }

  tell(makeEvent: () => Json): void {
    if (this.triggers.size === 0) return;
    const event = Payload.of(makeEvent());
    for (const trigger of this.triggers) this.router.fire(trigger, event);
  }
}

/** Which functions came or went since the last look; one that came back in between has not gone. */
class NetChanges {
  private readonly noted = new Map<string, 'added' | 'removed'>();
  /** Whether somebody is going to look. */
  isDue = false;

  note(change: 'added' | 'removed', { namespace, id }: RegisteredFunction): void {
    this.isDue = true;
    const key = `${namespace}\u0000${id}`;
    if ((this.noted.get(key) ?? change) === change) this.noted.set(key, change);
    else this.noted.delete(key);
  }

  /** Whether anything is different; from now on only later changes count. */
  take(): boolean {
    const isDifferent = this.noted.size > 0;
    this.noted.clear();
    this.isDue = false;
    return isDifferent;
  }
}
