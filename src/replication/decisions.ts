import { withoutName } from '../operations/repeats.js';
import type { WriteOp } from '../storage/group-commit.js';
import type { Lanes } from './log/lanes.js';
import type { Quarantine, QuarantinedEntry } from './log/quarantine.js';
import type { Receipts } from './log/receipts.js';
import type { WriteAheadLog } from './log/write-ahead-log.js';
import type { Endings } from './replay/endings.js';
import type { Replay } from './replay/replay.js';
import type { Write } from './write.js';
import type { Writer } from './writes/writer.js';

/** What decisions are carried out with. */
export interface DecisionParts {
  log: WriteAheadLog;
  lanes: Lanes;
  writer: Writer;
  replay: Replay;
  endings: Endings;
  receipts: Receipts;
  quarantine: Quarantine;
}

/** What operators decide about writes in quarantine, each of which leaves it once. */
export class Decisions {
  /** On their way out: nobody else may decide about them. */
  private readonly decided = new Set<number>();

  constructor(private readonly parts: DecisionParts) {}

  /**
   * As a new write, as it was or changed: at its lane's end, or first in a lane that waits for it.
   * @throws GatewayError `GATEWAY_NOT_FOUND`; what `change` throws; nothing has changed then.
   */
  async sendAgain(seq: number, change: (write: Write) => Write): Promise<{ receipt: string }> {
    const { writer, receipts, replay, log } = this.parts;
    const quarantined = this.staying(seq);
    const write = unnamed(change(quarantined.entry.write));
    if (log.writeFailure) throw log.writeFailure;
    return this.deciding(seq, async () => {
      const again = await writer.again(write, seq, () => this.takeOut(quarantined, 'superseded'));
      await again.answer;
      replay.wake();
      return { receipt: receipts.nameOf(again.entry.seq) };
    });
  }

  async drop(seq: number): Promise<void> {
    const { lanes, log, replay } = this.parts;
    const quarantined = this.staying(seq);
    const { write, inScopeOrder } = quarantined.entry;
    const lane = lanes.openRecord(write.scope, inScopeOrder ? undefined : write.key);
    const isHeldForIt = lane?.record?.heldBy === seq;
    await this.deciding(seq, () => {
      const left = this.takeOut(quarantined, 'dropped');
      return isHeldForIt ? log.release(lane, left) : log.commit(left);
    });
    if (isHeldForIt) replay.resume(lane.scope, lane.key);
    else if (lane) lanes.release(lane);
  }

  /** For the batch of whatever happens to it. */
  private takeOut({ entry, reason, error }: QuarantinedEntry, ending: 'superseded' | 'dropped'): WriteOp[] {
    const { quarantine, receipts, log, endings } = this.parts;
    log.book.quarantined[reason] -= 1;
    log.book.ended[ending] += 1;
    receipts.settle(entry, ending, endings.now(), error);
    return [quarantine.remove(entry.seq)];
  }

  /** From the decision until the disk has it. */
  private async deciding<T>(seq: number, decide: () => Promise<T>): Promise<T> {
    this.decided.add(seq);
    try {
      return await decide();
    } finally {
      this.decided.delete(seq);
    }
  }

  private staying(seq: number): QuarantinedEntry {
    const { quarantine } = this.parts;
    if (this.decided.has(seq)) throw quarantine.notHere(seq);
    return quarantine.get(seq);
  }
}

/** It is another call now: under the name that its caller gave it, whoever knows that would not do it again. */
function unnamed({ input, payload, metadata, traceparent, baggage }: Write): Write {
  const named = withoutName(payload);
  return { input, payload: named, metadata: metadata && withoutName(metadata), traceparent, baggage };
}
