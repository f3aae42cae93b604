import { GatewayError, toErrorBody } from '../../errors.js';
import type { Payload } from '../../protocol/payload.js';
import type { LateAnswer, RemoteCall } from '../../remote/calls.js';
import type { Clock } from '../clock.js';
import type { Lane } from '../log/lanes.js';
import type { SentNote } from '../log/layout.js';
import type { WriteAheadLog } from '../log/write-ahead-log.js';
import type { Witness } from '../mirror/witness.js';
import type { RemoteCaller } from '../remote-caller.js';
import type { ScopeRule } from '../scope-rules.js';
import { jsonOf, type Known, knownValue, UNKNOWN } from '../view.js';
import { effectOf, type Passed } from '../write.js';
import { outcomeOf } from './answers.js';
import { changeIn, comparison, foundInstead, noteOn, passedOf } from './attempts.js';
import type { AwaitedWrites, RemoteAnswer } from './awaited.js';
import type { Endings } from './endings.js';
import type { Unanswered } from './fence.js';
import type { InHand } from './in-hand.js';
import { markedPayload } from './marker.js';
import { isExpected } from './settlement.js';
import type { Next, Settling } from './settling.js';

export interface SenderOptions {
  gatewayId: string;
  patienceMs: number;
  ruleOf(scope: string): Pick<ScopeRule, 'conflict' | 'settle' | 'markerMember' | 'singleWriter'>;
  receiptOf(seq: number): string;
  callOf(functionId: string, call: Passed, receipt?: string): RemoteCall;
  /** Whether the remote drops a repeat of a receipt that it has taken. */
  knowsReceipts(): boolean;
  /** Our worker id at the remote, now. */
  workerId(): string | undefined;
}

/** What an attempt has led to. */
export type Step =
  | Next
  /** The link was not there after all. */
  | { kind: 'not-sent' }
  /** The remote has no such function at the moment. */
  | { kind: 'not-there' }
  /** The remote has to be looked at first. */
  | { kind: 'look'; look: (inHand: InHand) => Promise<Next> }
  /** Our own disk failed. */
  | { kind: 'stuck'; error: unknown };

type Tell = (step: Step) => void;

/** Sends a lane's head, and judges what comes back. It tells `tell` once for each attempt. */
export class Sender {
  inFlight = 0;
  /** Writes that the remote took from the log, since the start. */
  replayed = 0;

  constructor(
    private readonly log: WriteAheadLog,
    private readonly endings: Endings,
    private readonly settling: Settling,
    private readonly awaited: AwaitedWrites,
    private readonly caller: RemoteCaller,
    private readonly witness: Witness,
    private readonly options: SenderOptions,
    private readonly clock: Pick<Clock, 'now'>,
  ) {}

  send(lane: Lane, inHand: InHand, tell: Tell): void {
    this.inFlight += 1;
    const noted = this.log.noteSending(inHand.entry, this.noteOf(inHand));
    if (!noted) {
      this.call(lane, inHand, tell);
      return;
    }
    noted.then(
      () => this.call(lane, inHand, tell),
      (error: unknown) => {
        this.inFlight -= 1;
        tell({ kind: 'stuck', error });
      },
    );
  }

  /** What comes after the deadline of an attempt. */
  lateAnswerOf(lane: Lane, inHand: InHand, tell: Tell): LateAnswer {
    const workerId = this.options.workerId();
    return {
      answered: (answer) => tell(this.judged(lane, inHand, answer)),
      gone: ({ code }) => {
        const how = code === 'GATEWAY_TIMEOUT' ? 'late' : 'lost';
        tell(this.settle(lane, { how, workerId, at: this.clock.now() }));
      },
    };
  }

  private call(lane: Lane, inHand: InHand, tell: Tell): void {
    const { patienceMs, workerId } = this.options;
    const sentAs = workerId();
    this.caller.call(this.callOf(inHand), patienceMs, this.lateAnswerOf(lane, inHand, tell)).then(
      (answer) => {
        this.inFlight -= 1;
        tell(this.judged(lane, inHand, answer));
      },
      (error: unknown) => {
        this.inFlight -= 1;
        const step = this.unanswered(lane, inHand, sentAs, error);
        if (step) tell(step);
      },
    );
  }

  /** A record that cannot be read, or a disk that has failed, holds up this lane only. */
  private judged(lane: Lane, inHand: InHand, answer: RemoteAnswer): Step {
    try {
      return this.answered(lane, inHand, answer);
    } catch (error) {
      return { kind: 'stuck', error };
    }
  }

  /** What the remote said to a lane's head. */
  private answered(lane: Lane, inHand: InHand, answer: RemoteAnswer): Step {
    const { entry } = inHand;
    const outcome = outcomeOf(entry.write.functionId, answer);
    switch (outcome.kind) {
      case 'applied':
        return inHand.onlyIf
          ? this.compared(lane, inHand, inHand.onlyIf, outcome.result)
          : ended(this.applied(lane, inHand, answer));
      case 'refused':
        return ended(this.endings.refuse(lane, entry, outcome.error));
      case 'not-now':
        return { kind: outcome.error.code === 'function_not_found' ? 'not-there' : 'send-later' };
      case 'unclear':
        return this.settle(lane, {
          how: 'error',
          workerId: this.options.workerId(),
          at: this.clock.now(),
        });
    }
  }

