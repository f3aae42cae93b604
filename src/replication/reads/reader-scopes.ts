import { GatewayError } from '../../errors.js';
import type { StateCall, StateInputOf } from '../../operations/calls.js';
import { groupsResult } from '../../operations/results.js';
import { isObject, type Json, member, parseJson, printJson } from '../../protocol/json.js';
import type { InvocationResult } from '../../protocol/messages.js';
import type { Payload } from '../../protocol/payload.js';
import { wholeScope } from '../mirror/scope-snapshot.js';
import type { PendingKey } from '../own-writes.js';
import { jsonOf } from '../view.js';
import { type Held, isUnanswered, show, showAnswer, stillPending, unansweredRead } from './reader-answers.js';
import type { ReaderOptions } from './reader-options.js';
import { type ReadRules, type ReadWishes, wishesIn } from './reader-wishes.js';

type ListInput = StateInputOf<'state::list'>;
type GroupsInput = StateInputOf<'state::list_groups'>;
type KeysInput = StateInputOf<'state::list_keys' | 'state::list_entries'>;

/** The remote said nothing, for this reason. */
class Silence {
  constructor(readonly reason: GatewayError) {}
}

/** For `list_groups`, which is about no scope. */
const NO_RULES: ReadRules = { consistency: 'remote', maxAgeMs: 0, staleIfError: true };

/** How often an answer put together from several parts is begun anew when one of them changed meanwhile. */
const TRIES = 3;

/** Answers reads of whole scopes, and of their names. */
export class ScopeReader {
  constructor(
    private readonly options: ReaderOptions,
    private readonly held: Held,
  ) {}

  async list(call: StateCall, input: ListInput): Promise<Payload | undefined> {
    const { functionId, scope } = input;
    const { scopes } = this.options.mirror;
    const wishes = wishesIn(call.payload, functionId, 1, this.options.rulesFor(scope));
    const metadata = this.options.stamp(call.metadata);
    const deadline = this.options.now() + this.options.patienceMs;
    if (this.options.own.any && (await this.isHeldUp(scope))) {
      return this.listFromHere(input, wishes, stillPending());
    }
    const question = scopes.beginList(scope);
    try {
      const answer = await this.ask(call, metadata, deadline);
      if (answer instanceof Silence) return await this.listFromHere(input, wishes, answer.reason);
      const result = resultOf(answer);
      if (result) scopes.learnList(question, result.text);
      return showAnswer(result, wishes);
    } finally {
      scopes.giveUp(question);
    }
  }

  async groups(call: StateCall, { functionId }: GroupsInput): Promise<Payload | undefined> {
    const { own, mirror } = this.options;
    const wishes = wishesIn(call.payload, functionId, 0, NO_RULES);
    const metadata = this.options.stamp(call.metadata);
    const deadline = this.options.now() + this.options.patienceMs;
    // Asked first: what is settled while the remote answers may be missing in both.
    const pending = own.any ? await own.pendingScopes() : new Set<string>();
    const question = mirror.scopes.beginGroups();
    try {
      const answer = await this.ask(call, metadata, deadline);
      if (answer instanceof Silence) return await this.groupsFromHere(functionId, wishes, answer.reason);
      const result = resultOf(answer);
      if (result) mirror.scopes.learnGroups(question, result.text);
      return withPending(result, pending, wishes);
    } finally {
      mirror.scopes.giveUpGroups(question);
    }
  }

  /** Nothing that we know has the names of all keys, so these are the remote's to answer. */
  async keysOrEntries(call: StateCall, { functionId, scope }: KeysInput): Promise<Payload | undefined> {
    wishesIn(call.payload, functionId, 1, NO_RULES); // refuses what is of a wrong type, as everywhere
    const metadata = this.options.stamp(call.metadata);
    const deadline = this.options.now() + this.options.patienceMs;
    if (this.options.own.any && (await this.isHeldUp(scope))) throw stillPending();
    const answer = await this.ask(call, metadata, deadline);
    if (answer instanceof Silence) throw unansweredRead(functionId, answer.reason);
    return resultOf(answer);
  }

  /** Whether own writes to the scope are pending, and stay so for as long as a call waits. */
  private async isHeldUp(scope: string): Promise<boolean> {
    const { own, remote, patienceMs } = this.options;
    if ((await own.pendingIn(scope)).length === 0) return false;
    if (!remote.available) return true;
    await own.settled(scope, undefined, patienceMs);
    return own.any && (await own.pendingIn(scope)).length > 0;
  }

