/** Writes that we accept ourselves, for the remote to have later (promises: accepted-means-durable). */
import { GatewayError, messageOf } from '../../errors.js';
import type { StateAnswer } from '../../operations/calls.js';
import { printJson } from '../../protocol/json.js';
import { Payload } from '../../protocol/payload.js';
import type { WriteOp } from '../../storage/group-commit.js';
import type { Lane, Lanes } from '../log/lanes.js';
import type { Entry } from '../log/layout.js';
import { backlogFull, fullness, type LogFill, type LogLimits } from '../log/limits.js';
import type { Overflow } from '../log/overflow.js';
import { rebased } from '../log/rebase.js';
import type { Appended, NewEntry, WriteAheadLog } from '../log/write-ahead-log.js';
import type { ScopeRule } from '../scope-rules.js';
import { UNKNOWN, type View } from '../view.js';
import { classOf, type Effect, effectOf, type Write, type WriteInput } from '../write.js';

export interface AcceptanceOptions {
  receiptOf: (seq: number) => string;
  limits: LogLimits;
  now: () => number;
  ruleOf: (scope: string) => AcceptanceRule;
  /** What the remote held when we last knew. */
  knownOf: (scope: string, key: string) => View;
  /** Notes that a write which was never sent gives way to a newer one, with whose batch it goes. */
  superseded: (entry: Entry, written: Promise<void>) => void;
}

export type AcceptanceRule = Pick<ScopeRule, 'blindWrites' | 'coalesce' | 'overflow'>;

/** How a write is taken. */
export interface Manner {
  /** It was sent and not answered; the receipt that its frame carried, if it did. */
  sent?: { as: string | undefined };
  /** The name under which its caller may ask for it again. */
  repeatId?: string;
  /** Its caller waits for what the remote says, so it may be of a key that we know nothing of. */
  isAwaited?: boolean;
  /** Written in the same batch. */
  together?: (accepted: { seq: number; answer: StateAnswer; isBlind: boolean }) => readonly WriteOp[];
}

/** A write that is in the log; the answer comes once it is durable. */
export interface Accepted {
  entry: Entry;
  /** What comes out of it depends on a value that we do not know. */
  isBlind: boolean;
  answer: Promise<StateAnswer>;
}

/** Takes writes into the log, and answers them as the engine would, computed from our view of the key. */
export class Acceptance {
  /** When the oldest entry was accepted, as far as is known. */
  oldestAt: number | undefined;

  constructor(
    private readonly log: WriteAheadLog,
    private readonly lanes: Lanes,
    private readonly space: { readonly free: number },
    private readonly room: Pick<Overflow, 'canMakeRoom' | 'makeRoom'>,
    private readonly options: AcceptanceOptions,
  ) {}

  /** The log's limits against what it holds. */
  get fill(): LogFill {
    const { entries, bytes } = this.log.book;
    const oldestAgeMs =
      entries > 0 && this.oldestAt !== undefined ? Math.max(0, this.options.now() - this.oldestAt) : 0;
    return { entries, bytes, oldestAgeMs, freeBytes: this.space.free };
  }

  /** Keys, by their lanes, of which a write may be found on the disk at the next start although it was not accepted. */
  private readonly doubtful = new Set<string>();

  /** Nothing more is done to such a key before a restart has shown whether the disk has a write to it. */
  isDoubtful({ at }: Lane): boolean {
    return this.doubtful.size > 0 && this.doubtful.has(at);
  }

  /** Why a write would not be accepted now, whatever it is. */
  get refusal(): GatewayError | undefined {
    if (this.log.writeFailure) return this.log.writeFailure;
    const reason = fullness(this.options.limits, this.fill);
    return reason === undefined ? undefined : backlogFull(reason);
  }

  /** Whether the log holds more than it may, and giving up its oldest writes would help. */
  get isOver(): boolean {
    return fullness({ ...this.options.limits, ageMs: 0, minFreeBytes: 0 }, this.fill) !== undefined;
  }

  /** Our view of a key: what the remote held, with our own unconfirmed writes applied. */
  viewOf(lane: Lane, key: string): View {
    return this.pendingViewOf(lane, key) ?? this.options.knownOf(lane.scope, key);
  }

  /** The same of a key with unconfirmed writes; undefined: it has none. */
  pendingViewOf(lane: Lane, key: string): View | undefined {
    if (!lane.record || lane.record.count === 0) return undefined;
    if (lane.key === undefined) return this.viewInScopeLane(lane, key);
    lane.view ??= this.viewAfter(lane.record.last);
    return lane.view;
  }

