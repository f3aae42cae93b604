import { type IIIClient, TriggerAction } from 'iii-sdk';
import { createChannel } from 'iii-sdk/helpers';
import type { ISdk, RemoteFunctionHandler } from 'iii-sdk-0.9';
import type { Caller, Workers } from './sdk.js';

type Handler = (data: never) => Promise<unknown>;
/** The SDK's own type, which it does not export. */
type NewerHandler = Parameters<IIIClient['registerFunction']>[1];

export interface Binding {
  id: string;
  function_id: string;
  config: unknown;
}

export interface TriggerProvider {
  registerTrigger(binding: Binding): Promise<void>;
  unregisterTrigger(binding: Binding): Promise<void>;
}

/** Either end of a data channel, as a handler gets it. */
export interface ChannelEnds {
  writer: ChannelWriter;
  reader: ChannelReader;
  writerRef: object;
  readerRef: object;
}

export interface ChannelWriter {
  stream: NodeJS.WritableStream;
  sendMessage(text: string): void;
  close(): void;
}

export interface ChannelReader {
  stream: NodeJS.ReadableStream;
  onMessage(listener: (text: string) => void): void;
}

/** What the published Node SDKs have in common, so that one test runs on each; every member is one call of theirs. */
export interface NodeWorker {
  client: Caller;
  register(id: string, handler: Handler): { unregister(): void };
  call<Answer = unknown>(id: string, payload: unknown): Promise<Answer>;
  /** `TriggerAction.Void`. */
  tell(id: string, payload: unknown): Promise<unknown>;
  bind(type: string, functionId: string, config: unknown): { unregister(): void };
  provide(type: string, provider: TriggerProvider): void;
  openChannel(): Promise<ChannelEnds>;
  shutdown(): Promise<void>;
}

export interface NodeSdk {
  version: string;
  connect(workers: Workers, url: string, name: string): NodeWorker;
}

export const NODE_SDKS: NodeSdk[] = [
  { version: '0.22.1', connect: (workers, url, name) => newer(workers.connect(url, name)) },
  { version: '0.9.0', connect: (workers, url, name) => older(workers.connectOlder(url, name)) },
];

function newer(iii: IIIClient): NodeWorker {
  return {
    client: iii,
    register: (id, handler) => iii.registerFunction(id, handler as NewerHandler),
    call: (function_id, payload) => iii.trigger({ function_id, payload }),
    tell: (function_id, payload) => iii.trigger({ function_id, payload, action: TriggerAction.Void() }),
    bind: (type, function_id, config) => iii.registerTrigger({ type, function_id, config }),
    provide: (id, provider) => iii.registerTriggerType({ id, description: `${id} of a test` }, provider),
    openChannel: () => createChannel(iii),
    shutdown: () => iii.shutdown(),
  };
}

function older(iii: ISdk): NodeWorker {
  return {
    client: iii,
    register: (id, handler) => iii.registerFunction({ id }, handler as RemoteFunctionHandler),
    call: (function_id, payload) => iii.trigger({ function_id, payload }),
    tell: (function_id, payload) => iii.trigger({ function_id, payload, action: TriggerAction.Void() }),
    bind: (type, function_id, config) => iii.registerTrigger({ type, function_id, config }),
    provide: (id, provider) => iii.registerTriggerType({ id, description: `${id} of a test` }, provider),
    openChannel: () => iii.createChannel(),
    shutdown: () => iii.shutdown(),
  };
}
