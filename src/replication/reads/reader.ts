import { GatewayError } from '../../errors.js';
import type { StateCall } from '../../operations/calls.js';
import type { InvocationResult } from '../../protocol/messages.js';
import type { Payload } from '../../protocol/payload.js';
import type { FreshRead } from '../mirror/freshness.js';
import { ABSENT, type Known, type View } from '../view.js';
import {
  Held,
  isUnanswered,
  show,
  showAnswer,
  stillPending,
  unansweredRead,
  valueUnknown,
} from './reader-answers.js';
import type { ReaderOptions } from './reader-options.js';
import { ScopeReader } from './reader-scopes.js';
import { type ReadWishes, wishesIn } from './reader-wishes.js';

/** A read of one key that is under way. */
interface KeyQuestion {
  readonly scope: string;
  readonly key: string;
  readonly asked: number;
  readonly epoch: string | undefined;
  readonly fresh: FreshRead | undefined;
  readonly wishes: ReadWishes;
}

/**
 * Answers reads: with the remote's answer unchanged, wherever that shows our own writes, else with what we know
 * (promises, section 3).
 */
export class Reader {
  private readonly held: Held;
  private readonly scopes: ScopeReader;

  constructor(private readonly options: ReaderOptions) {
    this.held = new Held(options.now);
    this.scopes = new ScopeReader(options, this.held);
  }

  /** Answers that the mirror gave. */
  get hits(): number {
    return this.held.hits;
  }

  /** Times that the mirror was asked in vain. */
  get misses(): number {
    return this.held.misses;
  }

  /**
   * Answers a read; it is no async function, for each would cost more than what is done here in most cases.
   * @throws GatewayError the remote's own error; `GATEWAY_OFFLINE`, `GATEWAY_TIMEOUT`: no answer;
   * `GATEWAY_OFFLINE_UNKNOWN`: neither we nor the remote can tell; `deserialization_error` for a wish of a wrong type.
   */
  answer(call: StateCall): Promise<Payload | undefined> {
    const { input } = call;
    try {
      switch (input.functionId) {
        case 'state::get':
          return this.get(call, input.scope, input.key);
        case 'state::list':
          return this.scopes.list(call, input);
        case 'state::list_groups':
          return this.scopes.groups(call, input);
        case 'state::list_keys':
        case 'state::list_entries':
          return this.scopes.keysOrEntries(call, input);
        default:
          throw new TypeError(`${input.functionId} is no read`);
      }
    } catch (error) {
      return Promise.reject(error);
    }
  }

  private get(call: StateCall, scope: string, key: string): Promise<Payload | undefined> {
    const { payload, traceparent, baggage } = call;
    const { own, mirror, freshness, remote } = this.options;
    const wishes = wishesIn(payload, 'state::get', 2, this.options.rulesFor(scope));
    const pending = own.any ? own.viewOf(scope, key) : undefined;
    if (pending) return Promise.resolve(showView(pending, wishes, undefined));
    const isCached = wishes.consistency === 'cache';
    if (isCached && freshness.mayServe(scope, key)) {
      const kept = mirror.get(scope, key);
      if (kept && this.held.isYoungEnough(kept, wishes)) {
        this.held.hits += 1;
        return Promise.resolve(show(textOf(kept.known), 'mirror', this.ageFor(wishes, kept), wishes));
      }
    }
    if (isCached) {
      this.held.misses += 1;
      this.options.follow(scope);
    }
    const metadata = this.options.stamp(call.metadata);
    const question: KeyQuestion = {
      scope,
      key,
      asked: mirror.asking(),
      epoch: this.options.epoch(),
      fresh: isCached ? freshness.readIssued(scope, key, this.options.now()) : undefined,
      wishes,
    };
    return remote
      .call(
        { function_id: 'state::get', data: payload, metadata, traceparent, baggage },
        this.options.patienceMs,
      )
      .then(
        (answer) => this.answered(question, answer),
        (error: unknown) => this.unanswered(question, error),
      );
  }

  private answered(question: KeyQuestion, { error, result }: InvocationResult): Payload | undefined {
    const { scope, key, asked, epoch, fresh, wishes } = question;
    const { own, mirror, freshness } = this.options;
    if (error) {
      if (fresh) freshness.readAnswered(fresh, false);
      throw GatewayError.fromBody(error);
    }
    // While own writes are pending, what they were based on stays as it is.
    const isFrozen = own.isBusy(scope, key);
    const known: Known = result ? { kind: 'value', text: result.text } : ABSENT;
    const isLearnt = !isFrozen && mirror.learnAnswer(scope, key, known, asked, epoch);
    if (fresh) freshness.readAnswered(fresh, isLearnt);
    return showAnswer(result, wishes);
  }

  private unanswered({ scope, key, fresh, wishes }: KeyQuestion, error: unknown): Payload | undefined {
    const { own, mirror, freshness } = this.options;
    if (fresh) freshness.readAnswered(fresh, false);
    if (!isUnanswered(error)) throw error;
    // A write may have been accepted while the remote was silent.
    const pending = own.any ? own.viewOf(scope, key) : undefined;
    if (pending) return showView(pending, wishes, error);
    if (!wishes.staleIfError) throw unansweredRead('state::get', error);
    const kept = this.held.given(mirror.get(scope, key), 'state::get', wishes, error);
    return show(textOf(kept.known), 'mirror', this.ageFor(wishes, kept), wishes);
  }

  /** The clock is asked only for those who want to know. */
  private ageFor(wishes: ReadWishes, kept: { at: number }): number {
    return wishes.withMeta ? this.held.ageOf(kept) : 0;
  }
}

/** @throws GatewayError `GATEWAY_OFFLINE_UNKNOWN` */
function showView(view: View, wishes: ReadWishes, cause: unknown): Payload | undefined {
  if (view.kind === 'unknown') throw valueUnknown('state::get', cause ?? stillPending());
  return show(textOf(view), 'local', 0, wishes);
}

function textOf(known: Known): string | undefined {
  return known.kind === 'value' ? known.text : undefined;
}
