import type { Breaker } from '../remote/breaker.js';
import type { RemoteLink } from '../remote/link.js';
import { describeStatus } from '../remote/status.js';
import { Decisions } from './decisions.js';
import { editedWrite } from './edited-write.js';
import type { Conflicts } from './log/conflicts.js';
import type { Lanes } from './log/lanes.js';
import { laneAt } from './log/layout.js';
import type { LogLimits } from './log/limits.js';
import type { Quarantine } from './log/quarantine.js';
import { notFound, type Receipts } from './log/receipts.js';
import type { Whereabouts } from './log/whereabouts.js';
import type { WriteAheadLog } from './log/write-ahead-log.js';
import type {
  Accounts,
  BarrierRequest,
  BarrierResult,
  Conflict,
  ConflictWithValues,
  Operator,
  QuarantinedInput,
  QuarantinedWrite,
  Receipt,
  ReplicationStatus,
  RetainStatus,
} from './operator.js';
import type { RemoteSide } from './remote-side.js';
import type { Barrier } from './replay/barrier.js';
import type { Endings } from './replay/endings.js';
import type { Replay } from './replay/replay.js';
import type { Sender } from './replay/sender.js';
import type { LostWrite } from './retain/lost-writes.js';
import type { Retention } from './retain/retention.js';
import type { Acceptance } from './writes/acceptance.js';
import type { Writer } from './writes/writer.js';

/** The parts of the replication that it shows and steers. */
export interface Controls {
  link: RemoteLink;
  breaker: Breaker;
  remote: RemoteSide;
  /** The remote's address, without secrets. */
  address: string;
  log: WriteAheadLog;
  lanes: Lanes;
  acceptance: Acceptance;
  replay: Replay;
  sender: Sender;
  writer: Writer;
  endings: Endings;
  barrier: Barrier;
  receipts: Receipts;
  quarantine: Quarantine;
  whereabouts: Whereabouts;
  conflicts: Conflicts;
  limits: LogLimits;
  retention: Retention;
  /** Of one call. */
  maxInputBytes: number;
  mirror: () => ReplicationStatus['mirror'];
  retain?: () => RetainStatus;
}

const BARRIER_MS = 30_000;

/** What operators and programs may see and do while the replication runs. */
export class ControlRoom implements Operator {
  private readonly decisions: Decisions;

  constructor(private readonly parts: Controls) {
    this.decisions = new Decisions(parts);
  }

  status(): ReplicationStatus {
    const { log, replay, breaker, acceptance, limits, mirror, retain, sender } = this.parts;
    const { entries, bytes, oldestAgeMs } = acceptance.fill;
    const { refusal } = acceptance;
    return {
      link: this.linkStatus(),
      breaker: { state: breaker.state, opened: breaker.opened },
      log: {
        entries,
        bytes,
        oldest_age_ms: oldestAgeMs,
        limit_entries: limits.entries,
        limit_bytes: limits.bytes,
        accepting: !refusal,
        ...(refusal && { reason: refusal.message }),
        damaged: log.damage.count,
      },
      writes: this.accounts(),
      conflicts_won: log.book.conflictsWon,
      quarantine: { ...log.book.quarantined },
      held: { keys: log.book.held, writes: log.book.heldWrites },
      replay: { in_flight: sender.inFlight, replayed: sender.replayed, settling: replay.looking },
      mirror: mirror(),
      ...(retain && { retain: retain() }),
    };
  }

  async receipt(receipt: string, waitMs = 0): Promise<Receipt> {
    const { receipts, barrier, log } = this.parts;
    const seq = receipts.seqOf(receipt);
    if (waitMs > 0 && log.entry(seq)) await barrier.settled(seq, AbortSignal.timeout(waitMs));
    return this.find(seq);
  }

  async barrier({ scope, key, timeoutMs = BARRIER_MS }: BarrierRequest): Promise<BarrierResult> {
    const { barrier, log, quarantine } = this.parts;
    const last = log.book.next - 1;
    await barrier.passed({ scope, key }, timeoutMs);
    const held = await barrier.held({ scope, key });
    return { settled: true, quarantined: await quarantine.count(scope, key, last), held };
  }

  async listQuarantine(after = 0, limit = 1000): Promise<QuarantinedWrite[]> {
    const writes = await this.parts.quarantine.list(after, limit);
    return writes.map((write) => this.withHold(write));
  }

  showQuarantined(seq: number): QuarantinedInput {
    return this.withHold(this.parts.quarantine.show(seq));
  }

  quarantinedInputs(after = 0): AsyncIterable<QuarantinedInput> {
    return this.parts.quarantine.inputs(after);
  }

  async retryQuarantined(seq: number): Promise<{ receipt: string }> {
    return this.decisions.sendAgain(seq, (write) => write);
  }

  async editQuarantined(seq: number, input: string): Promise<{ receipt: string }> {
    const { maxInputBytes } = this.parts;
    return this.decisions.sendAgain(seq, (write) => editedWrite(write, input, maxInputBytes));
  }

  dropQuarantined(seq: number): Promise<void> {
    return this.decisions.drop(seq);
  }

  listLost(after = 0, limit = 1000): Promise<LostWrite[]> {
    return this.parts.retention.list(after, limit);
  }

  listConflicts(after = 0, limit = 1000): Promise<Conflict[]> {
    return this.parts.conflicts.list(after, limit);
  }

  showConflict(number: number): ConflictWithValues {
    return this.parts.conflicts.show(number);
  }

  drain(): void {
    this.parts.replay.wake();
  }

  /** With what waits for a decision about it. */
  private withHold<T extends QuarantinedWrite>(write: T): T {
    const { log } = this.parts;
    if (log.book.held === 0) return write;
    for (const key of [write.key, undefined]) {
      const record = log.laneRecord(laneAt(write.scope, key));
      if (record?.heldBy === write.seq) return { ...write, holds: true, waiting: record.count };
    }
    return write;
  }

  private find(seq: number): Receipt {
    const found = this.parts.whereabouts.find(seq);
    if (found) return found;
    throw notFound(this.parts.receipts.nameOf(seq));
  }

  /** One write is in exactly one of these, so they add up to what was accepted. */
  private accounts(): Accounts {
    const { log, lanes } = this.parts;
    const { book } = log;
    let sent = 0;
    for (const { record, turn } of lanes.underWay())
      if (record && record.count > 0 && turn === 'logged') sent += 1;
    const { refused, unknown, parked, overflow } = book.quarantined;
    return {
      accepted: book.accepted,
      pending: book.entries - sent,
      sent,
      ...book.ended,
      quarantined: refused + unknown + parked + overflow,
    };
  }

  private linkStatus(): ReplicationStatus['link'] {
    const { link, remote, address } = this.parts;
    const { status } = link;
    const isOpen = status.state === 'open';
    return {
      state: status.state,
      sentence: describeStatus(status),
      remote: address,
      ...(isOpen && { since: new Date(status.since).toISOString(), epoch: status.epoch }),
      epochs: remote.epochs,
      adapter: remote.lastTraits.adapter,
      delivery: remote.lastTraits.fenceable ? 'exactly-once' : 'at-least-once',
    };
  }
}
