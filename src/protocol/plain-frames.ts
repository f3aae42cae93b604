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
  return resultIn(text, readLastMember);
}

/**
 * The same for an answer from an engine, which prints only JSON: the end of the result is looked for and the
 * result not parsed, because nobody may ever ask for its value.
 */
export function decodeEngineResult(text: string): InvocationResult | undefined {
  return resultIn(text, (whole, at, name) => {
    const start = at + name.length;
    if (!whole.startsWith(name, at) || endOfValue(whole, start) !== whole.length - 1) return undefined;
    return Payload.fromText(whole.slice(start, -1));
  });
}

function resultIn(
  text: string,
  readResult: (text: string, at: number, name: string) => Payload | undefined,
): InvocationResult | undefined {
  const head = readHead(text, RESULT_HEAD);
  if (!head) return undefined;
  const { invocationId: invocation_id, functionId: function_id } = head;
  if (head.end === text.length - 2 && text.endsWith('"}')) {
    return { type: 'invocationresult', invocation_id, function_id };
  }
  const result = readResult(text, head.end, '","result":');
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

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPENING = [0x5b, 0x7b];
const CLOSING = [0x5d, 0x7d];

/** Where a JSON value that starts here ends, in text known to be JSON; strings are leapt over. */
function endOfValue(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at);
    else if (OPENING.includes(code)) depth += 1;
    else if (depth === 0 && (code === COMMA || CLOSING.includes(code))) return at;
    else if (CLOSING.includes(code)) depth -= 1;
  }
  return text.length;
}

/** The closing quote of the string that opens here. */
function endOfString(text: string, opened: number): number {
  let end = text.indexOf('"', opened + 1);
  while (end > 0 && isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end < 0 ? text.length : end;
}

function isEscaped(text: string, at: number): boolean {
  let first = at;
  while (text.charCodeAt(first - 1) === BACKSLASH) first -= 1;
  return (at - first) % 2 === 1;
}
