import { messageOf } from '../errors.js';
import type { Logger } from '../logger.js';
import type { Payload } from '../protocol/payload.js';
import type { Router } from '../router/router.js';
import type { Trigger } from '../router/triggers.js';

/** Events that may wait for the answer of one trigger's condition. */
const MAX_WAITING = 1000;
/** A condition that has not answered by then lets nothing through; an engine would wait for ever. */
const CONDITION_MS = 30_000;

/** Asks a trigger's condition about one event after the other, so that the handler sees them in order. */
export class ConditionQueue {
  private readonly waiting: Payload[] = [];
  private asking = false;

  constructor(
    private readonly router: Router,
    private readonly trigger: Trigger,
    private readonly conditionFunctionId: string,
    private readonly logger: Logger,
  ) {}

  tell(event: Payload): void {
    if (this.waiting.length >= MAX_WAITING) {
      this.waiting.shift();
      this.logger.warn(
        { trigger: this.trigger.id, condition: this.conditionFunctionId },
        'a condition answers too slowly: its oldest waiting event was dropped',
      );
    }
    this.waiting.push(event);
    if (!this.asking) void this.askAll();
  }

  private async askAll(): Promise<void> {
    this.asking = true;
    for (let event = this.waiting.shift(); event; event = this.waiting.shift()) {
      if (await this.letsThrough(event)) this.router.fire(this.trigger, event);
    }
    this.asking = false;
  }

  /** Anything but `false` lets an event through; an error or an unknown function does not (state module 4.4). */
  private async letsThrough(event: Payload): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('it did not answer in time')), CONDITION_MS).unref();
    });
    try {
      const answer = await Promise.race([
        this.router.ask(this.trigger.namespace, this.conditionFunctionId, event),
        late,
      ]);
      return answer?.value !== false;
    } catch (error) {
      this.logger.warn(
        { trigger: this.trigger.id, condition: this.conditionFunctionId, reason: messageOf(error) },
        'a condition failed: its trigger does not fire',
      );
      return false;
    } finally {
      clearTimeout(timer);
    }
  }
}