  /**
   * Accepts a write that has not been sent.
   * @throws GatewayError `GATEWAY_BACKLOG_FULL`, `GATEWAY_STORAGE`, `GATEWAY_KEY_HELD`; `GATEWAY_OFFLINE_UNKNOWN` for
   * an update or delete of a key that we know nothing of. The write will then never be sent.
   */
  accept(lane: Lane, write: Write, manner: Manner = {}): Accepted {
    const { input } = write;
    const rule = this.options.ruleOf(lane.scope);
    if (this.isDoubtful(lane)) throw diskFailedBefore(input.functionId, manner.repeatId !== undefined);
    if (lane.record && lane.record.heldBy > 0) throw keyHeld(input);
    this.refuseIfFull(lane, rule);
    const before = this.viewOf(lane, input.key);
    if (isBlind(input, before) && !rule.blindWrites && !manner.isAwaited) throw valueUnknown(input);
    return this.append(lane, write, before, manner);
  }

  /** Keeps a write that was sent and not answered; undefined: it cannot be kept, and will never be sent again. */
  keepSent(lane: Lane, write: Write, sentAs: string | undefined): Accepted | undefined {
    const { input } = write;
    const before = this.viewOf(lane, input.key);
    // A remote that knows receipts tells of any write whether it was done; by reading, that can be told of some.
    if (this.refusal || (classOf(input) === 'relative' && sentAs === undefined)) return undefined;
    if (isBlind(input, before)) return undefined;
    return this.append(lane, write, before, { sent: { as: sentAs } });
  }

  /** Puts a write at the end of its lane whatever the limits say: an operator asked for it. */
  again(lane: Lane, write: Write, together: readonly WriteOp[]): Accepted {
    return this.append(lane, write, this.viewOf(lane, write.input.key), { together: () => together });
  }

  /** Puts a write before all others of a lane that an operator was to decide about. */
  insteadOfHeld(lane: Lane, write: Write, together: readonly WriteOp[]): Accepted {
    const { input } = write;
    const base = this.options.knownOf(lane.scope, input.key);
    const effect = effectOf(input, base);
    const isOnly = this.pendingViewOf(lane, input.key) === undefined;
    const appended = this.log.putFirst(lane, this.newEntry(write, base, effect, {}, together));
    if (isOnly) this.remember(lane, input.key, appended.entry.seq, effect.after);
    const behind = rebased(this.log, lane, appended.entry, effect.after);
    if (behind.length > 0) this.log.commit(behind).catch(() => undefined); // the disk failed, and said so
    const answer = acceptedAnswer(input, base, effect, this.options.receiptOf(appended.entry.seq));
    return this.accepted(lane, input, appended, { base, answer });
  }

  private append(lane: Lane, write: Write, before: View, manner: Manner): Accepted {
    const { input } = write;
    const effect = effectOf(input, before);
    if (this.log.isEmpty) this.oldestAt = this.options.now();
    const replaces = this.replacedBy(lane, input);
    const receipt = this.options.receiptOf(this.log.book.next);
    const answer = acceptedAnswer(input, before, effect, receipt);
    const seq = this.log.book.next;
    const together = manner.together?.({ seq, answer, isBlind: isBlind(input, before) }) ?? [];
    const appended = this.log.append(lane, this.newEntry(write, before, effect, manner, together, replaces));
    if (replaces) this.options.superseded(replaces, appended.durable);
    this.remember(lane, input.key, appended.entry.seq, effect.after);
    if (this.refusal) this.room.makeRoom();
    return this.accepted(lane, input, appended, { base: before, answer });
  }

  private newEntry(
    write: Write,
    before: View,
    { after }: Effect,
    { sent, repeatId }: Manner,
    together: readonly WriteOp[],
    replaces?: Entry,
  ): NewEntry {
    const isRelative = classOf(write.input) === 'relative';
    return {
      write,
      acceptedAt: this.options.now(),
      sent: sent !== undefined,
      sentAs: sent?.as,
      repeatId,
      expected: isRelative ? { before, after } : undefined,
      replaces,
      together,
    };
  }

  private accepted(
    lane: Lane,
    input: WriteInput,
    { entry, durable }: Appended,
    { base, answer }: { base: View; answer: StateAnswer },
  ): Accepted {
    const told = durable.then(
      () => {
        this.lanes.release(lane);
        return answer;
      },
      (error: unknown) => {
        this.doubtful.add(lane.at);
        this.lanes.discard(lane); // nothing is written any more; reads go on from what the disk holds
        throw diskFailed(input, error);
      },
    );
    return { entry, answer: told, isBlind: isBlind(input, base) };
  }

  /** The write that the new one replaces, where only the newest counts: alone in its lane, and not sent. */
  private replacedBy(lane: Lane, input: WriteInput): Entry | undefined {
    const { record } = lane;
    if (record?.count !== 1 || lane.key === undefined || record.heldBy > 0) return undefined;
    if (!this.options.ruleOf(lane.scope).coalesce || classOf(input) !== 'absolute') return undefined;
    if (lane.turn !== 'free' || lane.appending > 0 || record.fenceFirst) return undefined;
    const only = this.log.entry(record.head);
    if (!only || this.log.mayHaveBeenSent(only) || classOf(only.write.input) !== 'absolute') return undefined;
    return only.repeatId === undefined ? only : undefined;
  }

