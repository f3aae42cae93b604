import type fc from 'fast-check';
import { isObject, type Json, type JsonObject, printJson } from '../../src/protocol/json.js';
import type { Answer } from './exact-worker.js';
import type { GatewayModel } from './gateway-model.js';
import {
  type Change,
  type KeyModel,
  outcomeOf,
  sameValue,
  sameView,
  type Value,
  type View,
} from './key-model.js';
import type { Skipped } from './plain-ops.js';
import type { Site } from './site.js';
import { Contradiction, demand, hasExactly, objectIn, shown, shownViews } from './verdicts.js';

/** A write to one key, as a worker sends it. */
export interface OwnWrite {
  scope: string;
  key: string;
  change: Change;
}

/** Writes that are sent without waiting for each other's answers, mostly a single one. */
export class Writes implements fc.AsyncCommand<GatewayModel, Site> {
  constructor(private readonly writes: readonly OwnWrite[]) {}

  check(): boolean {
    return true;
  }

  async run(model: GatewayModel, site: Site): Promise<void> {
    const answers = await Promise.all(
      this.writes.map((write) => site.call(functionOf(write), inputOf(write))),
    );
    for (const [at, write] of this.writes.entries()) judge(model, write, answers[at] as Answer);
  }

  toString(): string {
    return this.writes.map(printed).join(' + ');
  }
}

/** Compares an answer with what the model says the write does, and does it to the model. */
function judge(model: GatewayModel, write: OwnWrite, answer: Answer): void {
  const key = model.key(write.scope, write.key);
  const possible = model.viewsOf(key);
  if (answer.kind === 'error') {
    const isUnknown = possible.some(({ kind }) => kind === 'unknown') && write.change.kind !== 'set';
    demand(
      isUnknown && answer.code === 'GATEWAY_OFFLINE_UNKNOWN',
      printed(write),
      answer,
      shownViews(possible),
    );
    if (model.link === 'down' && !key.isTorn) key.narrow(({ kind }) => kind === 'unknown');
    return;
  }
  if (write.change.kind === 'delete') judgeDelete(model, key, write, answer);
  else judgeChange(model, key, write, answer);
}

function judgeDelete(model: GatewayModel, key: KeyModel, write: OwnWrite, answer: Answer): void {
  const before: View = { kind: 'known', value: answer.kind === 'result' ? answer.value : undefined };
  const possible = model.viewsOf(key);
  demand(
    possible.some((view) => sameView(view, before)),
    printed(write),
    answer,
    shownViews(possible),
  );
  // Its answer does not say who gave it, and once the hub has everything it makes no difference.
  take(model, key, write, before, model.link === 'up' ? 'settled' : 'accepted');
}

function judgeChange(model: GatewayModel, key: KeyModel, write: OwnWrite, answer: Answer): void {
  const result = objectIn(answer);
  demand(result !== undefined, printed(write), answer, 'an object');
  const isAccepted = Object.hasOwn(result, 'pending');
  const isPossible = isAccepted ? model.link !== 'up' : model.link !== 'down';
  demand(isPossible, printed(write), answer, `a link that is ${model.link}`);
  const before = beforeIn(model, key, write, answer, result, isAccepted);
  if (isAccepted) noteReceipt(model, write, answer, result['receipt']);
  take(model, key, write, before, isAccepted ? 'accepted' : 'settled');
}

/** The view on which the write gives just this answer. */
function beforeIn(
  model: GatewayModel,
  key: KeyModel,
  { scope, key: name, change }: OwnWrite,
  answer: Answer,
  result: JsonObject,
  isAccepted: boolean,
): View {
  const possible = isAccepted || model.link === 'up' ? model.viewsOf(key) : [drainedView(key)];
  const fitting = possible.find((view) => fits(view, change, result, isAccepted));
  demand(
    fitting !== undefined,
    printed({ scope, key: name, change }),
    answer,
    `a base of ${shownViews(possible)}`,
  );
  return fitting;
}

function drainedView({ drained }: KeyModel): View {
  return { kind: 'known', value: drained };
}

function fits(before: View, change: Change, result: JsonObject, isAccepted: boolean): boolean {
  if (before.kind === 'unknown' && change.kind !== 'set') return false; // such a write is refused
  const value = before.kind === 'known' ? before.value : undefined;
  const { after, errors } = outcomeOf(value, change);
  const names = ['old_value', 'new_value', ...(errors.length > 0 ? ['errors'] : [])];
  if (isAccepted) names.push('pending', 'receipt');
  if (before.kind === 'unknown') names.push('base');
  return (
    hasExactly(result, names) &&
    sameValue(result['old_value'], value ?? null) &&
    sameValue(result['new_value'], after) &&
    hasErrors(result['errors'] ?? [], errors) &&
    (!isAccepted || result['pending'] === true) &&
    (before.kind === 'known' || result['base'] === 'unknown')
  );
}

function hasErrors(given: Json, expected: readonly Skipped[]): boolean {
  if (!Array.isArray(given) || given.length !== expected.length) return false;
  return expected.every(({ op_index, code }, at) => {
    const error = given[at];
    return (
      isObject(error) &&
      hasExactly(error, ['op_index', 'code', 'message', 'doc_url']) &&
      error['op_index'] === op_index &&
      error['code'] === code &&
      typeof error['message'] === 'string'
    );
  });
}

function noteReceipt(model: GatewayModel, write: OwnWrite, answer: Answer, receipt: Value): void {
  const isNew =
    typeof receipt === 'string' && /^[0-9a-f-]{36}-\d+$/.test(receipt) && !model.receipts.has(receipt);
  if (!isNew) throw new Contradiction(`${printed(write)}: ${shown(answer)}; not a new receipt`);
  model.receipts.add(receipt);
  model.openReceipts.push(receipt);
}

/** The write happens in the model too. */
function take(
  model: GatewayModel,
  key: KeyModel,
  { scope, change }: OwnWrite,
  before: View,
  how: 'settled' | 'accepted',
): void {
  if (how === 'settled') {
    key.drain(); // it was not sent before those that were accepted earlier
    key.settled(change);
    model.wrote(scope, key.hub);
    return;
  }
  if (model.link === 'down' && !key.isTorn) key.narrow((view) => sameView(view, before));
  key.pending.push(change);
  model.wrote(scope, outcomeOf(before.kind === 'known' ? before.value : undefined, change).after);
}

function functionOf({ change }: OwnWrite): string {
  return `state::${change.kind}`;
}

function inputOf({ scope, key, change }: OwnWrite): JsonObject {
  switch (change.kind) {
    case 'set':
      return { scope, key, value: change.value };
    case 'delete':
      return { scope, key };
    case 'update':
      return { scope, key, ops: change.ops.map((op) => ({ ...op })) };
  }
}

function printed(write: OwnWrite): string {
  const { scope: _, key: __, ...more } = inputOf(write);
  return `${write.change.kind} ${JSON.stringify([write.scope, write.key])} ${printJson(more)}`;
}
