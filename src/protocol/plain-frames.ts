/**
 * The two shapes that make up nearly all traffic, as the Node and Rust SDKs and the engines print them.
 * Only their payload is parsed: that it parses proves that it ends where the frame does, so its text can be
 * passed on as it is. Anything else is left to the general reader.
 */
import { parseJson } from './json.js';
import type { InvocationResult, InvokeFunction } from './messages.js';
import { Payload } from './payload.js';
import { isUuid, UUID_LENGTH } from './uuid.js';

const CALL_HEAD = '{"type":"invokefunction","invocation_id":"';
const RESULT_HEAD = '{"type":"invocationresult","invocation_id":"';
const FUNCTION_ID = '","function_id":"';

/** A call with an id and nothing after its data, or `undefined`. */
export function decodePlainCall(text: string): InvokeFunction | undefined {
  const head = readHead(text, CALL_HEAD);
  if (!head) return undefined;
  const data = readLastMember(text, head.end, '","data":');
  return (
    data && {
      type: 'invokefunction',
      invocation_id: head.invocationId,
      function_id: head.functionId,
      data,
    }
  );
}

/** An answer without error or trace, or `undefined`. */
export function decodePlainResult(text: string): InvocationResult | undefined {
  const head = readHead(text, RESULT_HEAD);
  if (!head) return undefined;
  const { invocationId: invocation_id, functionId: function_id } = head;
  if (head.end === text.length - 2 && text.endsWith('"}'))
    return { type: 'invocationresult', invocation_id, function_id };
  const result = readLastMember(text, head.end, '","result":');
  return result && { type: 'invocationresult', invocation_id, function_id, result };
}

function readHead(text: string, head: string) {
  if (!text.startsWith(head)) return undefined;
  const idEnd = head.length + UUID_LENGTH;
  const invocationId = text.slice(head.length, idEnd);
  if (!text.startsWith(FUNCTION_ID, idEnd) || !isUuid(invocationId)) return undefined;
  const start = idEnd + FUNCTION_ID.length;
  const end = text.indexOf('"', start);
  const functionId = text.slice(start, end);
  return end < 0 || functionId.includes('\\') ? undefined : { invocationId, functionId, end };
}

function readLastMember(text: string, at: number, name: string): Payload | undefined {
  if (!text.startsWith(name, at) || !text.endsWith('}')) return undefined;
  const body = text.slice(at + name.length, -1);
  try {
    return Payload.fromText(body, parseJson(body));
  } catch {
    return undefined; // more members follow, or it is not JSON: the general reader tells which
  }
}
