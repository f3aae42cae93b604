import type { Logger } from '../../logger.js';
import type { StateAnswer, StateCall, StateInputOf } from '../../operations/calls.js';
import {
  changeResult,
  groupsResult,
  keysResult,
  notSwappedResult,
  swappedResult,
} from '../../operations/results.js';
import { sameValue } from '../../operations/same-value.js';
import { applyOps } from '../../operations/update-ops.js';
import { type Json, parseJson, printJson } from '../../protocol/json.js';
import { Payload } from '../../protocol/payload.js';
import type { GroupCommitOptions, Schedule } from '../../storage/group-commit.js';
import { EntryPages, type EntryPagesOptions } from '../entry-pages.js';
import type { StateAdapter } from './adapter.js';
import { LevelStore } from './kv-level.js';
import { MemoryStore } from './kv-memory.js';
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
}

/** State on this machine only. It is not started yet. */
export function createKv(config: KvConfig, context: KvContext): KvAdapter {
  const logger = context.logger.child({ part: 'kv' });
  const store =
    config.storeMethod === 'in_memory'
      ? new MemoryStore()
      : new LevelStore(config.filePath, commitOptions(config.saveIntervalMs, context.schedule), logger);
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

  constructor(
    private readonly store: KvStore,
    private readonly pages: EntryPages,
  ) {}

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

  /** @throws GatewayError `GATEWAY_STORAGE`, and what `state::list_entries` may refuse (`EntryPages`). */
  async answer({ input, caller }: StateCall): Promise<StateAnswer> {
    switch (input.functionId) {
      case 'state::get':
        return this.get(input);
      case 'state::set':
        return this.set(input);
      case 'state::delete':
        return this.delete(input);
      case 'state::update':
        return this.update(input);
      case 'state::compare-and-set':
        return this.compareAndSet(input);
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

  private set({ scope, key, value }: StateInputOf<'state::set'>): Promise<StateAnswer> {
    const text = printJson(value);
    return this.store.change(scope, key, (found) => {
      const before = parse(found);
      const answer = { result: changeResult(before, value), change: { scope, key, before, after: value } };
      return { write: { text }, answer };
    });
  }

  private delete({ scope, key }: StateInputOf<'state::delete'>): Promise<StateAnswer> {
    return this.store.change(scope, key, (found) => {
      const change = { scope, key, before: parse(found), after: undefined };
      return { write: found === undefined ? 'nothing' : 'delete', answer: { ...bareValue(found), change } };
    });
  }

  /** The outcome is stored even where every operation failed, as the engine does. */
  private update({ scope, key, ops }: StateInputOf<'state::update'>): Promise<StateAnswer> {
    return this.store.change(scope, key, (found) => {
      const before = parse(found);
      const { after, errors } = applyOps(before, ops);
      const answer = { result: changeResult(before, after, errors), change: { scope, key, before, after } };
      return { write: { text: printJson(after) }, answer };
    });
  }

  private compareAndSet(call: StateInputOf<'state::compare-and-set'>): Promise<StateAnswer> {
    const { scope, key, expected, value } = call;
    return this.store.change<StateAnswer>(scope, key, (found) => {
      const before = parse(found);
      if (!isExpected(before, expected)) {
        return { write: 'nothing', answer: { result: notSwappedResult(before) } };
      }
      const answer = { result: swappedResult(), change: { scope, key, before, after: value } };
      return { write: { text: printJson(value) }, answer };
    });
  }
}

/** Null expects that there is no value; a stored null cannot be expected. */
function isExpected(before: Json | undefined, expected: Json): boolean {
  if (before === undefined) return expected === null;
  return expected !== null && sameValue(before, expected);
}

function parse(text: string | undefined): Json | undefined {
  return text === undefined ? undefined : parseJson(text);
}

/** Values are kept as text, and go out without being parsed. */
function bareValue(text: string | undefined): StateAnswer {
  return text === undefined ? {} : { result: Payload.fromText(text) };
}

function listOf(rows: readonly { text: string }[]): Payload {
  return Payload.fromText(`[${rows.map(({ text }) => text).join(',')}]`);
}
