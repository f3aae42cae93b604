import { messageOf } from '../../errors.js';
import type { Logger } from '../../logger.js';
import type { StateAnswer } from '../../operations/calls.js';
import { Payload } from '../../protocol/payload.js';
import type { Database } from '../../storage/database.js';
import type { GroupCommit, WriteOp } from '../../storage/group-commit.js';
import type { Clock } from '../clock.js';
import { timeOf } from '../log/receipts.js';
import type { RetainStatus } from '../operator.js';
import type { RemoteCaller } from '../remote-caller.js';
import { jsonOf, type Known, UNKNOWN } from '../view.js';
import type { Write } from '../write.js';
import type { ConfirmedChange } from './confirmed.js';
import type { Place } from './layout.js';
import { type LostWrite, LostWrites } from './lost-writes.js';
import { RetainedStore } from './store.js';
import { type Finding, Verification, type VerificationOptions } from './verification.js';

export interface RetentionGround extends VerificationOptions {
  database: Database;
  commits: Pick<GroupCommit, 'commitLater'>;
  caller: RemoteCaller;
  /** The longest `retain_ms` of any rule that retains; undefined: none does. */
  longestMs: number | undefined;
  /** The connection that is open. */
  epoch(): string | undefined;
  /** Resolves when a connection is open and its remote is known. */
  opened(signal: AbortSignal): Promise<void>;
  /** Answers a write as it would a worker's. */
  write(write: Write): Promise<StateAnswer>;
  /** The remote was found to hold something else than we knew. */
  learn(place: Place, found: Known): void;
  clock: Clock;
  logger: Logger;
}

/**
 * Notices a remote that forgot what it had confirmed: an engine's file store loses its last seconds in a restart, its memory
 * store everything. Confirmed writes are kept for a while, and read back on every new connection, since nothing an
 * engine says tells a restart from a lost connection.
 */
export class Retention {
  /** `lost` includes what is only gone, perhaps deleted by somebody. */
  readonly status: RetainStatus = { verified: 0, lost: 0, restored: 0, changed: 0 };
  private readonly store: RetainedStore;
  private readonly lost: LostWrites;
  private readonly verification: Verification;
  private connection: AbortController | undefined;
  /** One run at a time. */
  private running: Promise<void> = Promise.resolve();
  private awaySince: number | undefined;
  /** What is old may go: it was verified on this connection. */
  private isVerified = false;

  constructor(
    private readonly ground: RetentionGround,
    private readonly stopping: AbortSignal,
  ) {
    const { database, commits, caller, clock, longestMs = 0 } = ground;
    this.store = new RetainedStore(database, commits, longestMs);
    this.lost = new LostWrites(database);
    this.verification = new Verification(this.store, commits, caller, ground, clock, (finding) =>
      this.found(finding),
    );
  }

  async load(): Promise<void> {
    await this.store.load();
    await this.lost.load();
  }

  /** Whether confirmed writes of any scope are kept. */
  get isOn(): boolean {
    return this.ground.longestMs !== undefined;
  }

  /** Whether those of this scope are. */
  wants(scope: string): boolean {
    return this.isOn && this.ground.ruleOf(scope).retain !== 'off';
  }

  /** The remote has confirmed a write, just now. */
  confirmed(place: Place, change: ConfirmedChange): void {
    this.writeLater(this.keep(place, change));
  }

  /** The same of a logged one, for the batch in which it leaves the log. */
  confirmedIn(batch: WriteOp[], place: Place, change: ConfirmedChange, receipt: string): void {
    batch.push(...this.keep(place, change, receipt));
  }

  /** A connection stands. What was confirmed on earlier ones is read back. */
  connected(epoch: string): void {
    this.disconnected();
    if (!this.isOn) return;
    const connection = new AbortController();
    this.connection = connection;
    const signal = AbortSignal.any([connection.signal, this.stopping]);
    this.running = this.running.then(() => this.verify(epoch, signal));
  }

  disconnected(): void {
    if (!this.connection) return;
    this.connection.abort();
    this.connection = undefined;
    this.isVerified = false;
    this.awaySince ??= this.ground.clock.now(); // a run that was cut short has verified not all of them
  }

