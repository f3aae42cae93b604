/** How workers are shown: connected ones, and the gateway's own parts as in-process ones. */
import type { JsonObject } from '../../protocol/json.js';
import { present } from '../../protocol/members.js';
import { DEFAULT_NAMESPACE, type RegisteredFunction } from '../functions.js';
import type { Router } from '../router.js';
import type { Trigger, TriggerType } from '../triggers.js';
import type { Worker } from '../worker.js';
import {
  GATEWAY_OWNER,
  IN_PROCESS_OWNERS,
  type InProcessOwner,
  ownerOfFunction,
  ownerOfType,
} from './owners.js';

/** What the gateway says of its own parts. */
export interface OwnDetails {
  version: string;
  startedAtMs: number;
}

export interface ShownWorker {
  id: string;
  name: string;
  namespace: string;
  status: 'available' | 'connected';
  runtime: string;
  /** Undefined for in-process ones, and for workers that did not tell; an engine leaves the latter out of its list. */
  pid: number | undefined;
  functions: RegisteredFunction[];
  /** The members of a row that are not above. */
  details: JsonObject;
}

/** Everything that can be shown, the in-process ones first. */
export function shownWorkers(router: Router, own: OwnDetails): ShownWorker[] {
  const functions = new Map<Worker | string, RegisteredFunction[]>();
  for (const entry of router.functions.all()) {
    const owner = entry.kind === 'worker' ? entry.owner : ownerOfFunction(entry);
    const owned = functions.get(owner);
    if (owned) owned.push(entry);
    else functions.set(owner, [entry]);
  }
  const offered = IN_PROCESS_OWNERS.filter((owner) => owner === GATEWAY_OWNER || functions.has(owner.name));
  return [
    ...offered.map((owner) => ofProcess(owner, functions.get(owner.name) ?? [], own)),
    ...[...router.workers.all()].map((worker) => ofWorker(worker, functions.get(worker) ?? [], router)),
  ];
}

/** A row of `engine::workers::list`; `functions` and `pid` are for SDKs before 0.11. */
export function workerSummary(worker: ShownWorker) {
  const { id, name, namespace, status, runtime, pid, functions, details } = worker;
  return {
    id,
    name: name || null,
    namespace,
    status,
    runtime,
    ...present('pid', pid),
    function_count: functions.length,
    functions: functions.map((entry) => entry.id).sort(),
    ...details,
  };
}

export function providesType(worker: ShownWorker, type: TriggerType): boolean {
  return type.kind === 'worker' ? type.provider.id === worker.id : ownerOfType(type) === worker.id;
}

/** Whether the function that the trigger calls is one of the worker's. */
export function hasTargetOf(worker: ShownWorker, trigger: Trigger): boolean {
  return worker.functions.some(
    ({ id, namespace }) => id === trigger.functionId && namespace === trigger.namespace,
  );
}

function ofProcess(owner: InProcessOwner, functions: RegisteredFunction[], own: OwnDetails): ShownWorker {
  return {
    id: owner.name,
    name: owner.name,
    namespace: DEFAULT_NAMESPACE,
    status: 'available',
    runtime: 'engine',
    pid: undefined,
    functions,
    details: {
      description: owner.description,
      version: own.version,
      os: null,
      isolation: 'in-process',
      ip_address: null,
      connected_at_ms: own.startedAtMs,
      active_invocations: 0,
    },
  };
}

function ofWorker(worker: Worker, functions: RegisteredFunction[], router: Router): ShownWorker {
  const { id, namespace, info } = worker;
  return {
    id,
    name: info?.name ?? '',
    namespace,
    status: 'connected',
    runtime: info?.runtime ?? 'unknown',
    pid: info?.pid,
    functions,
    details: {
      description: info?.description ?? null,
      version: info?.version || null,
      os: info?.os || null,
      isolation: info?.isolation ?? null,
      ip_address: worker.ipAddress,
      connected_at_ms: worker.connectedAtMs,
      active_invocations: router.invocations.activeOf(worker),
    },
  };
}
