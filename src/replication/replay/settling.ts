import type { ErrorBody } from '../../errors.js';
import { Payload } from '../../protocol/payload.js';
import type { RemoteCall } from '../../remote/calls.js';
import type { Clock } from '../clock.js';
import { whomItFollows } from '../log/lane-records.js';
import type { Lane } from '../log/lanes.js';
import { type Entry, type LaneRecord, valueText } from '../log/layout.js';
import type { WriteAheadLog } from '../log/write-ahead-log.js';
import type { Witness } from '../mirror/witness.js';
import type { RemoteCaller } from '../remote-caller.js';
import type { ScopeRule } from '../scope-rules.js';
import { ABSENT, type Known, UNKNOWN } from '../view.js';
import { classOf, effectOf, type Passed, type WriteClass } from '../write.js';
import { isRefusal } from './answers.js';
import { type CallFunction, decideByFunction } from './conflict-function.js';
import type { Endings } from './endings.js';
import type { Fence, Unanswered } from './fence.js';
import type { InHand } from './in-hand.js';
import { settleByMarker } from './marker.js';
import { isConflict, type Settlement, sameKnown, settle, settleAsSoleWriter } from './settlement.js';

export interface SettlingOptions {
  gatewayId: string;
  patienceMs: number;
  receiptOf: (seq: number) => string;
  ruleOf: (scope: string) => SettlingRule;
  callOf: (functionId: string, call: Passed) => RemoteCall;
  callFunction: CallFunction;
  /** Whether the remote drops a repeat of a receipt that it has taken. */
  knowsReceipts: () => boolean;
  /** Whether the remote has `state::compare-and-set`. */
  comparesAndSets: () => boolean;
  /** Whether the remote tells a stored null and a missing key apart. */
  nullIsAbsent: () => boolean;
}

export type SettlingRule = Pick<
  ScopeRule,
  'conflict' | 'conflictFunctionId' | 'settle' | 'markerMember' | 'singleWriter'
>;

/** What comes next for a lane's head. */
export type Next =
  /** It was not sent before. */
  | { kind: 'begin' }
  /** It goes out (again). */
  | { kind: 'send' }
  /** The same, but not at once: the remote has just failed at it. */
  | { kind: 'send-later' }
  /** It leaves the log with this batch. */
  | { kind: 'ended'; written: Promise<void> };

const SEND: Next = { kind: 'send' };
const LONGEST_PAUSE_MS = 1000;

const UNKNOWN_OUTCOME: ErrorBody = {
  code: 'GATEWAY_OUTCOME_UNKNOWN',
  message:
    'The remote engine was sent this write and did not answer, and nothing can tell whether it was executed',
};

/** Looks at the remote where a write cannot simply be sent: after an unanswered attempt, and where a conflict matters. */
export class Settling {
  /** Reads in flight. */
  reading = 0;

  constructor(
    private readonly log: WriteAheadLog,
    private readonly fence: Fence,
    private readonly endings: Endings,
    private readonly caller: RemoteCaller,
    private readonly witness: Witness,
    private readonly options: SettlingOptions,
    private readonly clock: Clock,
    private readonly stopping: AbortSignal,
  ) {}

  /** After an attempt that was not answered; of one that was not sent itself, only the one before it. */
  async afterUnanswered(lane: Lane, inHand: InHand, unanswered: Unanswered, wasSent: boolean): Promise<Next> {
    inHand.isInDoubt = wasSent;
    if (wasSent && (await this.isRepeatable(inHand))) {
      return unanswered.how === 'error' ? { kind: 'send-later' } : SEND;
    }
    const fenced = await this.fence.passed(unanswered);
    if ((lane.record as LaneRecord).fenceFirst) await this.log.clearFence(lane);
    if (!wasSent) return { kind: 'begin' };
    return classOf(inHand.entry.write.input) === 'relative'
      ? this.settleRelative(lane, inHand, fenced)
      : this.settleAbsolute(lane, inHand, unanswered, fenced);
  }

