import { GatewayError } from '../../errors.js';
import type { StateAnswer, StateInputOf } from '../../operations/calls.js';
import type { InvocationResult } from '../../protocol/messages.js';
import { Payload } from '../../protocol/payload.js';
import type { LateAnswer, RemoteCall } from '../../remote/calls.js';
import type { WriteOp } from '../../storage/group-commit.js';
import type { Clock } from '../clock.js';
import type { Lane, Lanes } from '../log/lanes.js';
import type { Witness } from '../mirror/witness.js';
import type { RemoteCaller } from '../remote-caller.js';
import { outcomeOf } from '../replay/answers.js';
import { foundInstead } from '../replay/attempts.js';
import type { Fence, Unanswered } from '../replay/fence.js';
import type { Replay } from '../replay/replay.js';
import { confirmedBy } from '../retain/confirmed.js';
import type { Retention } from '../retain/retention.js';
import type { ScopeRule } from '../scope-rules.js';
import { ABSENT, knownValue } from '../view.js';
import { classOf, type Passed, type Write, type WriteInput } from '../write.js';
import type { Acceptance, Accepted } from './acceptance.js';
import { Attempt } from './attempt.js';
import { afterIn, beforeIn } from './change-told.js';
import type { LoggedFirst, Name } from './logged-first.js';
import type { WaitingRoom } from './waiting.js';
import { onlyTheRemote, outcomeUnknown, TWICE } from './writer-errors.js';

/** A call of `state::compare-and-set`. */
export interface CompareAndSet extends Passed {
  input: StateInputOf<'state::compare-and-set'>;
}

export interface WriterOptions {
  patienceMs: number;
  ruleOf(scope: string): WriterRule;
  callOf(functionId: string, call: Passed, receipt?: string): RemoteCall;
  /** A receipt for a frame of a write that is not logged; undefined: the remote would not know what to do with it. */
  receiptForRemote(): string | undefined;
  workerId(): string | undefined;
}

export type WriterRule = Pick<ScopeRule, 'write' | 'settle' | 'singleWriter'>;

/**
 * Writes while the link is up: straight to the remote, one at a time for each key, and logged only when the remote
 * does not answer (replication section 1).
 */
export class Writer {
  constructor(
    private readonly lanes: Lanes,
    private readonly acceptance: Acceptance,
    private readonly loggedFirst: LoggedFirst,
    private readonly waitingRoom: WaitingRoom,
    private readonly replay: Replay,
    private readonly fence: Fence,
    private readonly caller: RemoteCaller,
    private readonly witness: Witness,
    private readonly retention: Pick<Retention, 'wants' | 'confirmed' | 'outcomeUnknown'>,
    private readonly options: WriterOptions,
    private readonly clock: Clock,
  ) {}

  /**
   * Answers a write: with the remote's answer unchanged, or with our own once it is safe on our disk.
   * @throws GatewayError the remote's own error; what `Acceptance.accept` throws; `GATEWAY_OUTCOME_UNKNOWN`: it was
   * sent and not answered, could not be kept, and will not be sent again.
   */
  answer(write: Write): Promise<StateAnswer> {
    const { scope, key } = write.input;
    const lane = this.lanes.open(scope, key);
    const { patienceMs, ruleOf } = this.options;
    const rule = ruleOf(scope);
    return this.onceLearnt(lane, write, rule, () =>
      isLoggedFirst(rule, write)
        ? this.loggedFirst.answer(lane, write, {}, patienceMs)
        : this.takeTurn(lane, write, rule, patienceMs),
    );
  }

  /**
   * The same for a call with a name: it is in the log before it is sent, so that whoever asks for it again, after a crash
   * too, gets the answer that it got first.
   */
  answerNamed(write: Write, name: Name): Promise<StateAnswer> {
    const { scope, key } = write.input;
    const { patienceMs, ruleOf } = this.options;
    const lane = this.lanes.open(scope, key);
    return this.onceLearnt(lane, write, ruleOf(scope), () =>
      this.loggedFirst.answer(lane, write, name, patienceMs),
    );
  }

