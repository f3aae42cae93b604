/** Writes that we accept ourselves, for the remote to have later (promises: accepted-means-durable). */
import { GatewayError, messageOf } from '../../errors.js';
import type { StateAnswer } from '../../operations/calls.js';
import { printJson } from '../../protocol/json.js';
import { Payload } from '../../protocol/payload.js';
import type { Lane, Lanes } from '../log/lanes.js';
import type { Entry } from '../log/layout.js';
import { backlogFull, fullness, type LogFill, type LogLimits } from '../log/limits.js';
import type { WriteAheadLog } from '../log/write-ahead-log.js';
import { UNKNOWN, type View } from '../view.js';
import { classOf, type Effect, effectOf, type Write, type WriteInput } from '../write.js';

export interface AcceptanceOptions {
  receiptOf: (seq: number) => string;
  limits: LogLimits;
  now: () => number;
  blindWrites: (scope: string) => boolean;
  /** What the remote held when we last knew. */
  knownOf: (scope: string, key: string) => View;
}

/** A write that is in the log; the answer comes once it is durable. */
export interface Accepted {
  entry: Entry;
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
    private readonly options: AcceptanceOptions,
  ) {}

  /** The log's limits against what it holds. */
  get fill(): LogFill {
    const { entries, bytes } = this.log.book;
    const oldestAgeMs =
      entries > 0 && this.oldestAt !== undefined ? Math.max(0, this.options.now() - this.oldestAt) : 0;
    return { entries, bytes, oldestAgeMs, freeBytes: this.space.free };
  }

  /** Why a write would not be accepted now, whatever it is. */
  get refusal(): GatewayError | undefined {
    if (this.log.writeFailure) return this.log.writeFailure;
    const reason = fullness(this.options.limits, this.fill);
    return reason === undefined ? undefined : backlogFull(reason);
  }

  /** Our view of a key: what the remote held, with our own unconfirmed writes applied. */
  viewOf(lane: Lane): View {
    if (!lane.record) return this.options.knownOf(lane.scope, lane.key);
    lane.view ??= this.viewInLog(lane.record.last);
    return lane.view;
  }

  /**
   * Accepts a write that has not been sent.
   * @throws GatewayError `GATEWAY_BACKLOG_FULL`, `GATEWAY_STORAGE`; `GATEWAY_OFFLINE_UNKNOWN` for an update or delete
   * of a key that we know nothing of. The write will then never be sent.
   */
  async accept(lane: Lane, write: Write): Promise<StateAnswer> {
    const before = this.viewOf(lane);
    this.refuseIfFull(lane);
    if (before.kind === 'unknown' && !this.mayBeBlind(write.input)) throw valueUnknown(write.input);
    return this.append(lane, write, before, false).answer;
  }

  /** Keeps a write that was sent and not answered; undefined: it cannot be kept, and will never be sent again. */
  keepSent(lane: Lane, write: Write): Accepted | undefined {
    const before = this.viewOf(lane);
    const { input } = write;
    if (this.refusal || classOf(input) === 'relative') return undefined;
    if (before.kind === 'unknown' && input.functionId !== 'state::set') return undefined;
    return this.append(lane, write, before, true);
  }

  /** Puts a write at the end of its lane whatever the limits say: an operator asked for it. */
  again(lane: Lane, write: Write): Accepted {
    return this.append(lane, write, this.viewOf(lane), false);
  }

  private append(lane: Lane, write: Write, before: View, sent: boolean): Accepted {
    const { input } = write;
    const effect = effectOf(input, before);
    const acceptedAt = this.options.now();
    const isRelative = classOf(input) === 'relative';
    if (this.log.isEmpty) this.oldestAt = acceptedAt;
    const { entry, durable } = this.log.append(
      lane,
      isRelative
        ? { write, acceptedAt, sent, expected: { before, after: effect.after } }
        : { write, acceptedAt, sent },
    );
    lane.view = effect.after;
    const answer = durable.then(
      () => {
        this.lanes.release(lane);
        return acceptedAnswer(input, before, effect, this.options.receiptOf(entry.seq));
      },
      (error: unknown) => {
        this.lanes.discard(lane); // nothing is written any more; reads go on from what the disk holds
        throw diskFailed(input, error);
      },
    );
    return { entry, answer };
  }

  private refuseIfFull(lane: Lane): void {
    const { refusal } = this;
    if (refusal) throw refusal;
    const { laneEntries } = this.options.limits;
    if ((lane.record?.count ?? 0) < laneEntries) return;
    throw backlogFull(`this key has ${laneEntries} writes in it (limits.lane_entries)`);
  }

  private mayBeBlind({ functionId, scope }: WriteInput): boolean {
    return functionId === 'state::set' || this.options.blindWrites(scope);
  }

  private viewInLog(last: number): View {
    const entry = this.log.entry(last);
    if (!entry) return UNKNOWN;
    return entry.expected?.after ?? effectOf(entry.write.input, UNKNOWN).after;
  }
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
