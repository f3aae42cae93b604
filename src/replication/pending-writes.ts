import type { Database } from '../storage/database.js';
import { namesIn, rangeOfScope, rangeOfSpace } from '../storage/scoped-keys.js';
import type { Lane, Lanes } from './log/lanes.js';
import { LANES } from './log/layout.js';
import type { WriteAheadLog } from './log/write-ahead-log.js';
import type { OwnWrites, PendingKey } from './own-writes.js';
import type { Barrier } from './replay/barrier.js';
import type { View } from './view.js';
import type { Acceptance } from './writes/acceptance.js';

/** Own accepted writes as reads need them: from memory where something is under way, else from the log. */
export class PendingWrites implements OwnWrites {
  constructor(
    private readonly database: Database,
    private readonly log: WriteAheadLog,
    private readonly lanes: Lanes,
    private readonly acceptance: Acceptance,
    private readonly barrier: Barrier,
    private readonly knownOf: (scope: string, key: string) => View,
  ) {}

  get any(): boolean {
    return !this.log.isEmpty;
  }

  viewOf(scope: string, key: string): View | undefined {
    if (this.log.isEmpty) return undefined;
    const lane = this.lanes.find(scope, key);
    if (!lane) return undefined;
    const view = lane.record && this.acceptance.viewOf(lane);
    this.lanes.release(lane);
    return view;
  }

  async pendingIn(scope: string): Promise<PendingKey[]> {
    if (this.log.isEmpty) return [];
    const keys = new Set(this.underWay(scope).map(({ key }) => key));
    for await (const at of this.database.level.keys(rangeOfScope(LANES, scope))) {
      keys.add(namesIn(LANES, at).key);
    }
    return [...keys].flatMap((key) => {
      const view = this.viewOf(scope, key);
      return view ? [{ key, base: this.knownOf(scope, key), view }] : [];
    });
  }

  async pendingScopes(): Promise<Set<string>> {
    const scopes = new Set<string>();
    if (this.log.isEmpty) return scopes;
    const pending = [...this.lanes.underWay()].filter(({ record }) => record);
    for (const { scope, key } of pending) if (this.leavesValue(scope, key)) scopes.add(scope);
    const iterator = this.database.level.keys(rangeOfSpace(LANES));
    try {
      for (let at = await iterator.next(); at !== undefined; at = await iterator.next()) {
        const { scope, key } = namesIn(LANES, at);
        if (!scopes.has(scope) && !this.leavesValue(scope, key)) continue;
        scopes.add(scope);
        iterator.seek(rangeOfScope(LANES, scope).lt); // one look for each scope, not for each key
      }
    } finally {
      await iterator.close();
    }
    return scopes;
  }

  async settled(scope: string, key: string | undefined, waitMs: number): Promise<void> {
    await this.barrier.passed({ scope, key }, waitMs).catch(() => undefined); // what is left is looked at next
  }

  private underWay(scope: string): Lane[] {
    return [...this.lanes.underWay()].filter((lane) => lane.scope === scope && lane.record);
  }

  private leavesValue(scope: string, key: string): boolean {
    return this.viewOf(scope, key)?.kind === 'value';
  }
}