  /**
   * Accepts a write for an operator in place of one in quarantine: first in its lane if the lane waits for that one, else at
   * the end. `together` is written in the same batch.
   */
  again(write: Write, quarantined: number, together: () => readonly WriteOp[]): Promise<Accepted> {
    const lane = this.lanes.open(write.input.scope, write.input.key);
    const append = (): Accepted => {
      if (lane.record?.heldBy !== quarantined) return this.acceptance.again(lane, write, together());
      const accepted = this.acceptance.insteadOfHeld(lane, write, together());
      accepted.answer.then(() => this.replay.resume(lane.scope, lane.key)).catch(() => undefined); // who asked hears of it
      return accepted;
    };
    return lane.turn === 'online' ? this.waitingRoom.placeIn(lane, append) : Promise.resolve(append());
  }

  /** The write goes out, or behind the one that is out, or into the log. */
  private takeTurn(lane: Lane, write: Write, rule: WriterRule, patienceMs: number): Promise<StateAnswer> {
    if (lane.turn === 'online') {
      return this.waitingRoom.waitIn(
        lane,
        (patienceLeft) => this.takeTurn(lane, write, rule, patienceLeft),
        () => this.accept(lane, write),
      );
    }
    const goesOut =
      lane.turn === 'free' && !lane.record && this.caller.available && !this.acceptance.isDoubtful(lane);
    return goesOut && rule.write === 'through'
      ? this.send(lane, write, patienceMs)
      : this.accept(lane, write);
  }

  /**
   * Answers a `compare-and-set`, which is the remote's alone to answer: it takes its turn, and is never logged.
   * @throws GatewayError `GATEWAY_OFFLINE` when it cannot be sent now; `GATEWAY_OUTCOME_UNKNOWN`: sent and not answered.
   */
  compareAndSet(call: CompareAndSet): Promise<StateAnswer> {
    const { scope, key } = call.input;
    const lane = this.lanes.open(scope, key);
    const refuse = () => Promise.reject(onlyTheRemote(call.input));
    if (lane.turn === 'online') {
      return this.waitingRoom.waitIn(lane, (patienceMs) => this.compare(lane, call, patienceMs), refuse);
    }
    if (lane.turn === 'free' && !lane.record && this.caller.available) {
      return this.compare(lane, call, this.options.patienceMs);
    }
    this.lanes.release(lane);
    return refuse();
  }

  private compare(lane: Lane, call: CompareAndSet, patienceMs: number): Promise<StateAnswer> {
    const { functionId, scope, key } = call.input;
    lane.turn = 'online';
    this.witness.writeStarted(scope, key);
    const attempt = new Attempt(this.options.workerId(), undefined);
    return this.caller.call(this.options.callOf(functionId, call), patienceMs, attempt).then(
      ({ error, result }) => {
        this.witness.writeEnded(scope, key);
        this.witness.forget(scope, key); // the next read tells
        if (!error && this.retention.wants(scope)) this.compared(call.input, result);
        this.passOn(lane);
        if (error) throw GatewayError.fromBody(error);
        return result ? { result } : {};
      },
      (error: unknown) => {
        const code = error instanceof GatewayError ? error.code : undefined;
        if (code !== 'GATEWAY_TIMEOUT' && code !== 'GATEWAY_OUTCOME_UNKNOWN') {
          this.witness.writeEnded(scope, key);
          this.passOn(lane);
          throw error;
        }
        this.forgetUnkept(lane, attempt, code, call.input);
        throw outcomeUnknown(functionId, 'somebody else may have changed the value since', error);
      },
    );
  }

  private compared(
    { scope, key, expected, value }: CompareAndSet['input'],
    result: Payload | undefined,
  ): void {
    if (foundInstead(result)) return;
    this.retention.confirmed({ scope, key }, { before: knownValue(expected), after: knownValue(value) });
  }

  private async accept(lane: Lane, write: Write): Promise<StateAnswer> {
    try {
      const answer = await this.acceptance.accept(lane, write).answer;
      this.replay.wake();
      return answer;
    } finally {
      this.lanes.release(lane);
    }
  }

