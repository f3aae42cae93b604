import { messageOf } from '../../errors.js';
import type { Logger } from '../../logger.js';
import type { LateAnswer } from '../../remote/calls.js';
import type { Clock } from '../clock.js';
import { noteMissingHead, noteMissingLane } from '../log/broken-lanes.js';
import { whomItFollows } from '../log/lane-records.js';
import type { Lane, Lanes } from '../log/lanes.js';
import type { Entry, LaneRecord } from '../log/layout.js';
import type { Scanner } from '../log/scanner.js';
import type { WriteAheadLog } from '../log/write-ahead-log.js';
import type { Witness } from '../mirror/witness.js';
import type { RemoteCaller } from '../remote-caller.js';
import type { WriteClass } from '../write.js';
import { approachOf, type Turn } from './approach.js';
import type { AwaitedWrites } from './awaited.js';
import type { Endings } from './endings.js';
import type { Unanswered } from './fence.js';
import type { InHand } from './in-hand.js';
import type { Pace } from './pace.js';
import type { Sender, Step } from './sender.js';
import type { Next, Settling } from './settling.js';

export interface ReplayOptions {
  /** Lanes in hand beside those in flight: being settled, or on their way out of the log. */
  mostInHand: number;
  ruleOf(scope: string): Turn['rule'];
  /** Calls of others in flight on the link. */
  freshCalls(): number;
  /** Our worker id at the remote in the run before this one. */
  earlierWorkerId(): string | undefined;
}

/** How long to wait after an answer that says "not now". */
const NOT_NOW_MS = 1000;

/** A lane's head that may go on: with its first attempt, or with another that has been decided on. */
interface Ready {
  lane: Lane;
  step: 'approach' | 'send';
}

/**
 * Sends the logged writes to the remote: those of one key one after another, those of different keys at once.
 * Level-triggered: whatever changes calls `wake`, and whatever can be sent then is.
 */
export class Replay {
  /** Lanes whose head is being sent, settled or taken out of the log. */
  private readonly inHand = new Map<Lane, InHand>();
  /** Those of them that may go on. */
  private readonly ready: Ready[] = [];
  private readonly queued = new Set<Lane>();
  private readonly startedAt: number;
  private pumping = false;
  private isLoading = false;
  /** Somebody wanted more while it was being loaded, perhaps of what came since. */
  private isAskedAgain = false;
  private pausedUntil = 0;
  private finishing: { ended: Promise<void>; lanes: Lane[] } | undefined;
  private callOffTimer: (() => void) | undefined;
  private timerDue = 0;
  /** Lanes whose head waits for a look at the remote. */
  looking = 0;

  constructor(
    private readonly log: WriteAheadLog,
    private readonly lanes: Lanes,
    private readonly scanner: Scanner,
    private readonly endings: Endings,
    private readonly settling: Settling,
    private readonly sender: Sender,
    private readonly awaited: AwaitedWrites,
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
    const inHand = { entry };
    lane.turn = 'logged';
    this.inHand.set(lane, inHand);
    return this.sender.lateAnswerOf(lane, inHand, (step) => this.goOn(lane, step));
  }

  /** The disk did not take the head that was adopted. */
  letGo(lane: Lane): void {
    this.inHand.delete(lane);
  }

  /** Settles a lane's head whose answer did not come; one that was not sent itself only waits for the fence. */
  settleLater(lane: Lane, unanswered: Unanswered, wasSent = true): void {
    this.lookAt(lane, (inHand) => this.settling.afterUnanswered(lane, inHand, unanswered, wasSent));
  }

  /** Lets a lane go on whose unanswered write was not kept: the fence has passed, or the answer came. */
  async lift(lane: Lane): Promise<void> {
    if (lane.record?.fenceFirst) await this.log.clearFence(lane);
    this.proceed(lane);
    this.wake();
  }

