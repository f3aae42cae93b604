import { GatewayError } from '../../errors.js';
import type { Members } from '../../protocol/members.js';
import type { BuiltIn } from '../functions.js';
import type { Router } from '../router.js';
import { functionSummary } from './function-rows.js';
import { answering } from './input.js';
import { byId, compare, holds } from './rows.js';
import { liveTriggers, triggerSummary, typeSummary } from './trigger-rows.js';
import {
  hasTargetOf,
  type OwnDetails,
  providesType,
  type ShownWorker,
  shownWorkers,
  workerSummary,
} from './worker-rows.js';

/** `engine::workers::list` (wire protocol 9.2). */
export function listWorkers(router: Router, own: OwnDetails): BuiltIn {
  return answering('Lists the workers', readFilter, (filter) => ({
    workers: shownWorkers(router, own)
      .filter((worker) => isListed(worker) && matches(worker, filter))
      .sort((one, other) => compare(one.name, other.name) || compare(one.id, other.id))
      .map(workerSummary),
  }));
}

/** `engine::workers::info` (wire protocol 9.2). */
export function describeWorker(router: Router, own: OwnDetails): BuiltIn {
  return answering(
    'Shows a worker with its functions, trigger types and triggers',
    (input) => ({ name: input.string('name'), namespace: input.optional('namespace') }),
    ({ name, namespace }) => {
      const worker = find(shownWorkers(router, own), name, namespace);
      return {
        worker: { ...workerSummary(worker), internal: false },
        functions: [...worker.functions].sort(byId).map(functionSummary),
        trigger_types: [...router.triggers.allTypes()]
          .filter((type) => providesType(worker, type))
          .sort(byId)
          .map(typeSummary),
        registered_triggers: liveTriggers(router)
          .filter((trigger) => hasTargetOf(worker, trigger))
          .map((trigger) => triggerSummary(trigger, router)),
      };
    },
  );
}

interface Filter {
  search: string | undefined;
  runtime: string | undefined;
  status: string | undefined;
}

function readFilter(input: Members): Filter {
  return {
    search: input.optional('search'),
    runtime: input.optional('runtime'),
    status: input.optional('status'),
  };
}

function isListed({ status, pid }: ShownWorker): boolean {
  return status === 'available' || pid !== undefined;
}

function matches(worker: ShownWorker, { search, runtime, status }: Filter): boolean {
  return (
    (runtime === undefined || worker.runtime === runtime) &&
    (status === undefined || worker.status === status) &&
    holds(search, worker.name)
  );
}

/** Of several workers with one name, which our listener allows, the one that connected first. */
function find(workers: ShownWorker[], name: string, namespace: string | undefined): ShownWorker {
  const named = workers.filter((worker) => worker.name === name);
  const found = named.find((worker) => namespace === undefined || worker.namespace === namespace);
  if (found) return found;
  if (named.length === 0) throw new GatewayError('NOT_FOUND', `Worker '${name}' is not connected.`);
  const elsewhere = [...new Set(named.map((worker) => worker.namespace))].sort().join(', ');
  throw new GatewayError(
    'NOT_FOUND',
    `Worker '${name}' is not connected in the requested namespace; it is connected in namespace(s): ${elsewhere}.`,
  );
}
