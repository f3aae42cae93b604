/** What must hold at every moment. */
import type { SimulatedGateway } from '../gateway.js';
import type { History } from '../history.js';

export type Violations = string[];

/** accounting: `accepted` is the sum of where the writes are. */
export function accountsAddUp({ control, isBroken }: SimulatedGateway): Violations {
  if (isBroken) return []; // a known gap: what was being settled when its acceptance failed counts twice
  const { accepted, ...places } = control.status().writes;
  const sum = Object.values(places).reduce((total, count) => total + count, 0);
  const isRight = sum === accepted && Object.values(places).every((count) => count >= 0);
  return isRight ? [] : [`accounting: ${accepted} accepted, but ${JSON.stringify(places)}`];
}

/** Never of the future: what the mirror knows of a key, the remote has held. */
export function mirrorKnowsThePast({ plan, engine }: History, { core }: SimulatedGateway): Violations {
  return plan.keys.flatMap(({ scope, key }) => {
    const known = core.witness.peek(scope, key);
    if (known.kind === 'unknown') return [];
    const text = known.kind === 'value' ? known.text : undefined;
    if (engine.state.historyOf(scope, key).some((held) => held.text === text)) return [];
    return [`mirror: of ${scope}/${key} it knows ${text}, which the remote has never held`];
  });
}

/** Behind a write that waits for an operator, in a scope that says so, nothing goes on. */
export class HeldLanesWait {
  /** Executions in the lane when it was first seen held, by the lane. */
  private readonly held = new Map<string, { by: number; executions: number }>();

  constructor(private readonly history: History) {}

  check({ core }: SimulatedGateway): Violations {
    // Where nothing can be fenced, a write in quarantine may still be executed.
    if (core.log.book.held === 0 || this.history.plan.manners.adapter !== 'kv') {
      this.held.clear();
      return [];
    }
    return this.history.plan.keys.flatMap((key) => {
      const lane = this.history.laneOf({ key });
      const by = core.lanes.find(key.scope, key.key)?.record?.heldBy ?? 0;
      const executions = this.executionsIn(lane);
      const before = this.held.get(lane);
      if (by === 0) this.held.delete(lane);
      else if (before?.by !== by) this.held.set(lane, { by, executions });
      else if (before.executions < executions) return [`hold: a write to ${lane} was applied, behind ${by}`];
      return [];
    });
  }

  private executionsIn(lane: string): number {
    const { executions, writes } = this.history;
    let count = 0;
    for (const { write } of executions) {
      const made = write === undefined ? undefined : writes[write];
      // Frames of an earlier run, whose writes are in no log, may still be on their way.
      if (made && made.seqs.length > 0 && this.history.laneOf(made) === lane) count += 1;
    }
    return count;
  }
}
