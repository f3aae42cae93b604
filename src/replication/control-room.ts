import type { Breaker } from '../remote/breaker.js';
import type { RemoteLink } from '../remote/link.js';
import { describeStatus } from '../remote/status.js';
import type { WriteOp } from '../storage/group-commit.js';
import type { Lanes } from './log/lanes.js';
import type { Entry } from './log/layout.js';
import type { LogLimits } from './log/limits.js';
import type { Quarantine, QuarantinedEntry } from './log/quarantine.js';
import { notFound, type Receipts } from './log/receipts.js';
import type { WriteAheadLog } from './log/write-ahead-log.js';
import type {
  Accounts,
  BarrierRequest,
  BarrierResult,
  Operator,
  QuarantinedInput,
  QuarantinedWrite,
  Receipt,
  ReplicationStatus,
} from './operator.js';
import type { RemoteSide } from './remote-side.js';
import type { Barrier } from './replay/barrier.js';
import type { Endings } from './replay/endings.js';
import type { Replay } from './replay/replay.js';
import type { Write } from './write.js';
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
  writer: Writer;
  endings: Endings;
  barrier: Barrier;
  receipts: Receipts;
  quarantine: Quarantine;
  limits: LogLimits;
  mirror: () => ReplicationStatus['mirror'];
}

const BARRIER_MS = 30_000;

/** What operators and programs may see and do while the replication runs. */
export class ControlRoom implements Operator {
  /** On their way out of quarantine: nobody else may decide about them. */
  private readonly leaving = new Set<number>();

  constructor(private readonly parts: Controls) {}

  status(): ReplicationStatus {
    const { log, replay, breaker, acceptance, limits, mirror } = this.parts;
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
      replay: { in_flight: replay.inFlight, replayed: replay.replayed, settling: replay.looking },
      mirror: mirror(),
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

  listQuarantine(after = 0, limit = 1000): Promise<QuarantinedWrite[]> {
    return this.parts.quarantine.list(after, limit);
  }

  showQuarantined(seq: number): QuarantinedInput {
    return this.parts.quarantine.show(seq);
  }

  async retryQuarantined(seq: number): Promise<{ receipt: string }> {
    return this.sendAgain(seq, this.staying(seq).entry.write);
  }

  async dropQuarantined(seq: number): Promise<void> {
    const { lanes, log, replay } = this.parts;
    const { write, inScopeOrder } = this.staying(seq).entry;
    const lane = lanes.openRecord(write.scope, inScopeOrder ? undefined : write.key);
    const isHeldForIt = lane?.record?.heldBy === seq;
    const left = this.leaveQuarantine(seq, 'dropped');
    await (isHeldForIt ? log.release(lane, left) : log.commit(left)).finally(() => this.leaving.delete(seq));
    if (isHeldForIt) replay.resume(lane);
  }

  drain(): void {
    this.parts.replay.wake();
  }

  /** As a new write: at its lane's end, or first in a lane that waits for it. */
  private async sendAgain(seq: number, write: Write): Promise<{ receipt: string }> {
    const { writer, receipts, replay, log } = this.parts;
    if (log.writeFailure) throw log.writeFailure;
    try {
      const again = await writer.again(write, seq, () => this.leaveQuarantine(seq, 'superseded'));
      await again.answer;
      replay.wake();
      return { receipt: receipts.nameOf(again.entry.seq) };
    } finally {
      this.leaving.delete(seq);
    }
  }

  /** What takes it out, for the batch of whatever happens to it. */
  private leaveQuarantine(seq: number, ending: 'superseded' | 'dropped'): WriteOp[] {
    const { quarantine, receipts, log, endings } = this.parts;
    const { entry, reason, error } = this.staying(seq);
    this.leaving.add(seq);
    log.book.quarantined[reason] -= 1;
    log.book.ended[ending] += 1;
    receipts.settle(entry, ending, endings.now(), error);
    return [quarantine.remove(seq)];
  }

  private staying(seq: number): QuarantinedEntry {
    const { quarantine } = this.parts;
    if (this.leaving.has(seq)) throw quarantine.notHere(seq);
    return quarantine.get(seq);
  }

  private find(seq: number): Receipt {
    const { log, receipts, quarantine } = this.parts;
    const entry = log.entry(seq);
    if (entry) return receipts.unsettled(entry, this.mayHaveLeft(entry) ? 'sent' : 'pending');
    const quarantined = quarantine.find(seq);
    if (quarantined) {
      const { seq: _, bytes: __, ...receipt } = quarantine.describe(quarantined);
      return receipt;
    }
    const settled = receipts.find(seq);
    if (settled) return settled;
    throw notFound(receipts.nameOf(seq));
  }

  private mayHaveLeft(entry: Entry): boolean {
    const { lanes, log } = this.parts;
    const lane = lanes.find(entry.write.scope, entry.write.key);
    if (!lane) return false;
    const isHead = lane.record?.head === entry.seq;
    const left = isHead && (lane.turn === 'logged' || log.mayHaveBeenSent(entry));
    lanes.release(lane);
    return left;
  }

  /** One write is in exactly one of these, so they add up to what was accepted. */
  private accounts(): Accounts {
    const { log, lanes } = this.parts;
    const { book } = log;
    let sent = 0;
    for (const { record, turn } of lanes.underWay()) if (record && turn === 'logged') sent += 1;
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