  /** In a scope that writes behind, a write that needs the value before asks for it first. */
  private onceLearnt(
    lane: Lane,
    write: Write,
    rule: WriterRule,
    answer: () => Promise<StateAnswer>,
  ): Promise<StateAnswer> {
    if (rule.write === 'through' || !this.mustLearnFirst(lane, write)) return answer();
    lane.turn = 'online'; // whoever comes meanwhile comes after it
    return this.learn(write.input).then(() => {
      lane.turn = 'free';
      const answered = answer();
      this.passOn(lane);
      return answered;
    });
  }

  /** One that needs the value before it learns it, where that can be had. */
  private mustLearnFirst(lane: Lane, { input }: Write): boolean {
    return (
      input.functionId !== 'state::set' &&
      lane.turn === 'free' &&
      !lane.record &&
      this.caller.available &&
      this.acceptance.viewOf(lane, input.key).kind === 'unknown'
    );
  }

  private async learn({ scope, key }: WriteInput): Promise<void> {
    const call = this.options.callOf('state::get', { payload: Payload.of({ scope, key }) });
    const answer = await this.caller.call(call, this.options.patienceMs).catch(() => undefined);
    if (!answer || answer.error) return; // it stays unknown, and the write is judged on that
    const { result } = answer;
    this.witness.learn(scope, key, result ? { kind: 'value', text: result.text } : ABSENT);
  }

  private send(lane: Lane, write: Write, patienceMs: number): Promise<StateAnswer> {
    const { scope, key, functionId } = write.input;
    lane.turn = 'online';
    this.witness.writeStarted(scope, key);
    const receipt = this.options.receiptForRemote();
    const attempt = new Attempt(this.options.workerId(), receipt);
    return this.caller.call(this.options.callOf(functionId, write, receipt), patienceMs, attempt).then(
      (answer) => this.answered(lane, write, answer),
      (error: unknown) => this.unanswered(lane, write, attempt, error),
    );
  }

  private answered(lane: Lane, write: Write, answer: InvocationResult): StateAnswer {
    this.witness.writeEnded(write.input.scope, write.input.key);
    this.learnFrom(write, answer);
    this.passOn(lane);
    if (answer.error) throw GatewayError.fromBody(answer.error);
    return answer.result ? { result: answer.result } : {};
  }

  /** The next one in the lane, or nobody. */
  private passOn(lane: Lane): void {
    lane.turn = 'free';
    const next = lane.waiting?.[0];
    const patienceLeft = next ? this.options.patienceMs - (this.clock.now() - next.arrivedAt) : 0;
    if (next && patienceLeft > 0 && !lane.record && this.caller.available) {
      lane.waiting?.shift();
      next.send(patienceLeft);
      if (lane.turn === 'free') this.passOn(lane); // it was not sent, but put into the log
      return;
    }
    this.keepWaiting(lane);
    if (lane.record)
      void this.replay.lift(lane).catch(() => undefined); // the disk failed, and said so
    else this.lanes.release(lane);
  }

  /** Those that wait go the way of the one before them. */
  private keepWaiting(lane: Lane): void {
    // While any of them waits the lane is not let go: one that is refused must not take it from those behind.
    for (const { keep } of lane.waiting ?? []) keep();
    lane.waiting = undefined;
    this.lanes.release(lane);
  }

  private unanswered(lane: Lane, write: Write, attempt: Attempt, error: unknown): Promise<StateAnswer> {
    switch (error instanceof GatewayError ? error.code : undefined) {
      case 'GATEWAY_OFFLINE': {
        lane.turn = 'free';
        this.witness.writeEnded(write.input.scope, write.input.key);
        const answer = this.accept(lane, write);
        this.keepWaiting(lane);
        return answer;
      }
      case 'GATEWAY_TIMEOUT':
      case 'GATEWAY_OUTCOME_UNKNOWN':
        return this.keep(lane, write, attempt, error as GatewayError);
      default:
        this.witness.writeEnded(write.input.scope, write.input.key);
        this.passOn(lane); // it could not be sent at all
        return Promise.reject(error);
    }
  }