  private async ask(
    call: StateCall,
    metadata: Payload,
    deadline: number,
  ): Promise<InvocationResult | Silence> {
    const { input, payload, traceparent, baggage } = call;
    try {
      return await this.options.remote.call(
        { function_id: input.functionId, data: payload, metadata, traceparent, baggage },
        Math.max(1, deadline - this.options.now()),
      );
    } catch (error) {
      if (isUnanswered(error)) return new Silence(error);
      throw error;
    }
  }

  private async listFromHere(
    { functionId, scope }: ListInput,
    wishes: ReadWishes,
    reason: GatewayError,
  ): Promise<Payload | undefined> {
    if (!wishes.staleIfError) throw unansweredRead(functionId, reason);
    const list = this.held.given(await this.wholeList(scope), functionId, wishes, reason);
    return show(list.text, list.source, this.held.ageOf(list), wishes);
  }

  /** The values of a scope with our pending writes, if we know the whole of it. */
  private async wholeList(
    scope: string,
  ): Promise<{ text: string; at: number; source: 'mirror' | 'local' } | undefined> {
    const { own, mirror } = this.options;
    for (let tries = 0; tries < TRIES; tries += 1) {
      const pending = own.any ? await own.pendingIn(scope) : [];
      if (pending.length === 0) {
        const list = mirror.scopes.listOf(scope);
        return list && { text: list.text, at: list.at, source: 'mirror' };
      }
      if (!mirror.scopes.hasSnapshot(scope)) return undefined;
      const present = await mirror.presentIn(scope);
      const list = mirror.scopes.listOf(scope);
      if (!present || !list) return undefined;
      // A write that was settled or accepted meanwhile is in some of the parts and not in others.
      if (!areSame(pending, await own.pendingIn(scope))) continue;
      const values = parseJson(list.text) as Json[];
      const known = present.map(jsonOf).filter((value) => value !== undefined);
      const whole = wholeScope(values, known, pending);
      return whole === 'unknown' ? undefined : { text: printJson(whole), at: list.at, source: 'local' };
    }
    return undefined;
  }

  private async groupsFromHere(
    functionId: GroupsInput['functionId'],
    wishes: ReadWishes,
    reason: GatewayError,
  ): Promise<Payload | undefined> {
    const { own, mirror } = this.options;
    if (!wishes.staleIfError) throw unansweredRead(functionId, reason);
    const pending = own.any ? await own.pendingScopes() : new Set<string>();
    const known = this.held.given(mirror.scopes.allScopes(), functionId, wishes, reason);
    const source = hasMore(pending, known.scopes) ? 'local' : 'mirror';
    return show(groupsResult([...known.scopes, ...pending]).text, source, this.held.ageOf(known), wishes);
  }
}

/** @throws GatewayError the remote's own error */
function resultOf({ error, result }: InvocationResult): Payload | undefined {
  if (error) throw GatewayError.fromBody(error);
  return result;
}

/** The remote's scopes, and those that it will have. */
function withPending(
  result: Payload | undefined,
  pending: ReadonlySet<string>,
  wishes: ReadWishes,
): Payload | undefined {
  if (!result || pending.size === 0) return showAnswer(result, wishes);
  const groups = isObject(result.value) ? member(result.value, 'groups') : undefined;
  const listed = new Set(Array.isArray(groups) ? groups.filter((name) => typeof name === 'string') : []);
  if (!hasMore(pending, listed)) return showAnswer(result, wishes);
  return show(groupsResult([...listed, ...pending]).text, 'local', 0, wishes);
}

function hasMore(some: ReadonlySet<string>, others: ReadonlySet<string>): boolean {
  return [...some].some((name) => !others.has(name));
}

function areSame(some: readonly PendingKey[], others: readonly PendingKey[]): boolean {
  const printed = (keys: readonly PendingKey[]) => JSON.stringify(keys.map(printPending).sort());
  return printed(some) === printed(others);
}

function printPending({ key, base, view }: PendingKey): string {
  const texts = [base, view].map((side) => (side.kind === 'value' ? side.text : side.kind));
  return JSON.stringify([key, ...texts]);
}
