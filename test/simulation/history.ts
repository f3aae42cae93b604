import type { Json } from '../../src/protocol/json.js';
import type { Receipt } from '../../src/replication/operator.js';
import { ScopeRules } from '../../src/replication/scope-rules.js';
import type { SimulatedEngine } from './engine.js';
import type { Execution } from './engine-state.js';
import { optionsOf } from './gateway.js';
import type { EndOfRun, Plan, PlannedKey, WriteKind } from './plan.js';

/** What a caller was told of a write or a read. */
export type Told =
  | { kind: 'result'; at: number; value: Json | undefined }
  | { kind: 'error'; at: number; code: string };

/** A write that a caller made; they are numbered in the order in which they were made. */
export interface MadeWrite {
  readonly number: number;
  readonly kind: WriteKind;
  readonly key: PlannedKey;
  readonly at: number;
  /** Which run of the gateway it was made in. */
  readonly run: number;
  /** That run had never been connected yet. */
  readonly wasBeforeLink: boolean;
  /** How often it was made: again where nobody knew what came of it, under the same name. */
  times: number;
  /** Undefined: the gateway ended before. */
  told: Told | undefined;
  /** Sequence numbers of its entries in the log: more than one where an operator sent it again. */
  seqs: number[];
  /** The disk failed to take one of them. */
  hasFailed: boolean;
  /** Of the last of them, at the end. */
  receipt: Receipt | undefined;
}

export interface MadeRead {
  readonly key: PlannedKey;
  readonly at: number;
  /** Writes made before it. */
  readonly after: number;
  /** The mirror could answer it in the remote's place. */
  readonly wasFresh: boolean;
  /** Writes made before it was answered. */
  before: number;
  /** The disk had failed by then. */
  wasBroken: boolean;
  told: Told | undefined;
}

/** All that happened in one run of the simulation, for those who judge it. */
export class History {
  readonly writes: MadeWrite[] = [];
  readonly reads: MadeRead[] = [];
  /** When the gateway ended. */
  readonly ends: { at: number; how: EndOfRun }[] = [];
  /** The remote forgot something in a restart. */
  hasForgotten = false;
  conflictsWon = 0;
  private readonly rules: ScopeRules;
  private byWrite: Map<number, Execution[]> | undefined;

  constructor(
    readonly plan: Plan,
    readonly engine: SimulatedEngine,
  ) {
    this.rules = new ScopeRules(optionsOf(plan).scopes);
  }

  get executions(): readonly Execution[] {
    return this.engine.state.executions;
  }

  /** A write has got an entry in the log. */
  enter(number: number, seq: number): void {
    this.writes[number]?.seqs.push(seq);
  }

  /** The disk did not take it. */
  leave(number: number, seq: number): void {
    const write = this.writes[number];
    if (!write) return;
    write.seqs = write.seqs.filter((other) => other !== seq);
    write.hasFailed = true;
  }

  ruleOf({ key }: { key: PlannedKey }) {
    return this.rules.for(key.scope);
  }

  /** To be asked when nothing is executed any more. */
  executionsOf({ number }: MadeWrite): readonly Execution[] {
    this.byWrite ??= byWrite(this.executions);
    return this.byWrite.get(number) ?? [];
  }

  /** What its writes have one order with: a key, or its scope. */
  laneOf(write: { key: PlannedKey }): string {
    const { scope, key } = write.key;
    return this.ruleOf(write).order === 'scope' ? scope : `${scope}/${key}`;
  }

  /** Values of the key change by our writes alone, in ways that we know of. */
  isOurs({ key }: { key: PlannedKey }): boolean {
    return !key.isShared && !this.hasForgotten && this.plan.manners.adapter === 'kv';
  }

  hasEndedBetween(from: number, to: number): boolean {
    return this.ends.some(({ at }) => at >= from && at <= to);
  }
}

function byWrite(executions: readonly Execution[]): Map<number, Execution[]> {
  const found = new Map<number, Execution[]>();
  for (const execution of executions) {
    const { write } = execution;
    if (write === undefined) continue;
    const others = found.get(write);
    if (others) others.push(execution);
    else found.set(write, [execution]);
  }
  return found;
}

export function nameOf({ number, kind, key }: MadeWrite): string {
  return `write ${number} (${kind} ${key.scope}/${key.key})`;
}

/** It is in the log, and its caller was told so, or what the remote said. */
export function wasAccepted({ told, seqs }: MadeWrite): boolean {
  return told?.kind === 'result' && seqs.length > 0;
}

export function isOutcomeUnknown({ told }: MadeWrite): boolean {
  return told?.kind === 'error' && told.code === 'GATEWAY_OUTCOME_UNKNOWN';
}
