/** The messages of the worker protocol, both directions (README beside this file; wire protocol section 3). */
import type { ErrorBody } from '../errors.js';
import type { Json, JsonObject } from './json.js';
import type { Payload } from './payload.js';

export type Action = { type: 'void' } | { type: 'enqueue'; queue: string };

export type Message =
  | {
      type: 'workerregistered';
      worker_id: string;
      reattach_token?: string;
      features?: string[];
    }
  | { type: 'reattach'; previous_worker_id: string; reattach_token?: string }
  | RegisterFunction
  | { type: 'unregisterfunction'; id: string; namespace?: string }
  | RegisterTriggerType
  | { type: 'unregistertriggertype'; id: string }
  | RegisterTrigger
  | { type: 'unregistertrigger'; id: string; trigger_type?: string }
  | TriggerRegistrationResult
  | InvokeFunction
  | InvocationResult
  | RegistrationRejected
  | { type: 'registerservice' }
  | Observe
  | { type: 'unobserve'; id: string }
  | { type: 'ping' }
  | { type: 'pong' };

export interface RegisterFunction {
  type: 'registerfunction';
  id: string;
  description?: string;
  request_format?: Json;
  response_format?: Json;
  metadata?: Json;
  /** Present on a function that the engine would call over HTTP. */
  invocation?: JsonObject;
}

export interface RegisterTriggerType {
  type: 'registertriggertype';
  id: string;
  description: string;
  trigger_request_format?: Json;
  call_request_format?: Json;
  namespace?: string;
}

export interface RegisterTrigger {
  type: 'registertrigger';
  id: string;
  trigger_type: string;
  function_id: string;
  config: Json;
  metadata?: Json;
  namespace?: string;
  trigger_namespace?: string;
}

export interface TriggerRegistrationResult {
  type: 'triggerregistrationresult';
  id: string;
  trigger_type: string;
  function_id: string;
  error?: ErrorBody;
}

export interface InvokeFunction {
  type: 'invokefunction';
  /** Absent: nobody wants an answer. */
  invocation_id?: string | undefined;
  function_id: string;
  data: Payload;
  metadata?: Payload | undefined;
  action?: Action | undefined;
  traceparent?: string | undefined;
  baggage?: string | undefined;
  namespace?: string | undefined;
}

export interface InvocationResult {
  type: 'invocationresult';
  invocation_id: string;
  function_id: string;
  /** Absent: the function produced no value, which is not the same as null. */
  result?: Payload | undefined;
  error?: ErrorBody | undefined;
  traceparent?: string | undefined;
  baggage?: string | undefined;
}

export interface RegistrationRejected {
  type: 'registrationrejected';
  code: string;
  namespace: string;
  worker_name?: string;
  function_id?: string;
  owner_worker_id: string;
}

/** What newer workers send instead of a trigger (observe 3.1). We send it; we do not serve it. */
export interface Observe {
  type: 'observe';
  id: string;
  source: JsonObject;
  target: { function_id: string };
  max_in_flight?: number;
}

export type MessageOf<T extends Message['type']> = Extract<Message, { type: T }>;
