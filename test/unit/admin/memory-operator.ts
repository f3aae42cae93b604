import { GatewayError } from '../../../src/errors.js';
import type {
  BarrierRequest,
  BarrierResult,
  Conflict,
  ConflictWithValues,
  Operator,
  QuarantinedInput,
  QuarantinedWrite,
  QuarantineReason,
  Receipt,
  ReplicationStatus,
} from '../../../src/replication/operator.js';
import type { LostWrite } from '../../../src/replication/retain/lost-writes.js';

const AT = '2026-01-02T03:04:05.678Z';

interface Write {
  receipt: Receipt;
  input: string;
}

/** The replication as operators see it, kept in memory: a test accepts and settles writes by hand. */
export class MemoryOperator implements Operator {
  readonly barriers: BarrierRequest[] = [];
  drains = 0;
  link: ReplicationStatus['link']['state'] = 'open';
  breaker: ReplicationStatus['breaker']['state'] = 'closed';
  refusesWrites: string | undefined;
  held: ReplicationStatus['held'] = { keys: 0, writes: 0 };
  retain: ReplicationStatus['retain'];
  damaged = 0;
  /** What `drain` does. */
  onDrain = () => {};
  readonly conflicts: ConflictWithValues[] = [];
  readonly lost: LostWrite[] = [];
  private readonly writes = new Map<number, Write>();
  private readonly waiting: { seq: number; resolve: () => void }[] = [];
  private next = 1;

  accept(key: string, value: unknown = key): number {
    const seq = this.next++;
    const receipt: Receipt = {
      receipt: `gw-${seq}`,
      status: 'pending',
      scope: 'orders',
      key,
      function_id: 'state::set',
      accepted_at: AT,
    };
    this.writes.set(seq, { receipt, input: JSON.stringify({ scope: 'orders', key, value }) });
    return seq;
  }

  settle(seq: number, status: Receipt['status'], more: Partial<Receipt> = {}): void {
    Object.assign(this.write(seq).receipt, { status, settled_at: AT, ...more });
    for (const waiter of this.waiting.filter((one) => one.seq === seq)) waiter.resolve();
  }

  quarantine(
    key: string,
    value: unknown = key,
    message = 'not yours',
    reason: QuarantineReason = 'refused',
  ): number {
    const seq = this.accept(key, value);
    this.settle(seq, 'quarantined', { reason, error: { code: 'FORBIDDEN', message } });
    return seq;
  }

  settleAll(): void {
    for (const [seq, { receipt }] of this.writes) if (isLeft(receipt)) this.settle(seq, 'committed');
  }

  status(): ReplicationStatus {
    const all = [...this.writes.values()].map(({ receipt }) => receipt);
    const number = (status: Receipt['status']) => all.filter((one) => one.status === status).length;
    const reasons = (reason: QuarantineReason) =>
      all.filter((one) => one.status === 'quarantined' && one.reason === reason).length;
    return {
      link: {
        state: this.link,
        sentence: this.link === 'open' ? 'connected to the remote engine' : 'the remote engine is away',
        remote: 'ws://hub:49134',
        ...(this.link === 'open' && { since: AT, epoch: 'e' }),
        epochs: 3,
        adapter: 'kv',
        delivery: 'exactly-once',
      },
      breaker: { state: this.breaker, opened: 2 },
      log: {
        entries: all.filter(isLeft).length,
        bytes: 2048,
        oldest_age_ms: 1500,
        limit_entries: 1_000_000,
        limit_bytes: 2 ** 30,
        damaged: this.damaged,
        accepting: this.refusesWrites === undefined,
        ...(this.refusesWrites !== undefined && { reason: this.refusesWrites }),
      },
      writes: {
        accepted: all.length,
        pending: number('pending'),
        sent: number('sent'),
        committed: number('committed'),
        conflicted: number('conflicted'),
        quarantined: number('quarantined'),
        expired: number('expired'),
        superseded: number('superseded'),
        dropped: number('dropped'),
      },
      conflicts_won: 4,
      quarantine: {
        refused: reasons('refused'),
        unknown: reasons('unknown'),
        parked: reasons('parked'),
        overflow: reasons('overflow'),
      },
      held: this.held,
      replay: { in_flight: 5, replayed: 6, settling: 7 },
      mirror: { bytes: 1024, limit_bytes: 4096, hits: 9, misses: 1 },
      ...(this.retain && { retain: this.retain }),
    };
  }

