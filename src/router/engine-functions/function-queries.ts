import { GatewayError } from '../../errors.js';
import { isObject, type JsonObject, member } from '../../protocol/json.js';
import type { Members } from '../../protocol/members.js';
import { type BuiltIn, DEFAULT_NAMESPACE, type RegisteredFunction } from '../functions.js';
import type { Router } from '../router.js';
import { functionDetail, functionSummary } from './function-rows.js';
import { answering, flag, strings } from './input.js';
import { ownerOfFunction } from './owners.js';
import { byId, holds } from './rows.js';

const MAX_BATCH = 32;

/** `engine::functions::list` (wire protocol 9.2). */
export function listFunctions(router: Router): BuiltIn {
  return answering('Lists the functions that can be called', readFilter, (filter) => ({
    functions: [...router.functions.all()].filter(matches(filter)).sort(byId).map(functionSummary),
  }));
}

/** `engine::functions::info`: one function, or up to 32 in one answer (wire protocol 9.2). */
export function describeFunctions(router: Router): BuiltIn {
  return answering('Shows functions with their schemas and triggers', readSelection, (selection) => {
    const { namespace } = selection;
    if ('id' in selection) return functionDetail(find(router, selection.id, namespace), router);
    return { functions: selection.ids.map((id) => describeOrTell(router, id, namespace)) };
  });
}

interface Filter {
  search: string | undefined;
  prefix: string;
  workers: string[];
  includeInternal: boolean;
}

function readFilter(input: Members): Filter {
  const worker = input.optional('worker');
  return {
    search: input.optional('search'),
    prefix: input.optional('prefix') ?? '',
    workers: [...(worker === undefined ? [] : [worker]), ...(strings(input, 'workers') ?? [])],
    includeInternal: flag(input, 'include_internal'),
  };
}

function matches({ search, prefix, workers, includeInternal }: Filter) {
  return (entry: RegisteredFunction) =>
    entry.id.startsWith(prefix) &&
    (includeInternal || !isInternal(entry)) &&
    (workers.length === 0 || workers.includes(ownerOfFunction(entry))) &&
    holds(search, entry.id, descriptionOf(entry));
}

function descriptionOf(entry: RegisteredFunction): string {
  return (entry.kind === 'worker' ? entry.registration.description : entry.builtIn.description) ?? '';
}

function isInternal(entry: RegisteredFunction): boolean {
  if (entry.id.startsWith('engine::')) return true;
  const metadata = entry.kind === 'worker' ? entry.registration.metadata : undefined;
  return isObject(metadata) && member(metadata, 'internal') === true;
}

type Selection = { namespace: string | undefined } & ({ id: string } | { ids: string[] });

function readSelection(input: Members): Selection {
  const namespace = input.optional('namespace');
  const id = input.optional('function_id');
  const ids = strings(input, 'function_ids');
  if (id !== undefined && ids) throw refused('pass either `function_id` or `function_ids`, not both');
  if (id !== undefined) return { id, namespace };
  if (!ids) throw refused('missing field `function_id` (or `function_ids` for a batch)');
  const unique = [...new Set(ids)];
  if (unique.length === 0) throw refused('`function_ids` must be a non-empty array of function ids');
  if (unique.length > MAX_BATCH) throw refused(`too many function_ids (max ${MAX_BATCH})`);
  return { ids: unique, namespace };
}

function refused(message: string): GatewayError {
  return new GatewayError('INVALID_ARGUMENTS', message);
}

/** Without a namespace the default one is meant, or else the only one that has the function. */
function find(router: Router, id: string, namespace: string | undefined): RegisteredFunction {
  const present = router.functions.namespacesOf(id);
  const [only] = present.length === 1 ? present : [DEFAULT_NAMESPACE];
  const found = router.functions.find(namespace ?? only ?? DEFAULT_NAMESPACE, id);
  if (found) return found;
  if (present.length === 0) throw notFound(`Function '${id}' is not registered.`);
  throw notFound(
    `Function '${id}' is ambiguous: it is registered in namespace(s): ${present.join(', ')}. Pass \`namespace\` to select one.`,
  );
}

function notFound(message: string): GatewayError {
  return new GatewayError('NOT_FOUND', message);
}

function describeOrTell(router: Router, id: string, namespace: string | undefined): JsonObject {
  try {
    return functionDetail(find(router, id, namespace), router);
  } catch {
    return { function_id: id, error: 'not_found' };
  }
}
