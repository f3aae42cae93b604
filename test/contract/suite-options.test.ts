import { randomUUID } from 'node:crypto';
import { GatewayError } from '../../src/errors.js';
import type { StateAnswer, StateCall, StateFunctionId } from '../../src/operations/calls.js';
import type { StateAdapter } from '../../src/state/adapters/adapter.js';
import { createKv } from '../../src/state/adapters/kv.js';
import { stateAdapterSuite } from '../../src/state/adapters/suite.js';
import { silentLogger } from '../support/silent-logger.js';

const LACKS: StateFunctionId[] = ['state::list_keys', 'state::list_entries', 'state::compare-and-set'];

/** The least that an adapter may be: the engine's six functions, and changes that come back on another way. */
class SixFunctions implements StateAdapter {
  readonly name = 'six';

  constructor(private readonly kv: StateAdapter) {}

  start(): Promise<void> {
    return this.kv.start();
  }

  stop(): Promise<void> {
    return this.kv.stop();
  }

  async answer(call: StateCall): Promise<StateAnswer> {
    const { functionId } = call.input;
    if (LACKS.includes(functionId)) {
      throw new GatewayError('function_not_found', `Function ${functionId} not found`);
    }
    const { change: _, ...answer } = await this.kv.answer(call);
    return answer;
  }
}

stateAdapterSuite(
  'with six functions only',
  async () => {
    const config = { storeMethod: 'in_memory', filePath: '', saveIntervalMs: 0 } as const;
    const context = { logger: silentLogger(), now: Date.now, randomId: randomUUID };
    return { adapter: new SixFunctions(createKv(config, context)) };
  },
  { lacks: LACKS, reportsChanges: false },
);
