/**
 * How a remote engine is asked for State changes. Engines up to 0.25 have a trigger type `state`; from 0.26 on
 * there are no triggers, and a change is an observed call of `state::on-changed` (observe 6.2). Nothing else in
 * this program knows the difference.
 */
import { isObject, type Json, member } from '../protocol/json.js';
import type { InvokeFunction, Message } from '../protocol/messages.js';
import { Payload } from '../protocol/payload.js';
import { readChange, type StateChange } from '../protocol/state-event.js';

const CHANGE_FUNCTION = 'state::on-changed';

export type ChangeSource = 'trigger' | 'observer';

/** What it needs to know of the engine; `ask` calls one of its functions. */
export interface EngineTraits {
  features: readonly string[];
  ask(functionId: string, data: Json): Promise<Json | undefined>;
}

/** Which of the two this engine has; never both, or every change would come twice. */
export async function chooseChangeSource(engine: EngineTraits): Promise<ChangeSource> {
  if (engine.features.includes('observe.v2')) return 'observer';
  if (!engine.features.includes('observe.v1')) return 'trigger';
  // 0.25 has observers, but usually a state worker that still fires triggers: the function's presence decides.
  const answer = await engine.ask('engine::functions::info', { function_ids: [CHANGE_FUNCTION] });
  return offers(answer, CHANGE_FUNCTION) ? 'observer' : 'trigger';
}

function offers(answer: Json | undefined, functionId: string): boolean {
  const rows = isObject(answer) ? member(answer, 'functions') : undefined;
  if (!Array.isArray(rows)) return false;
  return rows.some(
    (row) => isObject(row) && member(row, 'function_id') === functionId && member(row, 'error') === undefined,
  );
}

/** Asks for the changes of one scope, or of all (`undefined`), to be sent to a function of ours. */
export function subscribe(
  source: ChangeSource,
  id: string,
  scope: string | undefined,
  functionId: string,
): Message {
  if (source === 'trigger') {
    const config = scope === undefined ? {} : { scope };
    return { type: 'registertrigger', id, trigger_type: 'state', function_id: functionId, config };
  }
  const filters = scope === undefined ? {} : { 'input.scope': { $eq: scope } };
  return {
    type: 'observe',
    id,
    source: { function_id: CHANGE_FUNCTION, filters, capture: ['input'] },
    target: { function_id: functionId },
    max_in_flight: 1,
  };
}

export function unsubscribe(source: ChangeSource, id: string): Message {
  if (source === 'trigger') return { type: 'unregistertrigger', id, trigger_type: 'state' };
  return { type: 'unobserve', id };
}

/** The change that a call of our feed function brings; `undefined` if it brings none. */
export function changeIn(source: ChangeSource, call: InvokeFunction): StateChange | undefined {
  if (source === 'trigger') return readChange(call.data);
  const envelope = call.data.value;
  const input = isObject(envelope) ? member(envelope, 'input') : undefined;
  return input === undefined ? undefined : readChange(Payload.of(input));
}
