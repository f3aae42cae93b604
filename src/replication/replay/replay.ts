import { type ErrorBody, GatewayError, messageOf, toErrorBody } from '../../errors.js';
import type { Logger } from '../../logger.js';
import type { InvocationResult } from '../../protocol/messages.js';
import { Payload } from '../../protocol/payload.js';
import type { LateAnswer, RemoteCall } from '../../remote/calls.js';
import type { Clock } from '../clock.js';
import type { Lane, Lanes } from '../log/lanes.js';
import { type Entry, type LaneRecord, valueText } from '../log/layout.js';
import type { Scanner } from '../log/scanner.js';
import type { WriteAheadLog } from '../log/write-ahead-log.js';
import type { Witness } from '../mirror/witness.js';
import type { RemoteCaller } from '../remote-caller.js';
import { ABSENT, type Known, knownValue, UNKNOWN, type View } from '../view.js';
import { classOf, effectOf, newValueIn, oldValueIn, orNull, type Passed, type WriteClass } from '../write.js';
import { isRefusal, outcomeOf } from './answers.js';
import type { Endings } from './endings.js';
import type { Fence, Unanswered } from './fence.js';
import type { Pace } from './pace.js';
import { isExpected, settle } from './settlement.js';

export interface ReplayOptions {
  patienceMs: number;
  /** Lanes in hand beside those in flight: being settled, or on their way out of the log. */
  mostInHand: number;
  callOf(functionId: string, call: Passed): RemoteCall;
  /** Calls of others in flight on the link. */
  freshCalls(): number;
  /** Our worker id at the remote, now. */
  workerId(): string | undefined;
  /** Our worker id there in the run before this one. */
  earlierWorkerId(): string | undefined;
  /** Whether this remote tells a stored null and a missing key apart. */
  nullIsAbsent(): boolean;
}

/** How long to wait after an answer that says "not now". */
const NOT_NOW_MS = 1000;

const UNKNOWN_OUTCOME: ErrorBody = {
  code: 'GATEWAY_OUTCOME_UNKNOWN',
  message:
    'The remote engine was sent this write and did not answer, and nothing can tell whether it was executed',
};

/**
 * Sends the logged writes to the remote: those of one key one after another, those of different keys at once.
 * Level-triggered: whatever changes calls `wake`, and whatever can be sent then is.
 */
export class Replay {
  /** Lanes whose head is being sent, settled or taken out of the log. */
  private readonly inHand = new Map<Lane, Entry>();
  /** Those of them that may be sent (again). */
  private readonly ready: Lane[] = [];
  private readonly startedAt: number;
  private pumping = false;
  private isLoading = false;
  /** Somebody wanted more while it was being loaded, perhaps of what came since. */
  private isAskedAgain = false;
  private pausedUntil = 0;
  private finishing: { ended: Promise<void>; lanes: Lane[] } | undefined;
  private callOffTimer: (() => void) | undefined;
  private timerDue = 0;
  inFlight = 0;
  settling = 0;
  /** Writes that the remote took from the log, since the start. */
  replayed = 0;

  constructor(
    private readonly log: WriteAheadLog,
    private readonly lanes: Lanes,
    private readonly scanner: Scanner,
    private readonly endings: Endings,
    private readonly fence: Fence,
    private readonly pace: Pace,
    private readonly caller: RemoteCaller,
    private readonly witness: Witness,
    private readonly options: ReplayOptions,
    private readonly clock: Clock,
    private readonly stopping: AbortSignal,
    private readonly logger: Logger,
  ) {
    this.startedAt = clock.now();
    log.followAcknowledged(() => this.settledUpTo());
    stopping.addEventListener('abort', () => this.callOffTimer?.(), { once: true });
  }

  /** Sends what can be sent now. Cheap when there is nothing. */
  wake(): void {
    if (this.pumping || this.log.isEmpty) return;
    this.pumping = true;
    try {
      this.pump();
    } catch (error) {
      this.logger.error({ reason: messageOf(error) }, 'the replay of logged writes met an error');
      this.wakeIn(NOT_NOW_MS);
    } finally {
      this.pumping = false;
    }
  }

  /** Takes over a write that went out before it was logged; its answer may still come, to `late`. */
  adopt(lane: Lane, entry: Entry): LateAnswer {
    lane.turn = 'logged';
    this.inHand.set(lane, entry);
    return this.lateAnswerOf(lane, entry, this.options.workerId());
  }

