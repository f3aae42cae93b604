import type { IncomingMessage } from 'node:http';
import { GatewayError } from '../errors.js';

/** The most that `limits.frame_bytes` can be. */
const MAX_INPUT_BYTES = 64 * 1024 * 1024;
/** Where a body says nothing, some of it is put up with. */
const MAX_IDLE_BYTES = 65_536;

/**
 * The text that came with a request; it is read to its end also where it says nothing, so that the connection can go on.
 * @throws GatewayError `GATEWAY_TOO_LARGE`; `deserialization_error` for what is no UTF-8.
 */
export async function readBody(request: IncomingMessage, isWanted: boolean): Promise<string> {
  const limit = isWanted ? MAX_INPUT_BYTES : MAX_IDLE_BYTES;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    bytes += (chunk as Buffer).length;
    if (bytes > limit) {
      const message = isWanted ? `The body is larger than ${limit} bytes` : 'This request needs no body';
      throw new GatewayError('GATEWAY_TOO_LARGE', message);
    }
    if (isWanted) chunks.push(chunk as Buffer);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch (cause) {
    throw new GatewayError('deserialization_error', 'The body is not UTF-8', { cause });
  }
}
