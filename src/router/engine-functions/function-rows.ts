/** How functions are shown: the newest engines' members, and those that older SDKs read beside them. */
import type { JsonObject } from '../../protocol/json.js';
import { present } from '../../protocol/members.js';
import type { RegisteredFunction } from '../functions.js';
import type { Router } from '../router.js';
import { ownerOfFunction } from './owners.js';

/** A row of `engine::functions::list`; `request_format` and `response_format` are for SDKs before 0.11. */
export function functionSummary(entry: RegisteredFunction) {
  const { description, requestFormat, responseFormat, metadata } = describe(entry);
  return {
    function_id: entry.id,
    namespace: entry.namespace,
    worker_name: ownerOfFunction(entry),
    ...present('description', description),
    ...present('metadata', metadata),
    ...present('request_format', requestFormat),
    ...present('response_format', responseFormat),
  };
}

/** The answer of `engine::functions::info` about one function. */
export function functionDetail(entry: RegisteredFunction, router: Router): JsonObject {
  const { description, requestFormat, responseFormat, metadata } = describe(entry);
  const triggers = [...router.triggers.all()].filter(
    (trigger) => trigger.functionId === entry.id && trigger.namespace === entry.namespace,
  );
  return {
    function_id: entry.id,
    namespace: entry.namespace,
    worker_name: ownerOfFunction(entry),
    ...present('description', description),
    ...present('request_schema', requestFormat),
    ...present('response_schema', responseFormat),
    ...present('metadata', metadata),
    registered_triggers: triggers
      .filter((trigger) => router.triggers.typeServing(trigger))
      .map(({ id, triggerType, config }) => ({ id, trigger_type: triggerType, config })),
  };
}

function describe(entry: RegisteredFunction) {
  if (entry.kind === 'built-in') {
    const { description, requestFormat, responseFormat } = entry.builtIn;
    return { description, requestFormat, responseFormat, metadata: undefined };
  }
  const { description, request_format, response_format, metadata } = entry.registration;
  return { description, requestFormat: request_format, responseFormat: response_format, metadata };
}
