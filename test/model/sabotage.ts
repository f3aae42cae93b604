import { isObject, type Json, type JsonObject, member, printJson } from '../../src/protocol/json.js';
import type { Answer } from './exact-worker.js';
import type { StateFunctionCall, Tamper } from './site.js';

/** A wrong behaviour between the worker and the gateway, to see whether the model notices it. */
export interface Sabotage {
  name: string;
  /** A new one for each life: some have to remember. */
  plant(): Tamper;
}

const WRITES = ['state::set', 'state::delete', 'state::update'];

export const SABOTAGES: readonly Sabotage[] = [
  {
    name: 'a key that is not known reads as absent',
    plant: () => answers('state::get', (answer) => (isUnknown(answer) ? { kind: 'no-result' } : answer)),
  },
  {
    name: 'a stored null reads as absent',
    plant: () =>
      answers('state::get', (answer) => (resultOf(answer) === null ? { kind: 'no-result' } : answer)),
  },
  {
    name: 'a read gives what the same read gave before',
    plant: rememberingReads,
  },
  {
    name: 'an accepted set is lost',
    plant: () => losingSets,
  },
  {
    name: 'a write reaches the hub twice',
    plant: () => async (call, ask) => {
      const answer = await ask(call);
      if (call.functionId === 'state::update' && isPending(answer)) await ask(call);
      return answer;
    },
  },
  {
    name: 'an answer given on its own does not say that the base is unknown',
    plant: () => objects('state::set', ({ base: _, ...others }) => others),
  },
  {
    name: 'an answer given on its own has no old value',
    plant: () =>
      objects('state::update', (result) => ('pending' in result ? { ...result, old_value: null } : result)),
  },
  {
    name: 'numbers are read as JSON.parse reads them',
    plant: () => async (call, ask) => mapValue(await ask(call), rounded),
  },
  {
    name: 'operations that were skipped are not told',
    plant: () => objects('state::update', ({ errors: _, ...others }) => others),
  },
  {
    name: 'a list lacks its last value',
    plant: () => answers('state::list', (answer) => mapValue(answer, withoutLast)),
  },
  {
    name: 'the groups lack their last scope',
    plant: () => objects('state::list_groups', ({ groups }) => ({ groups: withoutLast(groups as Json) })),
  },
  {
    name: 'a deleted key is listed among the keys',
    plant: keepingNames,
  },
  {
    name: 'something is written that nobody sent',
    plant: () => async (call, ask) => {
      const input = { scope: 'stray', key: 'k', value: 1 };
      if (call.functionId === 'state::delete') await ask({ functionId: 'state::set', input });
      return ask(call);
    },
  },
  {
    name: 'a receipt is given twice',
    plant: () => objects('state::set', sameReceipt()),
  },
];

function rememberingReads(): Tamper {
  const first = new Map<string, Answer>();
  return async (call, ask) => {
    const answer = await ask(call);
    if (call.functionId !== 'state::get' || isUnknown(answer)) return answer;
    const place = JSON.stringify([call.input, Object.keys(call.input)]);
    const earlier = first.get(place);
    first.set(place, earlier ?? answer);
    return earlier ?? answer;
  };
}

/** Every other set offline is answered as it would be, and undone. */
async function losingSets(call: StateFunctionCall, ask: Parameters<Tamper>[1]): Promise<Answer> {
  const answer = await ask(call);
  if (call.functionId !== 'state::set' || !isPending(answer)) return answer;
  const { scope, key } = call.input as { scope: string; key: string };
  await ask({ functionId: 'state::delete', input: { scope, key } });
  return answer;
}

function keepingNames(): Tamper {
  const names = new Map<Json | undefined, Set<string>>();
  return async (call, ask) => {
    const answer = await ask(call);
    const { scope, key } = call.input;
    const known = names.get(scope) ?? new Set<string>();
    names.set(scope, known);
    if (WRITES.includes(call.functionId) && call.functionId !== 'state::delete') known.add(String(key));
    if (call.functionId !== 'state::list_keys' || answer.kind !== 'result') return answer;
    return { kind: 'result', value: { keys: [...known] } };
  };
}

function sameReceipt(): (result: JsonObject) => JsonObject {
  let first: Json | undefined;
  return (result) => {
    first ??= result['receipt'];
    return first !== undefined && 'receipt' in result ? { ...result, receipt: first } : result;
  };
}

function answers(functionId: string, change: (answer: Answer) => Answer): Tamper {
  return async (call, ask) => {
    const answer = await ask(call);
    return call.functionId === functionId ? change(answer) : answer;
  };
}

function objects(functionId: string, change: (result: JsonObject) => JsonObject): Tamper {
  return answers(functionId, (answer) =>
    mapValue(answer, (value) => (isObject(value) ? change(value) : value)),
  );
}

function mapValue(answer: Answer, change: (value: Json) => Json): Answer {
  return answer.kind === 'result' ? { kind: 'result', value: change(answer.value) } : answer;
}

function resultOf(answer: Answer): Json | undefined {
  return answer.kind === 'result' ? answer.value : undefined;
}

function isUnknown(answer: Answer): boolean {
  return answer.kind === 'error' && answer.code === 'GATEWAY_OFFLINE_UNKNOWN';
}

function isPending(answer: Answer): boolean {
  const value = resultOf(answer);
  return isObject(value) && member(value, 'pending') === true;
}

/** As `JSON.parse` reads it. */
function rounded(value: Json): Json {
  return JSON.parse(printJson(value)) as Json;
}

function withoutLast(value: Json): Json {
  return Array.isArray(value) ? value.slice(0, -1) : value;
}
