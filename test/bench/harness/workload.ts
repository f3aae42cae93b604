import type { Json } from './wire.js';

/** What one window calls: a `state::*` function over a fixed set of keys. */
export interface Workload {
  readonly functionId: 'state::get' | 'state::set' | 'state::update';
  readonly scope: string;
  readonly keys: number;
  /** Size of the JSON text of each value; an update adds one to a counter in the value that is there. */
  readonly valueBytes: number;
  /** Further members of the input, `{ consistency: 'cache' }` for example. */
  readonly extraInput?: { readonly [member: string]: Json };
}

export function workload(functionId: Workload['functionId'], valueBytes: number): Workload {
  return { functionId, scope: `bench-${valueBytes}`, keys: 128, valueBytes };
}

/** A value whose JSON text has exactly this many bytes; each number gives another one. */
export function valueOfSize(bytes: number, number: number): Json {
  const named = { id: `user-${String(number).padStart(6, '0')}`, text: '' };
  return { ...named, text: 'x'.repeat(Math.max(0, bytes - JSON.stringify(named).length)) };
}

/** The inputs of a workload, in the order in which they are called, over and over. */
export function inputsOf(workload: Workload): Json[] {
  return Array.from({ length: workload.keys }, (_, number) => inputOf(workload, number));
}

export function inputOf({ functionId, scope, valueBytes, extraInput }: Workload, number: number): Json {
  const address = { scope, key: `key-${number}`, ...extraInput };
  switch (functionId) {
    case 'state::get':
      return address;
    case 'state::set':
      return { ...address, value: valueOfSize(valueBytes, number) };
    case 'state::update':
      return { ...address, ops: [{ type: 'increment', path: 'count', by: 1 }] };
  }
}
