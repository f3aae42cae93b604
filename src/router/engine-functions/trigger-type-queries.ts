import { GatewayError } from '../../errors.js';
import type { Members } from '../../protocol/members.js';
import { type BuiltIn, type Call, DEFAULT_NAMESPACE } from '../functions.js';
import type { Router } from '../router.js';
import type { TriggerType } from '../triggers.js';
import { answering, flag } from './input.js';
import { ownerOfType } from './owners.js';
import { byId, holds } from './rows.js';
import { descriptionOf, liveTriggers, triggerSummary, typeDetail, typeSummary } from './trigger-rows.js';

/** `engine::triggers::list`: the types of triggers; SDKs before 0.11 read triggers there (wire protocol 9.2). */
export function listTriggerTypes(router: Router): BuiltIn {
  return answering('Lists the types of triggers', readFilter, (filter, call) => ({
    triggers: expectsTriggers(call)
      ? liveTriggers(router).map((trigger) => triggerSummary(trigger, router))
      : [...router.triggers.allTypes()].filter(matches(filter)).sort(byId).map(typeSummary),
  }));
}

/** `engine::triggers::info` (wire protocol 9.2). */
export function describeTriggerType(router: Router): BuiltIn {
  return answering(
    'Shows a type of triggers with its schemas',
    (input) => ({ id: input.string('id'), namespace: input.optional('namespace') ?? DEFAULT_NAMESPACE }),
    ({ id, namespace }) => {
      const types = [...router.triggers.allTypes()];
      const found = types.find((type) => type.id === id && type.namespace === namespace);
      if (found) return typeDetail(found, router);
      throw new GatewayError(
        'NOT_FOUND',
        `Trigger type '${id}' is not registered in namespace '${namespace}'.`,
      );
    },
  );
}

interface Filter {
  search: string | undefined;
  prefix: string;
  worker: string | undefined;
  includeInternal: boolean;
}

function readFilter(input: Members): Filter {
  return {
    search: input.optional('search'),
    prefix: input.optional('prefix') ?? '',
    worker: input.optional('worker'),
    includeInternal: flag(input, 'include_internal'),
  };
}

function matches({ search, prefix, worker, includeInternal }: Filter) {
  return (type: TriggerType) =>
    type.id.startsWith(prefix) &&
    (includeInternal || !type.id.startsWith('engine::')) &&
    (worker === undefined || ownerOfType(type) === worker) &&
    holds(search, type.id, descriptionOf(type));
}

/** The list changed its meaning when 0.11 came; the version that a worker announces is its SDK's. */
function expectsTriggers({ caller }: Call): boolean {
  return /^0\.(?:\d|10)\./.test(caller?.info?.version ?? '');
}