  private refuseIfFull(lane: Lane, { overflow }: AcceptanceRule): void {
    const { refusal } = this;
    if (refusal && !(overflow === 'drop-oldest' && this.canMakeRoom)) throw refusal;
    const { laneEntries } = this.options.limits;
    if ((lane.record?.count ?? 0) < laneEntries) return;
    throw backlogFull(`this key has ${laneEntries} writes in it (limits.lane_entries)`);
  }

  private get canMakeRoom(): boolean {
    const others = {
      ...this.options.limits,
      entries: Number.POSITIVE_INFINITY,
      bytes: Number.POSITIVE_INFINITY,
    };
    return !this.log.writeFailure && fullness(others, this.fill) === undefined && this.room.canMakeRoom;
  }

  private viewInScopeLane(lane: Lane, key: string): View | undefined {
    const last = this.log.lastOf(lane, key);
    if (last === undefined) return undefined;
    const view = lane.lasts?.get(key)?.view ?? this.viewAfter(last);
    this.remember(lane, key, last, view);
    return view;
  }

  private remember(lane: Lane, key: string, seq: number, view: View): void {
    if (lane.key !== undefined) {
      lane.view = view;
      return;
    }
    lane.lasts ??= new Map();
    lane.lasts.delete(key);
    lane.lasts.set(key, { seq, view });
    const [oldest] = lane.lasts.keys();
    if (lane.lasts.size > MOST_KEYS_AT_HAND && oldest !== undefined) lane.lasts.delete(oldest);
  }

  private viewAfter(seq: number): View {
    const entry = this.log.entry(seq);
    if (!entry) return UNKNOWN;
    return entry.expected?.after ?? effectOf(entry.write.input, UNKNOWN).after;
  }
}

/** Of the keys of a scope's lane; what is older is read from the log. */
const MOST_KEYS_AT_HAND = 4096;

function keyHeld({ functionId, scope, key }: WriteInput): GatewayError {
  return new GatewayError(
    'GATEWAY_KEY_HELD',
    `An earlier write to key ${JSON.stringify(key)} of scope ${JSON.stringify(scope)}, or to its scope, is in quarantine and ` +
      `later ones wait for it, so ${functionId} was not accepted. \`iii-state-gateway quarantine list\` shows it; retry, edit or drop it`,
  );
}

/** What comes out of it depends on a value that we do not know. */
function isBlind({ functionId }: WriteInput, before: View): boolean {
  return before.kind === 'unknown' && functionId !== 'state::set';
}

/** What LevelDB was given may be found at the next start, whatever became of the call: then it is sent. */
function diskFailed({ functionId }: WriteInput, cause: unknown): GatewayError {
  return new GatewayError(
    'GATEWAY_OUTCOME_UNKNOWN',
    `The disk failed while ${functionId} was logged: it was not accepted, but it may be found on the disk at the next start, ` +
      `and will then be sent (${messageOf(cause)})`,
    { cause },
  );
}

/** @param isNamed the earlier write may be this very call, made before. */
function diskFailedBefore(functionId: string, isNamed: boolean): GatewayError {
  return new GatewayError(
    isNamed ? 'GATEWAY_OUTCOME_UNKNOWN' : 'GATEWAY_STORAGE',
    `${functionId} was not done: the disk failed while an earlier write to this key was logged, which may be found there at the next ` +
      'start, and will then be sent. Restart the gateway, read the key, then decide',
  );
}

function valueUnknown({ functionId, scope, key }: WriteInput): GatewayError {
  return new GatewayError(
    'GATEWAY_OFFLINE_UNKNOWN',
    `The remote engine cannot be asked, and this gateway does not know what key ${JSON.stringify(key)} of scope ` +
      `${JSON.stringify(scope)} holds, so ${functionId} has nothing to work on. It was not accepted`,
  );
}

/** The engine's result, with our two members where its shape has room (a deleted value comes bare). */
function acceptedAnswer(
  input: WriteInput,
  before: View,
  { after, errors }: Effect,
  receipt: string,
): StateAnswer {
  if (input.functionId === 'state::delete') {
    return before.kind === 'value' ? { result: Payload.fromText(before.text) } : {};
  }
  const more = before.kind === 'unknown' ? ',"base":"unknown"' : '';
  const skipped = errors.length > 0 ? `,"errors":${printJson([...errors])}` : '';
  return {
    result: Payload.fromText(
      `{"old_value":${textOf(before)},"new_value":${textOf(after)}${skipped},"pending":true,"receipt":"${receipt}"${more}}`,
    ),
  };
}

function textOf(view: View): string {
  return view.kind === 'value' ? view.text : 'null';
}
