import { type JsonObject, printJson } from './json.js';
import type { InvocationResult, InvokeFunction, Message } from './messages.js';

/** Prints one frame. Payloads are copied as text, so one that many receive is printed once. */
export function encode(message: Message): string {
  switch (message.type) {
    case 'invokefunction':
      return (
        `{"type":"invokefunction"${textMember('invocation_id', message.invocation_id)}` +
        `,"function_id":${JSON.stringify(message.function_id)},"data":${message.data.text}` +
        `${message.metadata ? `,"metadata":${message.metadata.text}` : ''}` +
        `${message.action ? `,"action":${JSON.stringify(message.action)}` : ''}${tail(message)}`
      );
    case 'invocationresult':
      return (
        `{"type":"invocationresult","invocation_id":${JSON.stringify(message.invocation_id)}` +
        `,"function_id":${JSON.stringify(message.function_id)}` +
        `${message.error ? `,"error":${JSON.stringify(message.error)}` : ''}` +
        `${message.result && !message.error ? `,"result":${message.result.text}` : ''}${tail(message)}`
      );
    default:
      return printJson(message as unknown as JsonObject);
  }
}

function tail(message: InvokeFunction | InvocationResult): string {
  const namespace = message.type === 'invokefunction' ? message.namespace : undefined;
  return `${textMember('traceparent', message.traceparent)}${textMember('baggage', message.baggage)}${textMember('namespace', namespace)}}`;
}

function textMember(name: string, value: string | undefined): string {
  return value === undefined ? '' : `,"${name}":${JSON.stringify(value)}`;
}
