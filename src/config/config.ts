import type { z } from 'zod';
import type { gatewayBlock, listenerBlock } from './schema.js';
import type { Camel } from './spelling.js';

/** The options of the block `iii-state-gateway`; paths are absolute. */
export type GatewayOptions = Camel<z.output<typeof gatewayBlock>>;

/** The options of the block `iii-worker-manager`. */
export type ListenerConfig = Camel<z.output<typeof listenerBlock>>;

interface StateOptions {
  /** Whether changes of state fire triggers. */
  readonly triggersEnabled: boolean;
  /** Largest value that `state::set` takes; 0 means any. */
  readonly maxValueBytes: number;
}

/** Values on this machine. */
export interface KvStateConfig extends StateOptions {
  readonly adapter: 'kv';
  readonly storeMethod: 'in_memory' | 'file_based';
  /** Absolute; its LevelDB is there when the store is `file_based`. */
  readonly filePath: string;
  /** How often files are synced; 0 means every write. */
  readonly saveIntervalMs: number;
}

/** Values on another engine. */
export interface BridgeStateConfig extends StateOptions {
  readonly adapter: 'bridge';
  readonly remoteUrl: string;
}

/** Values wherever somebody else's module keeps them. */
export interface CustomStateConfig extends StateOptions {
  readonly adapter: 'custom';
  /** An absolute path, or the name of a package. */
  readonly module: string;
  /** As it stands in the file. */
  readonly config: unknown;
}

/** The part of it that the adapter itself decides. */
export type AdapterConfig =
  | Omit<KvStateConfig, keyof StateOptions>
  | Omit<BridgeStateConfig, keyof StateOptions>
  | Omit<CustomStateConfig, keyof StateOptions>;

/** Where state lives; `none` means that the listener has no State. */
export type StateConfig =
  | { readonly adapter: 'none' }
  | KvStateConfig
  | BridgeStateConfig
  | CustomStateConfig;

/** Everything the gateway is told: complete, checked and frozen. */
export interface Config extends GatewayOptions {
  readonly listener: ListenerConfig;
  readonly state: StateConfig;
}