  /** Undefined: the late answer, or its end, goes on from here. */
  private unanswered(
    lane: Lane,
    inHand: InHand,
    workerId: string | undefined,
    error: unknown,
  ): Step | undefined {
    switch (error instanceof GatewayError ? error.code : undefined) {
      case 'GATEWAY_OFFLINE':
        if (!inHand.isInDoubt) this.log.takeBackNote(inHand.entry);
        return { kind: 'not-sent' };
      case 'GATEWAY_TIMEOUT':
        return undefined;
      case 'GATEWAY_OUTCOME_UNKNOWN':
        return this.settle(lane, { how: 'lost', workerId, at: this.clock.now() });
      default:
        return ended(this.endings.refuse(lane, inHand.entry, toErrorBody(error)));
    }
  }

  private settle(lane: Lane, unanswered: Unanswered): Step {
    return { kind: 'look', look: (inHand) => this.settling.afterUnanswered(lane, inHand, unanswered, true) };
  }

  private applied(lane: Lane, { entry, note }: InHand, answer: RemoteAnswer): Promise<void> {
    this.replayed += 1;
    const { write, seq } = entry;
    const { after, oldValue } = changeIn(write.functionId, answer.result);
    const base = this.witness.peek(write.scope, write.key);
    if (after.kind !== 'unknown' && this.witness.wantsBefore(write.scope)) {
      this.witness.changed(write.scope, oldValue === undefined ? UNKNOWN : knownValue(oldValue), after);
    }
    // Other updates merge by nature; an old value that equals the new one did no harm to anybody; and one whose
    // caller has waited for it is based on nothing older than itself.
    const isConflict =
      !entry.expected &&
      !(entry.isAlone && this.awaited.has(seq)) &&
      oldValue !== undefined &&
      !isExpected(base, oldValue) &&
      !isExpected(after, oldValue);
    // A marker changes the value each time; what others changed beside it is met when the next is sent.
    if (!isConflict)
      return this.endings.commit(lane, entry, after, answer, note?.marker ? 'as-computed' : 'compare');
    const { conflict } = this.options.ruleOf(write.scope);
    return this.endings.commitOver(lane, entry, after, knownValue(oldValue), answer, conflict);
  }

  /** What `state::compare-and-set` says: swapped, or what is there instead. */
  private compared(lane: Lane, inHand: InHand, expected: Known, result: Payload | undefined): Step {
    const { entry } = inHand;
    const found = foundInstead(result);
    if (found) return { kind: 'look', look: () => this.settling.afterMismatch(lane, inHand, found) };
    this.replayed += 1;
    const { scope, key, input } = entry.write;
    const after = effectOf(input, expected).after as Known;
    if (this.witness.wantsBefore(scope)) this.witness.changed(scope, expected, after);
    // What it was to replace is not what it was based on where a function has decided for it.
    const wasExpected = isExpected(this.witness.peek(scope, key), jsonOf(expected) ?? null);
    return ended(
      wasExpected
        ? this.endings.commit(lane, entry, after)
        : this.endings.commitOver(lane, entry, after, expected, {}, 'function'),
    );
  }

  /** What has to be known of an update to settle it if it stays unanswered; it is noted once, before its first frame. */
  private noteOf(inHand: InHand): SentNote | undefined {
    const { write, expected } = inHand.entry;
    if (!expected) return undefined;
    inHand.note ??= noteOn(write.input, {
      rule: this.options.ruleOf(write.scope),
      expected,
      before: this.witness.peek(write.scope, write.key),
      takeNumber: () => this.log.takeNumber(),
      withReceipt: this.options.knowsReceipts(),
    });
    return inHand.note;
  }

  private callOf(inHand: InHand): RemoteCall {
    const { entry, note, onlyIf, withReceipt } = inHand;
    const { callOf, gatewayId, knowsReceipts, receiptOf, ruleOf } = this.options;
    const { write, seq, sentAs } = entry;
    // A comparison goes without a receipt: a set after it would be another call under the same name.
    if (onlyIf)
      return callOf('state::compare-and-set', { ...passedOf(write), payload: comparison(write, onlyIf) });
    // A repeat carries it whatever is known of the remote right now: it was decided on for its sake.
    const isNamed = knowsReceipts() || withReceipt || note?.withReceipt || sentAs !== undefined;
    const receipt = isNamed ? (sentAs ?? receiptOf(seq)) : undefined;
    inHand.withReceipt = receipt !== undefined;
    if (!note?.marker) return callOf(write.functionId, write, receipt);
    const place = { member: ruleOf(write.scope).markerMember, gatewayId };
    const payload = markedPayload(write.payload, place, note.marker);
    return callOf(write.functionId, { ...passedOf(write), payload }, receipt);
  }
}

function ended(written: Promise<void>): Step {
  return { kind: 'ended', written };
}
