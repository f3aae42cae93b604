import { type JsonObject, printJson } from './json.js';
import type { InvocationResult, InvokeFunction, Message } from './messages.js';

/** Prints one frame. Payloads are copied as text, so one that many receive is printed once. */
export function encode(message: Message): string {
  switch (message.type) {
    case 'invokefunction':
      return encodeCall(message.invocation_id, message);
    case 'invocationresult':
      return encodeResult(message);
    default:
      return printJson(message as unknown as JsonObject);
  }
}

/** Prints a call; without an id nobody wants its answer. */
export function encodeCall(invocationId: string | undefined, call: Omit<InvokeFunction, 'type'>): string {
  return (
    `{"type":"invokefunction"${textMember('invocation_id', invocationId)},"function_id":${quote(call.function_id)}` +
    `,"data":${call.data.text}${call.metadata === undefined ? '' : `,"metadata":${call.metadata.text}`}` +
    `${call.action === undefined ? '' : `,"action":${JSON.stringify(call.action)}`}` +
    `${textMember('traceparent', call.traceparent)}${textMember('baggage', call.baggage)}` +
    `${textMember('namespace', call.namespace)}}`
  );
}

function encodeResult(message: InvocationResult): string {
  const { invocation_id, function_id, result, error } = message;
  const outcome = error
    ? `,"error":${JSON.stringify(error)}`
    : result === undefined
      ? ''
      : `,"result":${result.text}`;
  return (
    `{"type":"invocationresult","invocation_id":${quote(invocation_id)},"function_id":${quote(function_id)}` +
    `${outcome}${textMember('traceparent', message.traceparent)}${textMember('baggage', message.baggage)}}`
  );
}

function textMember(name: string, value: string | undefined): string {
  return value === undefined ? '' : `,"${name}":${quote(value)}`;
}

const PLAIN = /^[\w:.-]*$/;

/** Ids are nearly always plain, and then need no look at every character by `JSON.stringify`. */
function quote(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}
