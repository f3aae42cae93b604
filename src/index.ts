/** What a program that embeds the gateway, or implements an adapter for it, may import. */
export type { Config } from './config/config.js';
export { type LoadedConfig, loadConfig } from './config/load.js';
export { type EngineCode, type ErrorBody, type GatewayCode, GatewayError } from './errors.js';
export { createGateway, type Gateway, type GatewayAddresses, type GatewayContext } from './gateway.js';
export type { Service } from './lifecycle.js';
export type { Logger } from './logger.js';
export type { Change, StateAnswer, StateCall, StateInput, UpdateOp } from './operations/calls.js';
export type { Json } from './protocol/json.js';
export { Payload } from './protocol/payload.js';
export type { AdapterContext, CreateAdapter, StateAdapter } from './state/adapters/adapter.js';