  /** Before the first attempt, where the scope wants to know of a conflict before its value is overwritten. */
  async look(lane: Lane, inHand: InHand): Promise<Next> {
    const { entry } = inHand;
    const { scope, key, functionId } = entry.write;
    const base = this.witness.peek(scope, key);
    if (functionId === 'state::set' && isComparable(base) && this.options.comparesAndSets()) {
      inHand.onlyIf = base;
      return SEND;
    }
    const found = await this.readBack(entry);
    if (!found) return SEND; // the remote will say what it thinks of the write, too
    return this.isAgainst(entry, found) ? this.resolve(lane, inHand, found) : SEND;
  }

  /** The key did not hold what the write was to replace. */
  async afterMismatch(lane: Lane, inHand: InHand, found: Known): Promise<Next> {
    inHand.onlyIf = undefined;
    return this.isAgainst(inHand.entry, found) ? this.resolve(lane, inHand, found) : SEND;
  }

  private isAgainst({ write }: Entry, found: Known): boolean {
    const nullIsAbsent = this.options.nullIsAbsent();
    const { after } = effectOf(write.input, UNKNOWN);
    if (after.kind !== 'unknown' && sameKnown(found, after, nullIsAbsent)) return false;
    return isConflict({ found, base: this.witness.peek(write.scope, write.key), nullIsAbsent });
  }

  /** The remote tells by the receipt whether it has taken the write, for as long as it remembers. */
  private async isRepeatable(inHand: InHand): Promise<boolean> {
    const { entry, withReceipt } = inHand;
    await this.fence.remoteKnown();
    if (!this.options.knowsReceipts()) return false;
    if (entry.write.kind === 'absolute' && this.options.ruleOf(entry.write.scope).conflict !== 'local-wins') {
      return false;
    }
    if (withReceipt || entry.sentAs !== undefined) return true;
    inHand.note ??= this.log.sentNote(entry); // what was noted before its first frame holds for the next
    return inHand.note?.withReceipt === true;
  }

  private async settleAbsolute(
    lane: Lane,
    inHand: InHand,
    { how }: Unanswered,
    fenced: boolean,
  ): Promise<Next> {
    const { entry } = inHand;
    const { scope, key, input } = entry.write;
    const found = await this.readBack(entry);
    if (!found) return this.giveUp(lane, entry);
    const after = effectOf(input, UNKNOWN).after as Known;
    const before = this.witness.peek(scope, key);
    const decision = settle({
      found,
      after,
      before,
      fenced,
      newer: this.newerIn(lane, entry),
      conflict: this.options.ruleOf(scope).conflict,
      followsLoser: whomItFollows(lane.record as LaneRecord, entry) !== undefined,
      nullIsAbsent: this.options.nullIsAbsent(),
    });
    switch (decision.kind) {
      case 'committed':
        if (this.witness.wantsBefore(scope)) this.witness.changed(scope, before, after);
        return ended(this.endings.commit(lane, entry, after));
      case 'send-again':
      case 'overwrite': // the answer's old value tells what was overwritten
        return how === 'error' ? { kind: 'send-later' } : SEND;
      case 'conflict':
        return this.resolve(lane, inHand, found);
      case 'yield':
        return ended(this.endings.lose(lane, entry, found));
      case 'unknown':
        return this.giveUp(lane, entry);
      case 'superseded':
        return ended(this.endings.supersede(lane, entry));
    }
  }

