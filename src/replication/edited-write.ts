import { GatewayError, messageOf } from '../errors.js';
import { decodeInput } from '../operations/inputs.js';
import { Payload } from '../protocol/payload.js';
import { findPoison } from '../protocol/poison.js';
import { exceedsBytes } from '../protocol/text-size.js';
import type { Write, WriteInput } from './write.js';

/**
 * A write with another input, checked as that of a call is. Everything else of the call stays.
 * @throws GatewayError `GATEWAY_TOO_LARGE`, `deserialization_error`; `INVALID_ARGUMENTS`: it would be another key's write.
 */
export function editedWrite(write: Write, text: string, maxBytes: number): Write {
  if (exceedsBytes(text, maxBytes)) {
    const message = `The input is larger than the ${maxBytes} bytes of limits.frame_bytes`;
    throw new GatewayError('GATEWAY_TOO_LARGE', message);
  }
  const { input: before, metadata, traceparent, baggage } = write;
  const { functionId, scope, key } = before;
  // A frame that held this would be dropped by an engine without an answer, and the log would never drain.
  const poison = findPoison(`{"data":${text}}`);
  if (poison !== undefined) throw new GatewayError('deserialization_error', `The input is ${poison}`);
  const { input, payload } = decodeInput(functionId, parsed(text));
  const edited = input as WriteInput;
  if (edited.scope === scope && edited.key === key) {
    return { input: edited, payload, metadata, traceparent, baggage };
  }
  throw new GatewayError(
    'INVALID_ARGUMENTS',
    `The input must stay one for key ${JSON.stringify(key)} of scope ${JSON.stringify(scope)}: ` +
      'to write elsewhere, drop this write and have a worker make another',
  );
}

/** The parser's own words may quote the text, and values are for nobody's log: only the place is told. */
function parsed(text: string): Payload {
  const payload = Payload.fromText(text.trimEnd());
  try {
    payload.value;
  } catch (error) {
    if (!(error instanceof SyntaxError)) return payload; // a number that no engine reads: told by who decodes it
    const at = / at position (\d+)/.exec(messageOf(error))?.[1];
    throw new GatewayError(
      'deserialization_error',
      `The input is not JSON${at === undefined ? '' : `: see position ${at}`}`,
    );
  }
  return payload;
}
