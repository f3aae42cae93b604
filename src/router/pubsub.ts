/** Topics: who publishes to one calls the functions of its subscribers (wire protocol 6 and 7.3). */
import { GatewayError } from '../errors.js';
import { isObject, member } from '../protocol/json.js';
import { Malformed, type Members } from '../protocol/members.js';
import { Payload } from '../protocol/payload.js';
import { readInput } from './engine-functions/input.js';
import type { Router } from './router.js';
import type { Trigger, TriggerSource } from './triggers.js';

/** Offers the function `publish` and the trigger type `subscribe`. */
export function offerPubSub(router: Router): void {
  const topics = new Topics();
  router.triggers.offerType('subscribe', topics);
  router.offer('publish', {
    description: 'Publishes data to the subscribers of a topic',
    requestFormat: {
      type: 'object',
      properties: { topic: { type: 'string' }, data: {} },
      required: ['topic', 'data'],
    },
    call: async (call) => {
      const { topic, data } = readInput(call, readPublication);
      for (const trigger of topics.subscribersOf(topic)) router.fire(trigger, data);
      return undefined;
    },
  });
}

function readPublication(input: Members) {
  const topic = input.string('topic');
  const data = input.value('data');
  if (data === undefined) throw new Malformed('missing field `data`');
  if (topic === '') throw new GatewayError('topic_not_set', 'Topic is not set');
  return { topic, data: Payload.of(data) };
}

/** The trigger type `subscribe`: triggers by their topic. */
class Topics implements TriggerSource {
  readonly description = 'Fires when data is published to a topic';
  private readonly byTopic = new Map<string, Set<Trigger>>();

  /** @throws GatewayError `trigger_registration_failed` without a topic; an empty one is taken and never fires. */
  add(trigger: Trigger): void {
    const topic = topicOf(trigger);
    if (topic === undefined) {
      throw new GatewayError(
        'trigger_registration_failed',
        'Failed to parse trigger config: expected an object with a string `topic`',
      );
    }
    const subscribers = this.byTopic.get(topic) ?? new Set();
    this.byTopic.set(topic, subscribers.add(trigger));
  }

  remove(trigger: Trigger): void {
    const topic = topicOf(trigger) ?? '';
    const subscribers = this.byTopic.get(topic);
    subscribers?.delete(trigger);
    if (subscribers?.size === 0) this.byTopic.delete(topic);
  }

  subscribersOf(topic: string): Iterable<Trigger> {
    return this.byTopic.get(topic) ?? [];
  }
}

function topicOf({ config }: Trigger): string | undefined {
  const topic = isObject(config) ? member(config, 'topic') : undefined;
  return typeof topic === 'string' ? topic : undefined;
}
