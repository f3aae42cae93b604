/** The few wire shapes the benchmarks speak, written exactly as the Node SDK writes them. */

export type Json = string | number | boolean | null | readonly Json[] | { readonly [member: string]: Json };

export interface InvokeFrame {
  readonly type: 'invokefunction';
  readonly invocation_id?: string | null;
  readonly function_id: string;
  readonly data: Json;
}

export interface ResultFrame {
  readonly type: 'invocationresult';
  readonly invocation_id: string;
  readonly function_id: string;
  readonly result?: Json;
  readonly error?: { readonly code: string; readonly message: string };
}

export interface RegisterTriggerFrame {
  readonly type: 'registertrigger';
  readonly id: string;
  readonly trigger_type: string;
  readonly function_id: string;
  readonly config: { readonly scope?: string; readonly key?: string };
}

export interface UnregisterTriggerFrame {
  readonly type: 'unregistertrigger';
  readonly id: string;
}

export interface PlainFrame {
  readonly type:
    | 'workerregistered'
    | 'reattach'
    | 'registerfunction'
    | 'ping'
    | 'pong'
    | 'triggerregistrationresult';
}

export type Frame = InvokeFrame | ResultFrame | RegisterTriggerFrame | UnregisterTriggerFrame | PlainFrame;

export function parseFrame(text: string): Frame {
  return JSON.parse(text) as Frame;
}

export function invokeText(invocationId: string, functionId: string, data: Json): string {
  return JSON.stringify({
    type: 'invokefunction',
    invocation_id: invocationId,
    function_id: functionId,
    data,
  });
}

export function resultText(invocationId: string, functionId: string, result?: Json): string {
  return JSON.stringify({
    type: 'invocationresult',
    invocation_id: invocationId,
    function_id: functionId,
    result,
  });
}

export function errorText(invocationId: string, functionId: string, code: string, message: string): string {
  return JSON.stringify({
    type: 'invocationresult',
    invocation_id: invocationId,
    function_id: functionId,
    error: { code, message },
  });
}

/** What every SDK says about itself after connecting; never answered. */
export function announcementText(workerName: string): string {
  const data = {
    runtime: 'node',
    version: '0.22.1',
    name: workerName,
    description: null,
    os: `${process.platform} (${process.arch})`,
    pid: process.pid,
    isolation: null,
    telemetry: { language: 'en-US', project_name: 'bench', framework: 'iii-node' },
  };
  return JSON.stringify({
    type: 'invokefunction',
    function_id: 'engine::workers::register',
    data,
    action: { type: 'void' },
  });
}

export function registerFunctionText(functionId: string): string {
  return JSON.stringify({ type: 'registerfunction', id: functionId });
}

export function registerStateTriggerText(id: string, functionId: string, scope: string): string {
  return JSON.stringify({
    type: 'registertrigger',
    function_id: functionId,
    config: { scope },
    id,
    message_type: 'registertrigger',
    trigger_type: 'state',
  });
}