  /** Sent and not answered: into the log with it if it can be settled from there, and with those behind it. */
  private keep(lane: Lane, write: Write, attempt: Attempt, cause: GatewayError): Promise<StateAnswer> {
    const isLost = cause.code === 'GATEWAY_OUTCOME_UNKNOWN';
    const unanswered = { how: 'lost', workerId: attempt.workerId, at: this.clock.now() } as const;
    const kept = this.acceptance.keepSent(lane, write, attempt.receipt);
    if (kept) {
      const late = this.replay.adopt(lane, kept.entry);
      if (isLost) this.replay.settleLater(lane, unanswered);
      else attempt.follow(late);
      this.keepWaiting(lane);
    } else {
      this.forgetUnkept(lane, attempt, cause.code, write.input, write);
    }
    const why = classOf(write.input) === 'relative' ? TWICE : 'it could not be kept to be settled later';
    const unknown = outcomeUnknown(write.input.functionId, why, cause);
    if (!kept) return Promise.reject(unknown);
    return kept.answer.catch(() => {
      this.replay.letGo(lane);
      this.forgetUnkept(lane, attempt, cause.code, write.input, write);
      throw unknown;
    });
  }

  /** Its caller is told that nobody knows. Nothing more is sent to the key before a fence, or its answer. */
  private forgetUnkept(lane: Lane, attempt: Attempt, code: string, place: Place, write?: Write): void {
    lane.turn = 'unclear';
    this.witness.forget(place.scope, place.key);
    this.retention.outcomeUnknown(place);
    if (code === 'GATEWAY_OUTCOME_UNKNOWN') this.liftAfterFence(lane, place, attempt.workerId, 'lost');
    else attempt.follow(this.unkept(lane, place, attempt, write));
    this.keepWaiting(lane);
  }

  private unkept(lane: Lane, place: Place, { workerId }: Attempt, write: Write | undefined): LateAnswer {
    return {
      answered: (answer) => {
        if (answer.error) {
          this.liftAfterFence(lane, place, workerId, 'error'); // an engine that passes calls on may yet execute it
          return;
        }
        this.witness.writeEnded(place.scope, place.key);
        if (write && !lane.record) this.learnFrom(write, answer);
        void this.replay.lift(lane).catch(() => undefined); // the disk failed, and said so
      },
      gone: ({ code }) =>
        this.liftAfterFence(lane, place, workerId, code === 'GATEWAY_TIMEOUT' ? 'late' : 'lost'),
    };
  }

  private liftAfterFence(
    lane: Lane,
    { scope, key }: Place,
    workerId: string | undefined,
    how: Unanswered['how'],
  ): void {
    this.fence
      .passed({ how, workerId, at: this.clock.now() })
      .then(() => {
        this.witness.writeEnded(scope, key);
        return this.replay.lift(lane);
      })
      .catch(() => undefined); // the gateway stops, or the disk failed, and said so
  }

  private learnFrom({ input }: Write, answer: InvocationResult): void {
    const { scope, key } = input;
    const outcome = outcomeOf(input.functionId, answer);
    if (outcome.kind === 'unclear') this.witness.forget(scope, key);
    if (outcome.kind !== 'applied') return;
    if (this.retention.wants(scope)) this.retention.confirmed(input, confirmedBy(input, outcome.result));
    const after = afterIn(input, outcome.result);
    if (after.kind === 'unknown') {
      this.witness.forget(scope, key);
      return;
    }
    if (this.witness.wantsBefore(scope)) {
      this.witness.changed(scope, beforeIn(input, outcome.result), after);
    }
    this.witness.learn(scope, key, after);
  }
}

/** A key. */
type Place = Pick<WriteInput, 'scope' | 'key'>;

/** Reading is to tell of them whether they were done, so what it needs is on the disk before they leave. */
function isLoggedFirst({ settle, singleWriter }: WriterRule, { input }: Write): boolean {
  return (settle === 'marker' || singleWriter) && classOf(input) === 'relative';
}