  /** Reading tells only where the scope has seen to it. */
  private async settleRelative(lane: Lane, inHand: InHand, fenced: boolean): Promise<Next> {
    const { entry } = inHand;
    inHand.note ??= this.log.sentNote(entry);
    const { note } = inHand;
    const rule = this.options.ruleOf(entry.write.scope);
    if (!fenced || !note || (note.marker === 0 && !rule.singleWriter)) return this.giveUp(lane, entry);
    const found = await this.readBack(entry);
    if (!found) return this.giveUp(lane, entry);
    const { before, after } = note.expected;
    const nullIsAbsent = this.options.nullIsAbsent();
    const place = { member: rule.markerMember, gatewayId: this.options.gatewayId };
    const decision: Settlement =
      note.marker > 0
        ? settleByMarker({ found, before, place, number: note.marker, nullIsAbsent })
        : settleAsSoleWriter({ found, before, after, nullIsAbsent });
    if (decision.kind === 'send-again') return SEND;
    if (decision.kind !== 'committed') return this.giveUp(lane, entry);
    this.witness.mirror.scopes.drop(entry.write.scope);
    return ended(this.endings.commit(lane, entry, found));
  }

  /** What the scope wants where the remote holds something else. */
  private async resolve(lane: Lane, inHand: InHand, found: Known): Promise<Next> {
    const { entry } = inHand;
    const { conflict, conflictFunctionId } = this.options.ruleOf(entry.write.scope);
    if (conflict === 'local-wins') return SEND;
    if (conflict === 'remote-wins') return ended(this.endings.lose(lane, entry, found, conflict));
    if (conflict === 'park' || conflictFunctionId === undefined)
      return ended(this.endings.park(lane, entry, found, conflict));
    const base = this.witness.peek(entry.write.scope, entry.write.key);
    const disagreement = {
      entry,
      receipt: this.options.receiptOf(entry.seq),
      base,
      local: effectOf(entry.write.input, base).after,
      remote: found,
    };
    const { callFunction } = this.options;
    const decision = await decideByFunction(callFunction, conflictFunctionId, disagreement, this.clock);
    if (decision.kind === 'remote') return ended(this.endings.lose(lane, entry, found, conflict));
    if (decision.kind === 'park') return ended(this.endings.park(lane, entry, found, conflict));
    // The remote may have taken an earlier attempt under the write's own receipt.
    const sentAs = this.options.receiptOf(this.log.takeNumber());
    const value = decision.kind === 'value' ? decision.value : undefined;
    inHand.entry = await this.log.rewrite(lane, entry, { sentAs, value });
    const isSet = inHand.entry.write.functionId === 'state::set';
    inHand.onlyIf = isSet && isComparable(found) && this.options.comparesAndSets() ? found : undefined;
    return SEND;
  }

  /** Nothing can tell whether it was executed. */
  private giveUp(lane: Lane, entry: Entry): Next {
    return ended(this.endings.setAside(lane, entry, 'unknown', UNKNOWN_OUTCOME));
  }

  /** What waits behind a lane's head for the same key, and takes its place or builds on it. */
  private newerIn(lane: Lane, { seq, write: { key } }: Entry): WriteClass | 'none' {
    if ((lane.record as LaneRecord).count === 1) return 'none';
    const next = lane.key === undefined ? this.log.lastOf(lane, key) : this.log.nextIn(lane, seq);
    if (next === seq) return 'none';
    const newer = next === undefined ? undefined : this.log.entry(next)?.write;
    return newer ? classOf(newer.input) : 'relative'; // not on the disk yet: it may be one
  }

  /** What the key holds; undefined: the remote will not tell us. Asks until it answers. */
  private async readBack({ write: { scope, key } }: Entry): Promise<Known | undefined> {
    const call = this.options.callOf('state::get', { payload: Payload.of({ scope, key }) });
    for (let pauseMs = 100; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      this.reading += 1;
      const answer = await this.caller.call(call, this.options.patienceMs).catch(() => undefined);
      this.reading -= 1;
      if (answer?.error && isRefusal(answer.error)) return undefined;
      if (answer && !answer.error) return answer.result ? valueText(answer.result.text) : ABSENT;
      await this.clock.wait(pauseMs, this.stopping);
    }
  }
}

function ended(written: Promise<void>): Next {
  return { kind: 'ended', written };
}

/** `state::compare-and-set` can expect any value but a stored null; an expected null means that there is none. */
function isComparable(base: Known | { kind: 'unknown' }): base is Known {
  return base.kind === 'value' && base.text !== 'null';
}