  /**
   * Ends a lane's head that was never sent, whether or not the remote is there. Undefined: it may have been sent, or it is not
   * the head (any more). `end` gets it as it is now: since it was read, it may build on something else.
   */
  endUnsent({ seq }: Entry, end: (lane: Lane, entry: Entry) => Promise<void>): Promise<void> | undefined {
    const entry = this.log.entry(seq);
    if (!entry) return undefined; // its lane would be begun anew, with a record of what is gone
    const lane = this.lanes.openOf(entry);
    const { record } = lane;
    const isNobodysTurn = lane.turn === 'free' || lane.turn === 'next';
    const isWaiting =
      record?.head === entry.seq && record.heldBy === 0 && !record.fenceFirst && isNobodysTurn;
    if (!isWaiting || this.log.mayHaveBeenSent(entry)) {
      this.lanes.release(lane);
      return undefined;
    }
    if (lane.turn === 'free') this.takeInHand(lane, entry);
    lane.turn = 'logged'; // until it is gone from the disk, nobody else may take it for a head
    this.log.endedOutOfTurn += 1;
    const ended = end(lane, entry);
    this.finish(lane, ended);
    return ended;
  }

  /** Takes a lane up that an operator has let go on. */
  resume(scope: string, key: string | undefined): void {
    const lane = this.lanes.openRecord(scope, key);
    if (lane?.turn === 'free') this.proceedOrStick(lane);
    this.wake();
  }

  /** Every entry up to here is settled. */
  private settledUpTo(): number {
    let upTo = this.scanner.passed;
    for (const { record } of this.lanes.underWay()) {
      if (record && record.count > 0 && record.head <= upTo) upTo = record.head - 1;
    }
    return upTo;
  }

  private pump(): void {
    while (this.mayTake()) {
      const ready = this.ready.shift();
      if (ready) {
        this.queued.delete(ready.lane);
        this.begin(ready);
        continue;
      }
      const entry = this.scanner.next();
      if (!entry) {
        this.loadMore();
        return;
      }
      this.meet(entry);
    }
  }

  private mayTake(): boolean {
    if (this.stopping.aborted || this.log.writeFailure || !this.caller.available) return false;
    const now = this.clock.now();
    if (now < this.pausedUntil) return this.wakeIn(this.pausedUntil - now);
    if (this.inHand.size - this.ready.length >= this.options.mostInHand) return false;
    if (this.pace.mayTake(now, this.sender.inFlight + this.settling.reading, this.options.freshCalls()))
      return true;
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
    const { record } = lane;
    // One that is not its lane's head has its turn after those before it; one whose lane is gone is settled.
    const isHead = lane.turn === 'free' && record?.head === entry.seq && record.heldBy === 0;
    if (!isHead || (this.scanner.mayBeStale && !this.log.entry(entry.seq))) {
      noteMissingLane(this.log, lane, entry);
      this.lanes.release(lane);
      return;
    }
    this.takeInHand(lane, entry);
    const wasSent = this.log.mayHaveBeenSent(entry);
    if (record.fenceFirst || wasSent) {
      const workerId = this.options.earlierWorkerId();
      this.settleLater(lane, { how: 'lost', workerId, at: this.startedAt }, wasSent);
    } else {
      this.begin({ lane, step: 'approach' });
    }
  }

  private takeInHand(lane: Lane, entry: Entry): void {
    lane.turn = 'next';
    this.inHand.set(lane, { entry });
    this.witness.writeStarted(entry.write.scope, entry.write.key);
  }

  /** Once: one whose head has ended meanwhile is still there for the next. */
  private queue(ready: Ready, place: 'first' | 'last' = 'last'): void {
    if (this.queued.has(ready.lane)) return;
    this.queued.add(ready.lane);
    if (place === 'first') this.ready.unshift(ready);
    else this.ready.push(ready);
  }

  private begin({ lane, step }: Ready): void {
    const inHand = this.inHand.get(lane);
    if (!inHand || (step === 'approach' && lane.turn !== 'next')) return; // it has ended meanwhile
    lane.turn = 'logged';
    if (step === 'send') this.send(lane, inHand);
    else this.approach(lane, inHand);
  }

