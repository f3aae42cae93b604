import { type ErrorBody, GatewayError } from '../../errors.js';
import { type Members, present } from '../../protocol/members.js';
import { Payload } from '../../protocol/payload.js';
import { type BuiltIn, DEFAULT_NAMESPACE } from '../functions.js';
import type { Router } from '../router.js';
import type { Trigger } from '../triggers.js';
import { answering } from './input.js';

/** How long a worker that provides a type may think about a trigger; after that it counts as accepted. */
const VERDICT_MS = 10_000;

/** `engine::register_trigger`: a trigger that outlives the connection of its maker (wire protocol 7.2 and 9.2). */
export function registerTrigger(router: Router, randomUuid: () => string): BuiltIn {
  const verdicts = new Verdicts(router);
  return answering(
    'Registers a trigger that stays when its maker leaves',
    (input) => readTrigger(input, randomUuid()),
    async (trigger) => {
      router.triggers.add(trigger);
      await verdicts.on(trigger);
      return { id: trigger.id };
    },
  );
}

/** `engine::unregister_trigger` (wire protocol 9.2). */
export function unregisterTrigger(router: Router): BuiltIn {
  return answering(
    'Removes a trigger',
    (input) => ({ id: input.string('id'), triggerType: input.optional('trigger_type') }),
    ({ id, triggerType }) => {
      const isMeant = triggerType === undefined || router.triggers.find(id)?.triggerType === triggerType;
      return { removed: isMeant && router.triggers.remove(id) };
    },
  );
}

function readTrigger(input: Members, id: string): Trigger {
  const metadata = input.json('metadata');
  return {
    id,
    triggerType: input.string('trigger_type'),
    functionId: input.string('function_id'),
    namespace: input.optional('namespace') ?? DEFAULT_NAMESPACE,
    triggerNamespace: input.optional('trigger_namespace'),
    config: input.json('config') ?? null,
    metadata: metadata === undefined ? undefined : Payload.of(metadata),
    owner: undefined,
  };
}

/** Waits for what workers that provide trigger types say of the triggers they are handed. */
class Verdicts {
  private readonly awaited = new Map<Trigger, (error: ErrorBody | undefined) => void>();

  constructor(private readonly router: Router) {
    router.triggers.on('settled', (trigger, error) => this.awaited.get(trigger)?.(error));
  }

  /**
   * Resolves when the trigger is accepted; at once if it is parked, or its type is one of our own.
   * @throws GatewayError `trigger_registration_failed` when it is refused: then it is forgotten.
   */
  async on(trigger: Trigger): Promise<void> {
    if (this.router.triggers.typeServing(trigger)?.kind !== 'worker') return;
    const error = await new Promise<ErrorBody | undefined>((resolve) => {
      const timer = setTimeout(resolve, VERDICT_MS, undefined).unref();
      this.awaited.set(trigger, (refusal) => {
        clearTimeout(timer);
        resolve(refusal);
      });
    });
    this.awaited.delete(trigger);
    if (!error) return;
    this.router.triggers.remove(trigger.id);
    throw new GatewayError(
      'trigger_registration_failed',
      `${error.code}: ${error.message}`,
      present('stacktrace', error.stacktrace),
    );
  }
}