  /** The disk did not take the head that was adopted. */
  letGo(lane: Lane): void {
    this.inHand.delete(lane);
  }

  /** What the remote said to a lane's head. */
  answered(lane: Lane, entry: Entry, answer: InvocationResult): void {
    const outcome = outcomeOf(entry.write.functionId, answer);
    switch (outcome.kind) {
      case 'applied':
        this.applied(lane, entry, outcome.result);
        return;
      case 'refused':
        this.finish(lane, this.endings.setAside(lane, entry, 'refused', outcome.error));
        return;
      case 'not-now':
        // A function that is missing is missing for every key.
        if (outcome.error.code === 'function_not_found') this.pausedUntil = this.clock.now() + NOT_NOW_MS;
        this.sendAgainLater(lane);
        return;
      case 'unclear':
        this.settleLater(lane, entry, {
          how: 'error',
          workerId: this.options.workerId(),
          at: this.clock.now(),
        });
    }
  }

  /** Settles a lane's head whose answer did not come; one that was not sent itself only waits for the fence. */
  settleLater(lane: Lane, entry: Entry, unanswered: Unanswered, wasSent = true): void {
    this.settling += 1;
    this.settle(lane, entry, unanswered, wasSent)
      .catch((error: unknown) => this.stuck(error))
      .finally(() => {
        this.settling -= 1;
        this.wake();
      });
  }

  /** Lets a lane go on whose unanswered write was not kept: the fence has passed, or the answer came. */
  async lift(lane: Lane): Promise<void> {
    if (lane.record?.fenceFirst) await this.log.clearFence(lane);
    this.proceed(lane);
    this.wake();
  }

  /** Every entry up to here is settled. */
  private settledUpTo(): number {
    let upTo = this.scanner.passed;
    for (const { record } of this.lanes.underWay()) {
      if (record && record.head <= upTo) upTo = record.head - 1;
    }
    return upTo;
  }

  private pump(): void {
    while (this.mayTake()) {
      const lane = this.ready.shift();
      const entry = lane ? this.inHand.get(lane) : this.scanner.next();
      if (!entry) {
        this.loadMore();
        return;
      }
      if (lane) this.dispatch(lane, entry);
      else this.meet(entry);
    }
  }

  private mayTake(): boolean {
    if (this.stopping.aborted || this.log.writeFailure || !this.caller.available) return false;
    const now = this.clock.now();
    if (now < this.pausedUntil) return this.wakeIn(this.pausedUntil - now);
    if (this.inHand.size - this.ready.length >= this.options.mostInHand) return false;
    if (this.pace.mayTake(now, this.inFlight, this.options.freshCalls())) return true;
    const wait = this.pace.waitMs(now);
    return wait > 0 && this.wakeIn(wait);
  }

  private loadMore(): void {
    if (this.scanner.cursor >= this.log.book.next - 1) return;
    this.isAskedAgain = this.isLoading;
    if (this.isLoading) return;
    this.isLoading = true;
    this.scanner.load().then(
      (found) => {
        this.isLoading = false;
        // Nothing: it is not on the disk yet, and its acceptance wakes us, or has done so meanwhile.
        if (found > 0 || this.isAskedAgain) this.wake();
      },
      (error: unknown) => {
        this.isLoading = false;
        this.logger.error({ reason: messageOf(error) }, 'reading the log failed');
        this.wakeIn(NOT_NOW_MS);
      },
    );
  }

  /** An entry of the log, seen for the first time in this run. */
  private meet(entry: Entry): void {
    const lane = this.lanes.openOf(entry);
    // One that is not its lane's head has its turn after those before it; one whose lane is gone is settled.
    if (lane.turn !== 'free' || lane.record?.head !== entry.seq) {
      this.lanes.release(lane);
      return;
    }
    this.takeInHand(lane, entry);
    const wasSent = this.log.mayHaveBeenSent(entry);
    if (lane.record.fenceFirst || wasSent) {
      const workerId = this.options.earlierWorkerId();
      this.settleLater(lane, entry, { how: 'lost', workerId, at: this.startedAt }, wasSent);
    } else {
      this.dispatch(lane, entry);
    }
  }

