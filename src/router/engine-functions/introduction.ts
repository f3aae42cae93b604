import { GatewayError } from '../../errors.js';
import { Malformed, type Members, present } from '../../protocol/members.js';
import { type BuiltIn, type Call, DEFAULT_NAMESPACE } from '../functions.js';
import { type Router, reject } from '../router.js';
import type { Worker, WorkerInfo } from '../worker.js';
import { answering, count, strings } from './input.js';

const MAX_TEXT = 280;
/** Control characters, and those that change the direction of the text around them. */
const UNSEEN = /[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

const UNKNOWN: WorkerInfo = {
  name: '',
  runtime: 'unknown',
  version: '',
  os: '',
  isolation: null,
  features: [],
};

interface Introduction {
  worker: Worker;
  given: Partial<WorkerInfo>;
  namespace: string;
}

/** `engine::workers::register`: a worker says who it is and in which namespace it lives (wire protocol 8 and 9.1). */
export function introduction(router: Router): BuiltIn {
  return answering(
    'Tells who a worker is, and the namespace of its functions',
    readIntroduction,
    ({ worker, given, namespace }) => {
      const isFirst = worker.info === undefined;
      worker.info = { ...(worker.info ?? UNKNOWN), ...given };
      // The first word fixes the namespace; what a worker says of it later changes nothing.
      if (isFirst && namespace !== worker.namespace) moveTo(namespace, worker, router);
      router.workers.introduced(worker);
      return { success: true };
    },
  );
}

function readIntroduction(input: Members, { caller }: Call): Introduction {
  if (!caller) throw new Malformed('missing field `_caller_worker_id`');
  const namespace = input.optional('namespace') ?? DEFAULT_NAMESPACE;
  if (namespace.trim() === '') {
    throw new GatewayError('INVALID_NAMESPACE', '`namespace` is empty: leave it out or name one');
  }
  const text = (name: string) => {
    const value = input.optional(name);
    return value === undefined ? undefined : clean(value);
  };
  return {
    worker: caller,
    namespace,
    given: {
      ...present('name', text('name')),
      ...present('description', text('description')),
      ...present('runtime', text('runtime')),
      ...present('version', text('version')),
      ...present('os', text('os')),
      ...present('pid', count(input, 'pid')),
      ...present('isolation', text('isolation')),
      ...present('features', strings(input, 'features')),
      ...present('telemetry', input.object('telemetry')),
    },
  };
}

/** A worker's own words as they may be shown on a terminal or a page; cut between characters, never within one. */
function clean(text: string): string {
  const seen = text.replace(UNSEEN, '').slice(0, 2 * MAX_TEXT);
  return Array.from(seen).slice(0, MAX_TEXT).join('');
}

/** What the worker registered before it named its namespace goes there too; an engine would have held it back. */
function moveTo(namespace: string, worker: Worker, router: Router): void {
  worker.namespace = namespace;
  for (const { id, ownerWorkerId } of router.functions.follow(worker)) reject(worker, id, ownerWorkerId);
  router.triggers.follow(worker);
}
