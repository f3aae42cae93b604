import { GatewayError } from '../../errors.js';
import { type Members, present } from '../../protocol/members.js';
import type { BuiltIn } from '../functions.js';
import type { Router } from '../router.js';
import type { Trigger } from '../triggers.js';
import { functionDetail } from './function-rows.js';
import { answering, flag } from './input.js';
import { ownerOfTrigger } from './owners.js';
import { holds } from './rows.js';
import { liveTriggers, triggerSummary, typeDetail } from './trigger-rows.js';

/** `engine::registered-triggers::list`: a trigger is live when it is in here (wire protocol 9.2). */
export function listRegisteredTriggers(router: Router): BuiltIn {
  return answering('Lists the triggers that are served', readFilter, (filter) => ({
    registered_triggers: liveTriggers(router)
      .filter(matches(filter, router))
      .map((trigger) => triggerSummary(trigger, router)),
  }));
}

/** `engine::registered-triggers::info` (wire protocol 9.2). */
export function describeRegisteredTrigger(router: Router): BuiltIn {
  return answering(
    'Shows a trigger with its type and its function',
    (input) => input.string('id'),
    (id) => {
      const trigger = router.triggers.find(id);
      const type = trigger && router.triggers.typeServing(trigger);
      if (!trigger || !type) throw new GatewayError('NOT_FOUND', `Registered trigger '${id}' was not found.`);
      const target = router.functions.find(trigger.namespace, trigger.functionId);
      return {
        ...triggerSummary(trigger, router),
        ...present('metadata', trigger.metadata?.value),
        trigger: typeDetail(type, router),
        ...present('function', target && functionDetail(target, router)),
      };
    },
  );
}

interface Filter {
  search: string | undefined;
  triggerType: string | undefined;
  functionId: string | undefined;
  worker: string | undefined;
  includeInternal: boolean;
}

function readFilter(input: Members): Filter {
  return {
    search: input.optional('search'),
    triggerType: input.optional('trigger_type'),
    functionId: input.optional('function_id'),
    worker: input.optional('worker'),
    includeInternal: flag(input, 'include_internal'),
  };
}

function matches({ search, triggerType, functionId, worker, includeInternal }: Filter, router: Router) {
  return (trigger: Trigger) =>
    (includeInternal || !trigger.functionId.startsWith('engine::')) &&
    (triggerType === undefined || trigger.triggerType === triggerType) &&
    (functionId === undefined || trigger.functionId === functionId) &&
    (worker === undefined || ownerOfTrigger(trigger, router) === worker) &&
    holds(search, trigger.id, trigger.triggerType, trigger.functionId);
}
