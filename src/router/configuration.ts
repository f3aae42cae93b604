import { GatewayError } from '../errors.js';
import type { Json } from '../protocol/json.js';
import { answering } from './engine-functions/input.js';
import type { Router } from './router.js';

/**
 * Offers `configuration::get` for entries that others base promises on: a gateway before this one asks where state
 * lives here before it counts on being fenced, or on being told of every change (replication sections 3 and 5).
 */
export function offerConfiguration(router: Router, entries: ReadonlyMap<string, Json>): void {
  router.offer(
    'configuration::get',
    answering(
      'Tells an entry of the configuration',
      (input) => input.string('id'),
      (id) => {
        const value = entries.get(id);
        if (value !== undefined) return { id, value };
        throw new GatewayError('NOT_FOUND', `There is no configuration entry ${JSON.stringify(id)} here`);
      },
    ),
  );
}
