import { expect } from 'vitest';
import type { StateAnswer, StateFunctionId } from '../../../operations/calls.js';
import type { Json } from '../../../protocol/json.js';
import type { StateAdapter } from '../adapter.js';
import type { SuiteClient } from './client.js';

/** What an adapter may leave out or do differently; everything else is required. */
export interface AdapterSuiteOptions {
  /** Functions that this place does not offer; they must then be refused with `function_not_found`. Default: none. */
  lacks?: readonly StateFunctionId[];
  /** Lists are in insertion order: overwriting keeps the place, delete and set moves to the end. Default: false. */
  insertionOrder?: boolean;
  /** Writes report their `change`. Default: true; false where changes come back on another way. */
  reportsChanges?: boolean;
  /** A stored null differs from no value. Default: true; false behind an engine's `bridge`, which loses it. */
  keepsNull?: boolean;
  /** `update` keeps 64-bit integers, whole floats and empty arrays. Default: true; false for `redis`, whose script does not. */
  exactUpdates?: boolean;
  /** A scope is no longer listed when its last key goes. Default: true; false for the engine's own `kv`. */
  forgetsEmptyScopes?: boolean;
  /** A call with a name (`repeat`) is made once, over a restart of the adapter too. Default: false. */
  knowsRepeats?: boolean;
}

/** What every test uses; filled anew before each. */
export interface SuiteContext {
  options: AdapterSuiteOptions;
  adapter: StateAdapter;
  state: SuiteClient;
  /** A scope that nobody else uses. */
  scope: string;
}

/** Asserts what a write reports to local subscribers, or that this adapter leaves it out. */
export function expectChange(
  under: SuiteContext,
  answer: StateAnswer,
  change: { key: string; before: Json | undefined; after: Json | undefined },
): void {
  if (under.options.reportsChanges === false) expect(answer).not.toHaveProperty('change');
  else expect(answer.change).toStrictEqual({ scope: under.scope, ...change });
}
