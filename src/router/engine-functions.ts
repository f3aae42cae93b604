import type { Channels } from './channels.js';
import { registerTrigger, unregisterTrigger } from './engine-functions/durable-triggers.js';
import { describeFunctions, listFunctions } from './engine-functions/function-queries.js';
import { answering, count } from './engine-functions/input.js';
import { introduction } from './engine-functions/introduction.js';
import {
  describeRegisteredTrigger,
  listRegisteredTriggers,
} from './engine-functions/registered-trigger-queries.js';
import { describeTriggerType, listTriggerTypes } from './engine-functions/trigger-type-queries.js';
import { describeWorker, listWorkers } from './engine-functions/worker-queries.js';
import type { BuiltIn } from './functions.js';
import type { Router } from './router.js';

export interface EngineContext {
  now(): number;
  randomUuid(): string;
  channels: Channels;
  version: string;
}

/** Offers the engine's own functions that SDKs and consoles call (wire protocol section 9). */
export function offerEngineFunctions(router: Router, context: EngineContext): void {
  const own = { version: context.version, startedAtMs: context.now() };
  const functions: Record<string, BuiltIn> = {
    'engine::workers::register': introduction(router),
    'engine::workers::list': listWorkers(router, own),
    'engine::workers::info': describeWorker(router, own),
    'engine::functions::list': listFunctions(router),
    'engine::functions::info': describeFunctions(router),
    'engine::triggers::list': listTriggerTypes(router),
    'engine::triggers::info': describeTriggerType(router),
    'engine::registered-triggers::list': listRegisteredTriggers(router),
    'engine::registered-triggers::info': describeRegisteredTrigger(router),
    'engine::register_trigger': registerTrigger(router, context.randomUuid),
    'engine::unregister_trigger': unregisterTrigger(router),
    'engine::channels::create': createChannel(context.channels),
    'engine::health::check': checkHealth(router, context),
  };
  for (const [id, builtIn] of Object.entries(functions)) router.offer(id, builtIn);
}

/** `engine::channels::create` (wire protocol section 12). */
function createChannel(channels: Channels): BuiltIn {
  return answering(
    'Opens a data channel between two workers',
    (input) => count(input, 'buffer_size'),
    (bufferSize) => {
      const { id, key } = channels.create(bufferSize);
      const end = (direction: string) => ({ channel_id: id, access_key: key, direction });
      return { writer: end('write'), reader: end('read') };
    },
  );
}

/** `engine::health::check`: who answers is well; the counts say what there is to work with. */
function checkHealth(router: Router, { now, version }: EngineContext): BuiltIn {
  return answering(
    'Tells that the gateway is alive',
    () => undefined,
    () => ({
      status: 'healthy',
      components: {
        router: {
          status: 'healthy',
          details: {
            workers: router.workers.size,
            functions: [...router.functions.all()].length,
            triggers: [...router.triggers.all()].length,
          },
        },
      },
      timestamp: now(),
      version,
    }),
  );
}
