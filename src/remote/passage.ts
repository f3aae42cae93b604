/** The mark that calls carry from gateway to gateway, so that one that comes round is recognised (gateway-api 2). */
import { GatewayError } from '../errors.js';
import { isObject, member } from '../protocol/json.js';
import { Payload } from '../protocol/payload.js';
import { findPoison } from '../protocol/poison.js';

const MARK = 'iii_state_gateway';

/** The ids of the gateways that a call has passed. */
function passedGateways(metadata: Payload | undefined): string[] {
  const mark = metadata && isObject(metadata.value) ? member(metadata.value, MARK) : undefined;
  const via = isObject(mark) ? member(mark, 'via') : undefined;
  return Array.isArray(via) ? via.filter((id) => typeof id === 'string') : [];
}

/** Marks calls as having passed this gateway, and stops those that have. */
export class PassageStamp {
  private readonly alone: Payload;

  constructor(private readonly gatewayId: string) {
    this.alone = Payload.of({ [MARK]: { via: [gatewayId] } });
  }

  /** @throws GatewayError `GATEWAY_LOOP` for a call that has been here before. */
  check(metadata: Payload | undefined): void {
    if (!metadata || !passedGateways(metadata).includes(this.gatewayId)) return;
    throw new GatewayError(
      'GATEWAY_LOOP',
      'This call has passed this gateway before: gateways are joined in a circle. Point one of them at the engine that owns the state',
    );
  }

  /**
   * @param receipt ours, by which the next gateway knows a repeat; that of the gateway before us goes no further
   * @throws GatewayError `deserialization_error` for metadata that has no room for the mark.
   */
  stamp(metadata: Payload | undefined, receipt?: string): Payload {
    if (!metadata && receipt === undefined) return this.alone; // printed once for all of them
    const via = [...passedGateways(metadata), this.gatewayId];
    const mark = { [MARK]: receipt === undefined ? { via } : { via, receipt } };
    if (!metadata) return Payload.of(mark);
    if (isObject(metadata.value)) return Payload.of({ ...metadata.value, ...mark });
    // What is no object goes into one, a level deeper, where an engine may no longer read it.
    const wrapped = Payload.of({ metadata: metadata.value, ...mark });
    const poison = findPoison(`{"metadata":${wrapped.text}}`);
    if (poison !== undefined) throw new GatewayError('deserialization_error', `The metadata is ${poison}`);
    return wrapped;
  }
}
