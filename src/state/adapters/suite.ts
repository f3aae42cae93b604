import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StateFunctionId } from '../../operations/calls.js';
import type { StateAdapter } from './adapter.js';
import { SuiteClient } from './suite/client.js';
import { compareAndSet } from './suite/compare-and-set.js';
import { concurrency } from './suite/concurrency.js';
import type { AdapterSuiteOptions, SuiteContext } from './suite/context.js';
import { listEntries } from './suite/entries.js';
import { groups, listKeys, lists } from './suite/listing.js';
import { names } from './suite/names.js';
import { refusals } from './suite/refusals.js';
import { repeats } from './suite/repeats.js';
import { updates } from './suite/updates.js';
import { values } from './suite/values.js';

export type { AdapterSuiteOptions } from './suite/context.js';

/** An adapter that is not started yet, and what is to be stopped after it: a server, a folder. */
export interface AdapterUnderTest {
  adapter: StateAdapter;
  stop?(): Promise<void>;
}

/**
 * Proves that an adapter keeps the contract of `StateAdapter`. Needs vitest; call it at the top of a test file:
 *
 * ```ts
 * import { stateAdapterSuite } from 'iii-state-gateway/adapter-suite';
 * import { createAdapter } from '../src/my-adapter.js';
 *
 * stateAdapterSuite('mine', async () => {
 *   const server = await startServer();
 *   return { adapter: await createAdapter({ url: server.url }, context), stop: () => server.stop() };
 * }, { lacks: ['state::list_entries'] });
 * ```
 *
 * `make` is called before each test; the suite starts and stops the adapter itself. The place behind it need not be
 * empty: every test has scopes of its own, and those of the empty name are cleared again.
 */
export function stateAdapterSuite(
  name: string,
  make: () => Promise<AdapterUnderTest>,
  options: AdapterSuiteOptions = {},
): void {
  describe(`state adapter: ${name}`, () => {
    const under = {} as SuiteContext;
    under.options = options;
    const { lacks = [] } = options;
    let stop: (() => Promise<void>) | undefined;

    beforeEach(async () => {
      const made = await make();
      stop = made.stop?.bind(made);
      under.adapter = made.adapter;
      under.state = new SuiteClient(made.adapter);
      under.scope = `suite-${randomUUID()}`;
      await made.adapter.start();
    });

    afterEach(async () => {
      await under.adapter.stop();
      await stop?.();
    });

    describe('lifecycle', () => lifecycle(under));
    describe('values', () => values(under));
    describe('names', () => names(under));
    describe('update', () => updates(under));
    describe('list', () => lists(under));
    describe('list_groups', () => groups(under));
    describe('writes at the same time', () => concurrency(under));
    describeIfOffered(under, 'state::list_keys', listKeys);
    describeIfOffered(under, 'state::list_entries', listEntries);
    describeIfOffered(under, 'state::compare-and-set', compareAndSet);
    if (options.knowsRepeats) describe('calls with a name', () => repeats(under));
    if (lacks.length > 0) describe('what it does not offer', () => refusals(under, lacks));
  });
}

function describeIfOffered(
  under: SuiteContext,
  functionId: StateFunctionId,
  tests: (under: SuiteContext) => void,
): void {
  if (under.options.lacks?.includes(functionId)) return;
  describe(functionId.replace('state::', ''), () => tests(under));
}

function lifecycle(under: SuiteContext): void {
  it('may be started and stopped more than once', async () => {
    await under.adapter.start();
    await under.state.set(under.scope, 'k', 1);
    await under.adapter.stop();
    await under.adapter.stop();
    await under.adapter.start();
    await expect(under.state.set(under.scope, 'k', 2)).resolves.toBeDefined();
  });
}
