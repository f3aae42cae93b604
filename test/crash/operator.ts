import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { QuarantinedWrite, QuarantineReason } from '../../src/replication/operator.js';
import type { SeededRandom } from '../support/seeded-random.js';

/** Of these it is certain that they were not executed, so dropping one leaves nothing behind. */
const NEVER_DONE: readonly QuarantineReason[] = ['refused', 'overflow'];
const MOST_AT_ONCE = 5;

/** Decides about writes in quarantine by chance, over the admin server, and does not care whether it lives to hear of it. */
export class Operator {
  /** Receipts of writes that were sent again, or perhaps were. */
  readonly retried = new Set<string>();
  private underWay = Promise.resolve();

  constructor(
    private readonly dataDir: string,
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
    if (quarantined.length === 0) return;
    for (let left = 1 + this.random.below(MOST_AT_ONCE); left > 0; left -= 1) {
      const { seq, receipt, reason } = this.random.pick(quarantined);
      if (this.random.chance(0.3)) {
        if (NEVER_DONE.includes(reason)) await this.ask('POST', `/api/quarantine/${seq}/drop`);
        continue;
      }
      this.retried.add(receipt);
      await this.ask('POST', `/api/quarantine/${seq}/retry`);
    }
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
