import type { StateAnswer, StateCall } from '../../operations/calls.js';
import type { Replication } from '../../replication/replication.js';
import type { StateAdapter } from './adapter.js';

/**
 * State that lives on a remote engine, which is not always there: the replication answers every call.
 * Changes are not reported here: they come back on the remote's feed, like everybody else's.
 */
export class BridgeAdapter implements StateAdapter {
  readonly name = 'bridge';

  constructor(private readonly replication: Replication) {}

  start(): Promise<void> {
    return this.replication.start();
  }

  stop(): Promise<void> {
    return this.replication.stop();
  }

  answer(call: StateCall): Promise<StateAnswer> {
    return this.replication.answer(call);
  }
}
