import type { Logger } from '../../logger.js';
import type { StateAnswer, StateCall, StateInputOf } from '../../operations/calls.js';
import { REPEATS_KEPT, type Repeat, type RepeatBounds } from '../../operations/repeats.js';
import { groupsResult, keysResult } from '../../operations/results.js';
import { Payload } from '../../protocol/payload.js';
import type { GroupCommitOptions, Schedule } from '../../storage/group-commit.js';
import { EntryPages, type EntryPagesOptions } from '../entry-pages.js';
import type { StateAdapter } from './adapter.js';
import { bareValue, decisionOf, type WriteInput } from './kv-decisions.js';
import { FirstAnswers } from './kv-first-answers.js';
import { LevelStore } from './kv-level.js';
import { MemoryStore } from './kv-memory.js';
import { RepeatWindow } from './kv-repeat-window.js';
import type { KvStore } from './kv-store.js';

export interface KvConfig {
  storeMethod: 'in_memory' | 'file_based';
  /** Folder of the file store; the memory store does not look at it. */
  filePath: string;
  /** What a power cut may take, in milliseconds. 0: nothing, every write is on the disk before it is answered. */
  saveIntervalMs: number;
}

export interface KvContext extends EntryPagesOptions {
  logger: Logger;
  /** Handed in by tests that own time. */
  schedule?: Schedule;
  /** Of the calls with a name that are remembered; tests want fewer. */
  repeats?: RepeatBounds;
}

/** State on this machine only. It is not started yet. */
export function createKv(config: KvConfig, context: KvContext): KvAdapter {
  const logger = context.logger.child({ part: 'kv' });
  const bounds = context.repeats ?? REPEATS_KEPT;
  const store =
    config.storeMethod === 'in_memory'
      ? new MemoryStore(new RepeatWindow(bounds))
      : new LevelStore(
          config.filePath,
          commitOptions(config.saveIntervalMs, context.schedule),
          bounds,
          logger,
        );
  return new KvAdapter(store, new EntryPages(context));
}

function commitOptions(saveIntervalMs: number, schedule: Schedule | undefined): GroupCommitOptions {
  const sync = saveIntervalMs === 0 ? 'every-write' : saveIntervalMs;
  return schedule === undefined ? { sync } : { sync, schedule };
}

/**
 * The engine's `kv` (state module section 5.2) over a store of key and value, with two differences on purpose:
 * `delete` is atomic with the value it reports, and a scope is gone with its last key.
 */
export class KvAdapter implements StateAdapter {
  readonly name = 'kv';

  private readonly first: FirstAnswers;

  constructor(
    private readonly store: KvStore,
    private readonly pages: EntryPages,
  ) {
    this.first = new FirstAnswers(store);
  }

  /** Different damaged records met so far; each is refused with `GATEWAY_STORAGE`. */
  get damagedRecords(): number {
    return this.store.damagedRecords;
  }

  start(): Promise<void> {
    return this.store.open();
  }

  stop(): Promise<void> {
    return this.store.close();
  }

  /**
   * @throws GatewayError `GATEWAY_STORAGE`; `GATEWAY_KEY_REUSED` for a name that another call has; and what
   * `state::list_entries` may refuse (`EntryPages`).
   */
  async answer({ input, caller, repeat }: StateCall): Promise<StateAnswer> {
    switch (input.functionId) {
      case 'state::get':
        return this.get(input);
      case 'state::set':
      case 'state::delete':
      case 'state::update':
      case 'state::compare-and-set':
        return this.write(input, repeat);
      case 'state::list':
        return { result: listOf(await this.store.rows(input.scope)) };
      case 'state::list_groups':
        return { result: groupsResult(await this.store.scopes()) };
      case 'state::list_keys':
        return { result: keysResult(await this.store.keys(input.scope)) };
      case 'state::list_entries':
        return {
          result: await this.pages.page({ ...input, caller }, (admit) => this.store.rows(input.scope, admit)),
        };
    }
  }

  private get({ scope, key }: StateInputOf<'state::get'>): StateAnswer {
    return bareValue(this.store.read(scope, key));
  }

  private write(input: WriteInput, repeat: Repeat | undefined): Promise<StateAnswer> {
    const { scope, key } = input;
    const decide = decisionOf(input);
    if (!repeat) return this.store.change(scope, key, decide);
    return this.first.answer(scope, key, decide, repeat);
  }
}

function listOf(rows: readonly { text: string }[]): Payload {
  return Payload.fromText(`[${rows.map(({ text }) => text).join(',')}]`);
}
