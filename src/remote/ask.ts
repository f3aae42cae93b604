import { GatewayError } from '../errors.js';
import type { Json } from '../protocol/json.js';
import { Payload } from '../protocol/payload.js';
import type { RemoteLink } from './link.js';

/** What asking takes of the link. */
export type Asked = Pick<RemoteLink, 'call'>;

/** How long the engine may take to tell something about itself. */
const ASK_MS = 10_000;

/**
 * Asks a function of the engine something about itself.
 * @throws GatewayError the engine's own error, or as `RemoteLink.call` does.
 */
export async function ask(link: Asked, functionId: string, data: Json): Promise<Json | undefined> {
  const answer = await link.call({ function_id: functionId, data: Payload.of(data) }, ASK_MS);
  if (answer.error) throw GatewayError.fromBody(answer.error);
  return answer.result?.value;
}