  private send(lane: Lane, inHand: InHand): void {
    this.pace.took();
    this.sender.send(lane, inHand, (step) => this.goOn(lane, step));
  }

  /** What an attempt, or a look at the remote, has led to. */
  private goOn(lane: Lane, step: Step): void {
    switch (step.kind) {
      case 'ended':
        this.finish(lane, step.written);
        break;
      case 'send':
        this.queue({ lane, step: 'send' });
        break;
      case 'not-sent':
        this.queue({ lane, step: 'send' }, 'first');
        break;
      case 'begin':
        lane.turn = 'next';
        this.queue({ lane, step: 'approach' });
        break;
      case 'not-there':
        // A function that is missing is missing for every key.
        this.pausedUntil = this.clock.now() + NOT_NOW_MS;
        this.sendLater(lane);
        break;
      case 'send-later':
        this.sendLater(lane);
        break;
      case 'look':
        this.lookAt(lane, step.look);
        break;
      case 'stuck':
        this.stuck(step.error);
    }
    this.wake();
  }

  /** Its first turn: what its scope says decides whether it goes out at all. */
  private approach(lane: Lane, inHand: InHand): void {
    const { entry } = inHand;
    const { seq, write, acceptedAt } = entry;
    const rule = this.options.ruleOf(write.scope);
    const approach = approachOf({
      rule,
      kind: write.kind,
      ageMs: this.clock.now() - acceptedAt,
      isAwaited: entry.isAlone && this.awaited.has(seq),
      follows: whomItFollows(lane.record as LaneRecord, entry),
      next: () => this.nextClass(lane, entry),
    });
    switch (approach.kind) {
      case 'send':
        this.send(lane, inHand);
        return;
      case 'look':
        this.lookAt(lane, () => this.settling.look(lane, inHand));
        return;
      case 'follow': {
        const found = this.witness.peek(write.scope, write.key);
        const goes = approach.whom === 'parked' ? 'park' : 'lose';
        this.finish(lane, this.endings[goes](lane, entry, found, rule.conflict));
        return;
      }
      case 'expire':
        this.finish(lane, this.endings.expire(lane, entry));
        return;
      case 'coalesce':
        this.finish(lane, this.endings.supersede(lane, entry));
    }
  }

  /** What comes after an entry for the same key; `none` where that cannot be told at once. */
  private nextClass(lane: Lane, { seq, write }: Entry): WriteClass | 'none' {
    if (lane.record?.count === 1) return 'none';
    const next = this.log.nextIn(lane, seq);
    const following = next === undefined ? undefined : this.log.entry(next)?.write;
    return following?.key === write.key ? following.kind : 'none';
  }

  /** The remote is looked at before the head goes on. */
  private lookAt(lane: Lane, look: (inHand: InHand) => Promise<Next>): void {
    const inHand = this.inHand.get(lane);
    if (!inHand) return;
    lane.turn = 'logged';
    this.looking += 1;
    look(inHand)
      .then((next) => this.goOn(lane, next))
      .catch((error: unknown) => this.stuck(error))
      .finally(() => {
        this.looking -= 1;
        this.wake();
      });
  }

  private sendLater(lane: Lane): void {
    this.clock.wait(NOT_NOW_MS, this.stopping).then(
      () => this.goOn(lane, { kind: 'send' }),
      () => undefined, // the gateway stops
    );
  }

  /**
   * Goes on once the batch is written, so that after a crash the next one is not taken for one that was never sent;
   * together with all other lanes of that batch.
   */
  private finish(lane: Lane, ended: Promise<void>): void {
    this.endedIn(lane);
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

  private endedIn(lane: Lane): void {
    const { scope, key } = (this.inHand.get(lane) as InHand).entry.write;
    this.witness.writeEnded(scope, key);
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
    const { record } = lane;
    const next = record && record.count > 0 && record.heldBy === 0 ? this.log.entry(record.head) : undefined;
    if (next) {
      this.takeInHand(lane, next);
      this.queue({ lane, step: 'approach' });
    } else {
      noteMissingHead(this.log, lane);
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
