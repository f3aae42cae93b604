/** How trigger types and triggers are shown; a parked trigger is not, since nothing fires it. */
import { type JsonObject, printJson } from '../../protocol/json.js';
import { present } from '../../protocol/members.js';
import type { Router } from '../router.js';
import type { Trigger, TriggerType } from '../triggers.js';
import { ownerOfTrigger, ownerOfType } from './owners.js';
import { byId } from './rows.js';

const MAX_SUMMARY = 80;

/** A row of `engine::triggers::list`. */
export function typeSummary(type: TriggerType) {
  return {
    id: type.id,
    namespace: type.namespace,
    worker_name: ownerOfType(type),
    description: descriptionOf(type),
  };
}

/** The answer of `engine::triggers::info`. */
export function typeDetail(type: TriggerType, router: Router): JsonObject {
  const registration = type.kind === 'worker' ? type.registration : undefined;
  return {
    ...typeSummary(type),
    ...present('configuration_schema', registration?.trigger_request_format),
    ...present('request_schema', registration?.call_request_format),
    instance_count: liveTriggers(router).filter((trigger) => router.triggers.typeServing(trigger) === type)
      .length,
  };
}

/** A row of `engine::registered-triggers::list`. */
export function triggerSummary(trigger: Trigger, router: Router) {
  return {
    id: trigger.id,
    trigger_type: trigger.triggerType,
    function_id: trigger.functionId,
    worker_name: ownerOfTrigger(trigger, router),
    config: trigger.config,
    config_summary: summaryOf(trigger),
  };
}

/** The triggers that something can fire, by id. */
export function liveTriggers(router: Router): Trigger[] {
  return [...router.triggers.all()].filter((trigger) => router.triggers.typeServing(trigger)).sort(byId);
}

export function descriptionOf(type: TriggerType): string {
  return type.kind === 'worker' ? type.registration.description : type.source.description;
}

function summaryOf({ config }: Trigger): string {
  const text = printJson(config);
  const start = Array.from(text.slice(0, 2 * MAX_SUMMARY + 1)).slice(0, MAX_SUMMARY);
  const summary = start.join('');
  return summary.length < text.length ? `${summary}…` : summary;
}
