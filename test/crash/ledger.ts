import type { Receipt } from '../../src/replication/operator.js';
import type { Status } from '../support/outpost.js';
import type { SeededRandom } from '../support/seeded-random.js';
import {
  callOf,
  type SentWrite,
  type Told,
  type ToldWrite,
  toldBy,
  type WriteKind,
} from '../support/told-writes.js';
import { NamedWrites } from './named-writes.js';
import type { ScopeCase } from './rules.js';
import type { Site } from './site.js';

const OPEN: readonly string[] = ['pending', 'sent'];
/** What an operator makes of one in quarantine. */
const DECIDED: readonly string[] = ['superseded', 'dropped'];
/** Of the receipts that were settled before, those that are looked at again after each restart. */
const LOOKED_AT_AGAIN = 50;
const AT_ONCE = 64;
const MOST_REPEATS = 5;

/** What was sent, what its callers were told, and what the gateway says became of it. */
export class Ledger {
  readonly writes: ToldWrite[] = [];
  readonly endings = new Map<string, Receipt>();
  private readonly underWay = new Set<Promise<unknown>>();
  private readonly named: NamedWrites;
  private ids = 0;

  constructor(private readonly site: Site) {
    this.named = new NamedWrites(site);
  }

  /** Sends a write and notes what its caller is told. */
  write(worker: number, { scope, repeats }: ScopeCase, key: string, kind: WriteKind): Promise<ToldWrite> {
    this.ids += 1;
    const sent = { id: this.ids, worker, scope, key, kind };
    const noted = this.send(sent, repeats === true).then((told) => {
      this.writes.push(told);
      this.underWay.delete(noted);
      return told;
    });
    this.underWay.add(noted);
    return noted;
  }

  /** Whether a caller knows the receipt. */
  hasTold(receipt: string): boolean {
    return this.receiptsTold().includes(receipt);
  }

  async allTold(): Promise<void> {
    await Promise.all(this.underWay);
  }

  /** Accepted writes of which nobody has heard yet that they are settled. */
  get openReceipts(): string[] {
    return this.receiptsTold().filter((receipt) =>
      OPEN.includes(this.endings.get(receipt)?.status ?? 'pending'),
    );
  }

  /**
   * Asks the gateway for its accounts, and what became of the writes that it accepted.
   * @throws Error if the sums are wrong, something that was settled is not any more, or an answer is another one now.
   */
  async audit(random: SeededRandom): Promise<Status> {
    const told = new Set(this.receiptsTold()).size;
    const status = await this.site.ask<Status>('gateway::status');
    const { accepted, ...states } = status.writes;
    const sum = Object.values(states).reduce((sum, count) => sum + count);
    const isOff = sum !== accepted || Object.values(states).some((count) => count < 0);
    if (isOff) throw new Error(`the accounts do not add up: ${JSON.stringify(status.writes)}`);
    if (accepted < told) throw new Error(`${told} receipts were given, and only ${accepted} writes accepted`);
    const settled = [...this.endings.keys()];
    const again = Array.from({ length: Math.min(LOOKED_AT_AGAIN, settled.length) }, () =>
      random.pick(settled),
    );
    const asked = [...new Set([...this.openReceipts, ...again])];
    for (let at = 0; at < asked.length; at += AT_ONCE) {
      await Promise.all(asked.slice(at, at + AT_ONCE).map((receipt) => this.look(receipt)));
    }
    await this.named.askAgain(random);
    return status;
  }

  private async look(receipt: string): Promise<void> {
    const before = this.endings.get(receipt);
    const now = await this.site.ask<Receipt>('gateway::receipt', { receipt });
    const isDecided = before?.status === 'quarantined' && DECIDED.includes(now.status);
    if (before && before.status !== now.status && !OPEN.includes(before.status) && !isDecided) {
      throw new Error(`${receipt} was ${before.status} and is ${now.status} now`);
    }
    this.endings.set(receipt, now);
  }

  private async send(sent: SentWrite, repeats: boolean): Promise<ToldWrite> {
    if (!repeats) {
      const { functionId, data } = callOf(sent);
      const told = toldBy(await this.site.call(sent.worker, functionId, data, { label: String(sent.id) }));
      return { ...sent, told, repeated: false };
    }
    let told = await this.named.make(sent);
    let repeated = 0;
    while (repeated < MOST_REPEATS && isOpen(told)) {
      repeated += 1;
      told = await this.named.make(sent);
    }
    return { ...sent, told, repeated: repeated > 0 };
  }

  private receiptsTold(): string[] {
    return this.writes.flatMap(({ told }) => (told.kind === 'accepted' ? [told.receipt] : []));
  }
}

/** Whether asking again is worth it. */
function isOpen(told: Told): boolean {
  return told.kind === 'nothing' || (told.kind === 'error' && told.code === 'GATEWAY_OUTCOME_UNKNOWN');
}