  private takeInHand(lane: Lane, entry: Entry): void {
    lane.turn = 'logged';
    this.inHand.set(lane, entry);
    this.witness.writeStarted(lane.scope, lane.key);
  }

  private dispatch(lane: Lane, entry: Entry): void {
    this.inFlight += 1;
    this.pace.took();
    const noted = this.log.noteSending(entry);
    if (!noted) {
      this.send(lane, entry);
      return;
    }
    noted.then(
      () => this.send(lane, entry),
      (error: unknown) => {
        this.inFlight -= 1;
        this.stuck(error);
      },
    );
  }

  private send(lane: Lane, entry: Entry): void {
    const { callOf, patienceMs, workerId } = this.options;
    const sentAs = workerId();
    this.caller
      .call(callOf(entry.write.functionId, entry.write), patienceMs, this.lateAnswerOf(lane, entry, sentAs))
      .then(
        (answer) => {
          this.inFlight -= 1;
          this.answered(lane, entry, answer);
          this.wake();
        },
        (error: unknown) => {
          this.inFlight -= 1;
          this.unanswered(lane, entry, sentAs, error);
          this.wake();
        },
      );
  }

  private unanswered(lane: Lane, entry: Entry, workerId: string | undefined, error: unknown): void {
    switch (error instanceof GatewayError ? error.code : undefined) {
      case 'GATEWAY_OFFLINE':
        this.log.takeBackNote(entry);
        this.ready.unshift(lane); // not sent
        return;
      case 'GATEWAY_TIMEOUT':
        return; // the late answer, or its end, goes on from here
      case 'GATEWAY_OUTCOME_UNKNOWN':
        this.settleLater(lane, entry, { how: 'lost', workerId, at: this.clock.now() });
        return;
      default:
        this.finish(lane, this.endings.setAside(lane, entry, 'refused', toErrorBody(error)));
    }
  }

  private lateAnswerOf(lane: Lane, entry: Entry, workerId: string | undefined): LateAnswer {
    return {
      answered: (answer) => {
        this.answered(lane, entry, answer);
        this.wake();
      },
      gone: ({ code }) => {
        const how = code === 'GATEWAY_TIMEOUT' ? 'late' : 'lost';
        this.settleLater(lane, entry, { how, workerId, at: this.clock.now() });
      },
    };
  }

  private applied(lane: Lane, entry: Entry, result: Payload | undefined): void {
    this.replayed += 1;
    const { write } = entry;
    const isDelete = write.functionId === 'state::delete';
    const newValue = isDelete ? undefined : newValueIn(result);
    const after: View = isDelete ? ABSENT : newValue === undefined ? UNKNOWN : knownValue(newValue);
    const oldValue = isDelete
      ? orNull(result?.value)
      : newValue === undefined
        ? undefined
        : oldValueIn(result);
    const base = this.witness.peek(write.scope, write.key);
    if (after.kind !== 'unknown' && this.witness.wantsBefore(write.scope)) {
      this.witness.changed(write.scope, oldValue === undefined ? UNKNOWN : knownValue(oldValue), after);
    }
    // Other updates merge by nature; an old value that equals the new one did no harm to anybody.
    const isConflict =
      !entry.expected &&
      oldValue !== undefined &&
      !isExpected(base, oldValue) &&
      !isExpected(after, oldValue);
    const ended = isConflict
      ? this.endings.commitOver(lane, entry, after, knownValue(oldValue))
      : this.endings.commit(lane, entry, after);
    this.finish(lane, ended);
  }

  private async settle(lane: Lane, entry: Entry, unanswered: Unanswered, wasSent: boolean): Promise<void> {
    const fenced = await this.fence.passed(unanswered);
    if ((lane.record as LaneRecord).fenceFirst) await this.log.clearFence(lane);
    if (!wasSent) {
      this.sendAgain(lane);
      return;
    }
    const { after } = effectOf(entry.write.input, UNKNOWN);
    if (after.kind === 'unknown') return this.giveUp(lane, entry); // it depends on what was there before
    const found = await this.readBack(lane);
    if (!found) return this.giveUp(lane, entry);
    const { scope, key } = entry.write;
    const before = this.witness.peek(scope, key);
    const decision = settle({
      found,
      after,
      before,
      fenced,
      newer: this.newerIn(lane, entry),
      nullIsAbsent: this.options.nullIsAbsent(),
    });
    switch (decision.kind) {
      case 'committed':
        this.replayed += 1;
        if (this.witness.wantsBefore(scope)) this.witness.changed(scope, before, after);
        return this.finish(lane, this.endings.commit(lane, entry, after));
      case 'send-again':
      case 'overwrite': // the answer's old value tells what was overwritten
        if (unanswered.how === 'error') this.sendAgainLater(lane);
        else this.sendAgain(lane);
        return;
      case 'yield':
        return this.finish(lane, this.endings.lose(lane, entry, found));
      case 'unknown':
        return this.giveUp(lane, entry);
      case 'superseded':
        return this.finish(lane, this.endings.supersede(lane, entry, found));
    }
  }

