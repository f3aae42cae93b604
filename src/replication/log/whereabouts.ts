import type { Receipt } from '../operator.js';
import type { Lanes } from './lanes.js';
import type { Entry } from './layout.js';
import type { Quarantine } from './quarantine.js';
import type { Receipts } from './receipts.js';
import type { WriteAheadLog } from './write-ahead-log.js';

/** Where a write is that was accepted, wherever it may be by now. */
export class Whereabouts {
  constructor(
    private readonly log: WriteAheadLog,
    private readonly lanes: Lanes,
    private readonly receipts: Receipts,
    private readonly quarantine: Quarantine,
  ) {}

  /** Undefined: there is no such write, or it is older than what is kept. */
  find(seq: number): Receipt | undefined {
    const entry = this.log.entry(seq);
    if (entry) return this.receipts.unsettled(entry, this.mayHaveLeft(entry) ? 'sent' : 'pending');
    const quarantined = this.quarantine.find(seq);
    if (!quarantined) return this.receipts.find(seq);
    const { seq: _, bytes: __, ...receipt } = this.quarantine.describe(quarantined);
    return receipt;
  }

  private mayHaveLeft(entry: Entry): boolean {
    const { write, inScopeOrder, seq } = entry;
    const lane = this.lanes.openRecord(write.scope, inScopeOrder ? undefined : write.key);
    if (!lane) return false;
    const isHead = lane.record?.head === seq;
    const left = isHead && (lane.turn === 'logged' || this.log.mayHaveBeenSent(entry));
    this.lanes.release(lane);
    return left;
  }
}