  async receipt(receipt: string, waitMs = 0): Promise<Receipt> {
    const seq = Number(/^gw-(\d+)$/.exec(receipt)?.[1] ?? 0);
    const write = this.write(seq);
    if (waitMs > 0 && isLeft(write.receipt)) {
      await new Promise<void>((resolve) => {
        this.waiting.push({ seq, resolve });
        setTimeout(resolve, waitMs).unref();
      });
    }
    return { ...write.receipt };
  }

  /** How many wait for a receipt. */
  get waiters(): number {
    return this.waiting.length;
  }

  async barrier(request: BarrierRequest): Promise<BarrierResult> {
    this.barriers.push(request);
    const left = this.status().log.entries;
    if (left > 0) throw new GatewayError('GATEWAY_TIMEOUT', `${left} writes are left`);
    return { settled: true, quarantined: this.status().writes.quarantined, held: 0 };
  }

  async listQuarantine(after = 0, limit = 1000): Promise<QuarantinedWrite[]> {
    const seqs = [...this.writes].filter(([, { receipt }]) => receipt.status === 'quarantined');
    return seqs
      .map(([seq]) => seq)
      .filter((seq) => seq > after)
      .slice(0, limit)
      .map((seq) => {
        const { input: _, ...write } = this.showQuarantined(seq);
        return write;
      });
  }

  showQuarantined(seq: number): QuarantinedInput {
    const { receipt, input } = this.write(seq);
    if (receipt.status !== 'quarantined') throw notFound(seq);
    return { ...(receipt as QuarantinedWrite), seq, bytes: input.length, input };
  }

  async retryQuarantined(seq: number): Promise<{ receipt: string }> {
    const { key } = this.showQuarantined(seq);
    this.settle(seq, 'superseded');
    return { receipt: `gw-${this.accept(key)}` };
  }

  async dropQuarantined(seq: number): Promise<void> {
    this.showQuarantined(seq);
    this.settle(seq, 'dropped');
  }

  async *quarantinedInputs(after = 0): AsyncGenerator<QuarantinedInput> {
    for (const { seq } of await this.listQuarantine(after, this.writes.size)) yield this.showQuarantined(seq);
  }

  async editQuarantined(seq: number, input: string): Promise<{ receipt: string }> {
    const { key } = this.showQuarantined(seq);
    const edited = JSON.parse(input) as { key: string; value: unknown };
    if (edited.key !== key) throw new GatewayError('INVALID_ARGUMENTS', `it must stay one for key "${key}"`);
    this.settle(seq, 'superseded');
    return { receipt: `gw-${this.accept(key, edited.value)}` };
  }

  inputOf(seq: number): string {
    return this.write(seq).input;
  }

  async listLost(after = 0, limit = 1000): Promise<LostWrite[]> {
    return this.lost.filter(({ number }) => number > after).slice(0, limit);
  }

  async listConflicts(after = 0, limit = 1000): Promise<Conflict[]> {
    return this.conflicts
      .filter(({ number }) => number > after)
      .slice(0, limit)
      .map(({ base: _, local: __, remote: ___, ...conflict }) => conflict);
  }

  showConflict(number: number): ConflictWithValues {
    const conflict = this.conflicts.find((one) => one.number === number);
    if (!conflict) throw notFound(number);
    return conflict;
  }

  /** Somebody else changed a key that we wrote. */
  conflict(key: string, remote: string): number {
    const number = this.conflicts.length + 1;
    this.conflicts.push({
      number,
      receipt: `gw-${number}`,
      outcome: 'won',
      policy: 'local-wins',
      scope: 'orders',
      key,
      function_id: 'state::set',
      at: AT,
      base: { kind: 'unknown' },
      local: { kind: 'value', text: '1' },
      remote: { kind: 'value', text: JSON.stringify(remote) },
    });
    return number;
  }

  drain(): void {
    this.drains += 1;
    this.onDrain();
  }

  private write(seq: number): Write {
    const write = this.writes.get(seq);
    if (!write) throw notFound(seq);
    return write;
  }
}

function isLeft({ status }: Receipt): boolean {
  return status === 'pending' || status === 'sent';
}

function notFound(seq: number): GatewayError {
  return new GatewayError('GATEWAY_NOT_FOUND', `there is no write ${seq}`);
}