  /** What waits behind a lane's head, and may take its place. */
  private newerIn(lane: Lane, { seq }: Entry): WriteClass | 'none' {
    if ((lane.record as LaneRecord).count === 1) return 'none';
    const next = this.log.nextIn(lane, seq);
    const write = next === undefined ? undefined : this.log.entry(next)?.write;
    return write ? classOf(write.input) : 'relative'; // not on the disk yet: it may be one
  }

  /** What the key holds; undefined: the remote will not tell us. Asks until it answers. */
  private async readBack(lane: Lane): Promise<Known | undefined> {
    const { scope, key } = lane;
    const call = this.options.callOf('state::get', { payload: Payload.of({ scope, key }) });
    for (let pauseMs = 100; ; pauseMs = Math.min(2 * pauseMs, NOT_NOW_MS)) {
      const answer = await this.caller.call(call, this.options.patienceMs).catch(() => undefined);
      if (answer?.error && isRefusal(answer.error)) return undefined;
      if (answer && !answer.error) return answer.result ? valueText(answer.result.text) : ABSENT;
      await this.clock.wait(pauseMs, this.stopping);
    }
  }

  private sendAgain(lane: Lane): void {
    this.ready.push(lane);
    this.wake();
  }

  private sendAgainLater(lane: Lane): void {
    this.clock.wait(NOT_NOW_MS, this.stopping).then(
      () => this.sendAgain(lane),
      () => undefined, // the gateway stops
    );
  }

  /** Nothing can tell whether it was executed. */
  private giveUp(lane: Lane, entry: Entry): void {
    this.finish(lane, this.endings.setAside(lane, entry, 'unknown', UNKNOWN_OUTCOME));
  }

  /**
   * Goes on once the batch is written, so that after a crash the next one is not taken for one that was never sent;
   * together with all other lanes of that batch.
   */
  private finish(lane: Lane, ended: Promise<void>): void {
    this.witness.writeEnded(lane.scope, lane.key);
    if (this.finishing?.ended === ended) {
      this.finishing.lanes.push(lane);
      return;
    }
    const lanes = [lane];
    this.finishing = { ended, lanes };
    ended.then(
      () => {
        for (const finished of lanes) this.proceedOrStick(finished);
        this.wake();
      },
      (error: unknown) => {
        this.stuck(error);
      },
    );
  }

  /** One damaged record holds up its own lane only. */
  private proceedOrStick(lane: Lane): void {
    try {
      this.proceed(lane);
    } catch (error) {
      this.stuck(error);
    }
  }

  /** The next one of the lane, if it is on the disk; if not, the scanner will meet it. */
  private proceed(lane: Lane): void {
    const next = lane.record && this.log.entry(lane.record.head);
    if (next) {
      this.takeInHand(lane, next);
      this.ready.push(lane);
    } else {
      this.inHand.delete(lane);
      lane.turn = 'free';
      this.lanes.release(lane);
    }
  }

  /** Our own disk failed, or the gateway stops: the lane stays in hand, so that the log is not taken for settled. */
  private stuck(error: unknown): void {
    if (this.stopping.aborted) return;
    this.logger.error({ reason: messageOf(error) }, 'a logged write cannot be settled before a restart');
  }

  /** Always false, as an answer to "may one be taken now". */
  private wakeIn(ms: number): false {
    const due = this.clock.now() + ms;
    if ((this.callOffTimer && this.timerDue <= due) || this.stopping.aborted) return false;
    this.callOffTimer?.();
    this.timerDue = due;
    this.callOffTimer = this.clock.schedule(() => {
      this.callOffTimer = undefined;
      this.wake();
    }, ms);
    return false;
  }
}