  /** To be called every now and then. While the remote is away nothing grows older. */
  async look(): Promise<void> {
    if (this.isVerified || !this.isOn) await this.store.sweep(this.ground.clock.now());
  }

  /** By number, those after `after`. */
  list(after: number, limit: number): Promise<LostWrite[]> {
    return this.lost.list(after, limit);
  }

  private async verify(epoch: string, signal: AbortSignal): Promise<void> {
    const { awaySince } = this;
    const before = { ...this.status };
    try {
      await this.ground.opened(signal);
      await this.verification.run({ epoch, awaySince, signal });
      if (signal.aborted) return;
      this.isVerified = true;
      this.awaySince = undefined;
    } catch (error) {
      if (!signal.aborted)
        this.ground.logger.error({ reason: messageOf(error) }, 'retained writes cannot be verified any more');
    } finally {
      this.summarise(before);
    }
  }

  private async found({ place, retained, found, verdict }: Finding): Promise<void> {
    const { status, ground, lost } = this;
    status.verified += 1;
    if (verdict === 'kept') return;
    ground.learn(place, found);
    if (verdict === 'changed') {
      status.changed += 1;
      this.watchNoMore(place);
      return;
    }
    status.lost += 1;
    const { at, receipt, after } = retained;
    const entry: LostWrite = {
      number: lost.takeNumber(),
      ...place,
      ...(receipt !== undefined && { receipt }),
      confirmed_at: timeOf(at),
      noticed_at: timeOf(ground.clock.now()),
      certain: verdict === 'lost',
      restored: false,
    };
    this.writeLater(lost.record(entry));
    if (verdict !== 'lost' || ground.ruleOf(place.scope).retain !== 'restore') {
      this.watchNoMore(place);
      return;
    }
    // At once, so that no newer write of ours is before it.
    const isRestored = await ground.write(writeOf(place, after)).then(
      () => true,
      () => false,
    );
    if (!isRestored) {
      this.watchNoMore(place); // the remote will not have it again: the list says that it is not restored
      return;
    }
    status.restored += 1;
    this.writeLater(lost.record({ ...entry, restored: true }));
  }

  private keep(place: Place, { before, after }: ConfirmedChange, receipt?: string): WriteOp[] {
    const at = this.ground.clock.now();
    const epoch = this.ground.epoch() ?? '';
    this.verification.confirmed(place);
    return this.store.put(place, { at, epoch, after, ...(receipt !== undefined && { receipt }) }, before);
  }

  /** Nobody knows what the key holds now, so nothing can tell whether it was lost. */
  outcomeUnknown({ scope, key }: Place): void {
    if (this.wants(scope)) this.watchNoMore({ scope, key });
  }

  /** What is told of once is not told of again on the next connection. */
  private watchNoMore(place: Place): void {
    this.confirmed(place, { before: UNKNOWN, after: UNKNOWN });
  }

  private writeLater(operations: WriteOp[]): void {
    this.ground.commits.commitLater(operations).catch(() => undefined); // the disk failed, and said so
  }

  private summarise(before: RetainStatus): void {
    const since = (name: keyof RetainStatus) => this.status[name] - before[name];
    const facts = {
      verified: since('verified'),
      lost: since('lost'),
      restored: since('restored'),
      changed: since('changed'),
    };
    if (facts.verified === 0) return;
    const { logger } = this.ground;
    if (facts.lost === 0) logger.info(facts, 'nothing is lost of what the remote engine had confirmed');
    else logger.warn(facts, 'the remote engine has lost writes that it had confirmed');
  }
}

/** The write that makes a key hold this. */
function writeOf({ scope, key }: Place, known: Known): Write {
  const value = jsonOf(known);
  if (value === undefined) {
    return { input: { functionId: 'state::delete', scope, key }, payload: Payload.of({ scope, key }) };
  }
  return {
    input: { functionId: 'state::set', scope, key, value },
    payload: Payload.of({ scope, key, value }),
  };
}
