import { setTimeout as delay } from 'node:timers/promises';
import type { FaultOrder, ReceivedCall } from './remote-faults.js';
import type { SeededRandom } from './seeded-random.js';
import type { UnreliableRemote } from './unreliable-remote.js';

/** Something that goes wrong between a gateway and its remote, from `begin` until it is ended by `healed`. */
export interface Trouble {
  readonly name: string;
  /** Nothing gets through meanwhile. */
  readonly away?: true;
  begin(): void | Promise<void>;
}

/** Frames of a dead connection are not executed later than that. */
const LATEST_MS = 1000;

const WRITES = /^state::(set|update|delete)$/;

/** What can go wrong with a remote; `settleMs` is what the gateway waits for frames of a dead connection. */
export class RemoteTroubles {
  readonly all: readonly Trouble[];
  private readonly late: FaultOrder[] = [];

  constructor(
    private readonly remote: UnreliableRemote,
    private readonly random: SeededRandom,
    private readonly settleMs: number,
  ) {
    const some = (most: number) => 1 + random.below(most);
    this.all = [
      { name: 'cut', begin: () => remote.cut() },
      { name: 'dead', away: true, begin: () => remote.die() },
      { name: 'black hole', away: true, begin: () => remote.blackHole() },
      { name: 'executes, says nothing', begin: () => void remote.silent({ where: isWrite }, some(3)) },
      { name: 'does nothing, says nothing', begin: () => void remote.drop({}, some(3)) },
      { name: 'answers late', begin: () => void this.late.push(remote.late({}, some(4))) },
      { name: 'executes late', begin: () => this.executeLate(() => remote.cut()) },
      { name: 'slow', begin: () => void remote.delay(random.below(settleMs / 2), {}, some(5)) },
      { name: 'fails, yet executes', begin: () => void remote.errorButExecute({ where: isWrite }, 1) },
      {
        name: 'not there yet',
        begin: () => void remote.refuse('function_not_found', { where: isWrite }, 1),
      },
      {
        name: 'refuses',
        begin: () => void remote.refuse('VALUE_TOO_LARGE', { functionId: 'state::set' }, 1),
      },
    ];
  }

  /**
   * Frames that are under way while the connection is lost by `lose` are executed all the same: a little after the next
   * connection stands, while the gateway waits for such frames.
   */
  async executeLate(lose: () => void | Promise<void>): Promise<void> {
    const order = this.remote.executeLate({ where: isWrite }, 1 + this.random.below(3));
    await delay(20);
    order.end();
    await lose();
    const next = this.remote.next(({ type }) => type === 'reattach');
    void Promise.race([next, delay(LATEST_MS)])
      .then(() => delay(this.random.below(this.settleMs * 0.4)))
      .then(() => order.release());
  }

  /** The remote is there and answers as it should, after what it owes is told. */
  async healed(): Promise<void> {
    this.remote.answerNormally();
    for (const order of this.late.splice(0)) order.release();
    this.remote.heal();
    await this.remote.revive();
  }
}

function isWrite({ functionId }: ReceivedCall): boolean {
  return WRITES.test(functionId);
}
