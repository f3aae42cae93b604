import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { QuarantinedWrite, QuarantineReason } from '../../src/replication/operator.js';
import type { SeededRandom } from '../support/seeded-random.js';

/** Of these it is certain that they were not executed, so dropping one leaves nothing behind. */
const NEVER_DONE: readonly QuarantineReason[] = ['refused', 'overflow'];
const MOST_AT_ONCE = 5;

/** Decides about writes in quarantine by chance, over the admin server, and does not care whether it lives to hear of it. */
export class Operator {
  /** Writes that were sent again, or perhaps were, by receipt. */
  readonly retried = new Map<string, QuarantineReason>();
  /** How many decisions were heard to be carried out. */
  decided = 0;
  private underWay = Promise.resolve();

  constructor(
    private readonly dataDir: string,
    /** Others are let alone: nobody could tell what they left behind. */
    private readonly isKnown: (receipt: string) => boolean,
    private readonly random: SeededRandom,
  ) {}

  /** Goes on while others kill the gateway. */
  begin(): void {
    this.underWay = this.decide().catch(() => undefined); // killed meanwhile: it may have decided
  }

  async ended(): Promise<void> {
    await this.underWay;
  }

  private async decide(): Promise<void> {
    const { quarantined } = await this.ask<{ quarantined: QuarantinedWrite[] }>('GET', '/api/quarantine');
    const known = quarantined.filter(({ receipt }) => this.isKnown(receipt));
    if (known.length === 0) return;
    for (let left = 1 + this.random.below(MOST_AT_ONCE); left > 0; left -= 1) {
      const { seq, receipt, reason } = this.random.pick(known);
      if (this.random.chance(0.3)) {
        if (NEVER_DONE.includes(reason)) await this.say(seq, 'drop');
        continue;
      }
      this.retried.set(receipt, reason);
      await this.say(seq, 'retry');
    }
  }

  private async say(seq: number, decision: 'drop' | 'retry'): Promise<void> {
    const answer = await this.ask<{ error?: unknown }>('POST', `/api/quarantine/${seq}/${decision}`);
    if (answer.error === undefined) this.decided += 1;
  }

  private async ask<T>(method: string, path: string): Promise<T> {
    const [address, token] = await Promise.all(
      ['admin-address', 'admin-token'].map((name) => readFile(join(this.dataDir, name), 'utf8')),
    );
    const base = (address ?? '').trim().replace(/^(?!https?:)/, 'http://');
    const headers = { authorization: `Bearer ${token?.trim()}` };
    const response = await fetch(new URL(path, base), { method, headers });
    return (await response.json()) as T;
  }
}
