/** Text to message. The only reader of frames; every other part sees messages. */
import { type ErrorBody, messageOf } from '../errors.js';
import { isObject, type Json, parseJson } from './json.js';
import { Malformed, Members, present } from './members.js';
import type { InvocationResult, InvokeFunction, Message } from './messages.js';
import { Payload } from './payload.js';
import { decodeEngineResult, decodePlainCall, decodePlainResult } from './plain-frames.js';
import { findPoison } from './poison.js';
import { isUuid } from './uuid.js';

export type Decoded =
  | { kind: 'message'; message: Message }
  /** A call that a real engine would never answer; we do, so that no caller waits for ever. */
  | {
      kind: 'refused';
      invocationId: string;
      functionId: string;
      error: ErrorBody;
    }
  /** Nothing to do and nobody to tell: an unknown type, a frame without a recognisable call. */
  | { kind: 'ignored'; reason: string };

/** Reads one frame. Never throws. */
export function decode(text: string): Decoded {
  const poison = findPoison(text);
  if (poison !== undefined) return undecodable(text, poison);
  const plain = decodePlainCall(text) ?? decodePlainResult(text);
  if (plain) return { kind: 'message', message: plain };
  try {
    return decodeAny(parseJson(text));
  } catch (error) {
    return undecodable(text, messageOf(error));
  }
}

/** Reads one frame from an engine, whose answers are passed on without being parsed. Never throws. */
export function decodeFromEngine(text: string): Decoded {
  const result = decodeEngineResult(text);
  return result ? { kind: 'message', message: result } : decode(text);
}

function decodeAny(value: Json): Decoded {
  if (!isObject(value)) return { kind: 'ignored', reason: 'not an object' };
  const frame = new Members(value);
  try {
    const message = readMessage(frame);
    return message ? { kind: 'message', message } : { kind: 'ignored', reason: 'unknown type' };
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    const invocationId = frame.optional('invocation_id');
    if (frame.optional('type') !== 'invokefunction' || invocationId === undefined) {
      return { kind: 'ignored', reason: error.message };
    }
    return refuse(invocationId, frame.optional('function_id') ?? '', error.message);
  }
}

function readMessage(frame: Members): Message | undefined {
  const type = frame.optional('type');
  switch (type) {
    case 'workerregistered': {
      const features = frame.json('features');
      return {
        type,
        worker_id: frame.string('worker_id'),
        ...present('reattach_token', frame.optional('reattach_token')),
        ...(Array.isArray(features) && {
          features: features.filter((name) => typeof name === 'string'),
        }),
      };
    }
    case 'reattach':
      return {
        type,
        previous_worker_id: frame.string('previous_worker_id'),
        ...present('reattach_token', frame.optional('reattach_token')),
      };
    case 'registerfunction':
      return {
        type,
        id: frame.string('id'),
        ...present('description', frame.optional('description')),
        ...present('request_format', frame.json('request_format')),
        ...present('response_format', frame.json('response_format')),
        ...present('metadata', frame.json('metadata')),
        ...present('invocation', frame.object('invocation')),
      };
    case 'unregisterfunction':
      return {
        type,
        id: frame.string('id'),
        ...present('namespace', frame.optional('namespace')),
      };
    case 'registertriggertype':
      return {
        type,
        id: frame.string('id'),
        description: frame.optional('description') ?? '',
        ...present('trigger_request_format', frame.json('trigger_request_format')),
        ...present('call_request_format', frame.json('call_request_format')),
        ...present('namespace', frame.optional('namespace')),
      };
    case 'unregistertriggertype':
      return { type, id: frame.string('id') };
    case 'registertrigger':
      return {
        type,
        id: frame.string('id'),
        trigger_type: frame.string('trigger_type'),
        function_id: frame.string('function_id'),
        config: frame.value('config') ?? null,
        ...present('metadata', frame.json('metadata')),
        ...present('namespace', frame.optional('namespace')),
        ...present('trigger_namespace', frame.optional('trigger_namespace')),
      };
    case 'unregistertrigger':
      return {
        type,
        id: frame.string('id'),
        ...present('trigger_type', frame.optional('trigger_type')),
      };
    case 'triggerregistrationresult':
      return {
        type,
        id: frame.string('id'),
        trigger_type: frame.string('trigger_type'),
        function_id: frame.optional('function_id') ?? '',
        ...present('error', frame.error()),
      };
    case 'invokefunction':
      return readCall(frame);
    case 'invocationresult':
      return readResult(frame);
    case 'registrationrejected':
      return {
        type,
        code: frame.string('code'),
        namespace: frame.optional('namespace') ?? 'default',
        ...present('worker_name', frame.optional('worker_name')),
        ...present('function_id', frame.optional('function_id')),
        owner_worker_id: frame.optional('owner_worker_id') ?? '',
      };
    case 'registerservice':
    case 'ping':
    case 'pong':
      return { type };
    default:
      return undefined;
  }
}

function readCall(frame: Members): InvokeFunction {
  const invocationId = frame.optional('invocation_id');
  if (invocationId !== undefined && !isUuid(invocationId))
    throw new Malformed('`invocation_id` is not a UUID');
  const metadata = frame.json('metadata');
  return {
    type: 'invokefunction',
    ...present('invocation_id', invocationId),
    function_id: frame.string('function_id'),
    data: Payload.of(frame.value('data') ?? null), // an engine loses a call without data; SDKs do omit it
    ...(metadata !== undefined && { metadata: Payload.of(metadata) }),
    ...present('action', frame.action()),
    ...present('traceparent', frame.optional('traceparent')),
    ...present('baggage', frame.optional('baggage')),
    ...present('namespace', frame.optional('namespace')),
  };
}

function readResult(frame: Members): InvocationResult {
  const result = frame.value('result');
  return {
    type: 'invocationresult',
    invocation_id: frame.string('invocation_id'),
    function_id: frame.optional('function_id') ?? '',
    ...(result !== undefined && { result: Payload.of(result) }),
    ...present('error', frame.error()),
    ...present('traceparent', frame.optional('traceparent')),
    ...present('baggage', frame.optional('baggage')),
  };
}

/** What a frame that cannot be read at all still shows: a call is answered, an answer becomes an error. */
const LOOKS_LIKE = {
  call: /"type"\s*:\s*"invokefunction"/,
  result: /"type"\s*:\s*"invocationresult"/,
  invocationId: /"invocation_id"\s*:\s*"([0-9a-fA-F-]{36})"/,
  functionId: /"function_id"\s*:\s*"([^"\\]{1,256})"/,
};

function undecodable(text: string, reason: string): Decoded {
  const invocationId = LOOKS_LIKE.invocationId.exec(text)?.[1];
  const functionId = LOOKS_LIKE.functionId.exec(text)?.[1] ?? '';
  if (invocationId === undefined) return { kind: 'ignored', reason };
  if (LOOKS_LIKE.call.test(text)) return refuse(invocationId, functionId, reason);
  if (!LOOKS_LIKE.result.test(text)) return { kind: 'ignored', reason };
  const error = {
    code: 'serialization_error',
    message: `Failed to serialize result for ${functionId}: ${reason}`,
  };
  return {
    kind: 'message',
    message: {
      type: 'invocationresult',
      invocation_id: invocationId,
      function_id: functionId,
      error,
    },
  };
}

function refuse(invocationId: string, functionId: string, reason: string): Decoded {
  const message = `Failed to deserialize input for ${functionId}: ${reason}`;
  return {
    kind: 'refused',
    invocationId,
    functionId,
    error: { code: 'deserialization_error', message },
  };
}
