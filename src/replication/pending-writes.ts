import type { Database } from '../storage/database.js';
import { namesIn, rangeOfScope, rangeOfSpace } from '../storage/scoped-keys.js';
import type { Lanes } from './log/lanes.js';
import { LANES, LAST_OF_KEY } from './log/layout.js';
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

  isBusy(scope: string, key: string): boolean {
    return this.lanes.isBusy(scope, key);
  }

  viewOf(scope: string, key: string): View | undefined {
    if (this.log.isEmpty) return undefined;
    const lane = this.lanes.find(scope, key);
    if (!lane) return undefined;
    const view = this.acceptance.pendingViewOf(lane, key);
    this.lanes.release(lane);
    return view;
  }

  async pendingIn(scope: string): Promise<PendingKey[]> {
    if (this.log.isEmpty) return [];
    const keys = new Set(this.underWay().flatMap((name) => (name.scope === scope ? [name.key] : [])));
    for (const space of KEYS_IN_LOG) {
      for await (const at of this.database.level.keys(rangeOfScope(space, scope)))
        keys.add(namesIn(space, at).key);
    }
    return [...keys].flatMap((key) => {
      const view = this.viewOf(scope, key);
      return view ? [{ key, base: this.knownOf(scope, key), view }] : [];
    });
  }

  async pendingScopes(): Promise<Set<string>> {
    const scopes = new Set<string>();
    if (this.log.isEmpty) return scopes;
    for (const { scope, key } of this.underWay()) if (this.leavesValue(scope, key)) scopes.add(scope);
    for (const space of KEYS_IN_LOG) await this.addScopesIn(space, scopes);
    return scopes;
  }

  async settled(scope: string, key: string | undefined, waitMs: number): Promise<void> {
    await this.barrier.passed({ scope, key }, waitMs).catch(() => undefined); // what is left is looked at next
  }

  private async addScopesIn(space: string, scopes: Set<string>): Promise<void> {
    const iterator = this.database.level.keys(rangeOfSpace(space));
    try {
      for (let at = await iterator.next(); at !== undefined; at = await iterator.next()) {
        const { scope, key } = namesIn(space, at);
        if (!scopes.has(scope) && !this.leavesValue(scope, key)) continue;
        scopes.add(scope);
        iterator.seek(rangeOfScope(space, scope).lt); // one look for each scope, not for each key
      }
    } finally {
      await iterator.close();
    }
  }

  /** Names of keys with entries that may not be on the disk yet. */
  private underWay(): { scope: string; key: string }[] {
    return [...this.lanes.underWay()].flatMap(({ scope, key, record, lasts }) => {
      if (!record) return [];
      return key === undefined
        ? [...(lasts?.keys() ?? [])].map((each) => ({ scope, key: each }))
        : [{ scope, key }];
    });
  }

  private leavesValue(scope: string, key: string): boolean {
    return this.viewOf(scope, key)?.kind === 'value';
  }
}

/** Where the log names keys that have entries. */
const KEYS_IN_LOG = [LANES, LAST_OF_KEY];
