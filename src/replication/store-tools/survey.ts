import { decodeIdentity, type KeptIdentity } from '../../storage/identity.js';
import { openRecord } from '../../storage/record.js';
import type { Book } from '../log/book.js';
import { decodeEntry, decodeLane, decodeSeq, ENTRIES, type Entry, QUARANTINE, seqIn } from '../log/layout.js';
import { bytesOf } from '../mirror/chunk.js';
import { type Counted, emptyCounts, type Inspection, MOST_NAMED } from './inspection.js';
import { LaneSums } from './lane-sums.js';
import { laneOf } from './lane-walk.js';
import { type Row, rowsOf } from './rows.js';
import {
  describeDamaged,
  LINKS,
  MIRROR_SIZE_KEY,
  SCOPE_LANES,
  SENT_NOTES,
  type SpaceName,
  spaceOf,
} from './spaces.js';
import type { StoreCopy } from './store-copy.js';

export interface MirrorSize {
  bytes: number;
  clean: boolean;
}

/** One pass over everything, with counts in memory and nothing else. */
export class Survey {
  readonly records = emptyCounts();
  readonly damaged: Inspection['damaged'] = { count: 0, named: [] };
  readonly sums = new LaneSums();
  readonly counted: Counted = {
    entries: 0,
    bytes: 0,
    quarantined: {},
    heldLanes: 0,
    scopeLanes: 0,
    mirrorBytes: 0,
    greatest: 0,
  };
  book: Book | undefined;
  format: string | undefined;
  identity: KeptIdentity | undefined;
  mirrorSize: MirrorSize | undefined;
  /** Links that lead away from nothing. */
  looseLinks = 0;
  /** Damaged records that are, or may have been, notes that an update was sent. */
  damagedNotes = 0;

  static async of(copy: StoreCopy): Promise<Survey> {
    const survey = new Survey();
    const links = new LinkReader(copy);
    try {
      for await (const rows of rowsOf(copy)) await survey.take(rows, links);
      survey.looseLinks += (await links.upTo(Number.POSITIVE_INFINITY)).size;
    } finally {
      await links.close();
    }
    return survey;
  }

  private async take(rows: readonly Row[], links: LinkReader): Promise<void> {
    const last = rows.findLast(([key]) => key.startsWith(ENTRIES));
    const nexts = last ? await links.upTo(seqIn(ENTRIES, last[0])) : NO_LINKS;
    for (const [key, record] of rows) this.look(key, record, nexts);
    this.looseLinks += nexts.size;
    nexts.clear();
  }

  private look(key: string, record: Buffer, nexts: Map<number, number>): void {
    const { name, isSound } = spaceOf(key);
    if (key.startsWith('mirror/') && key !== MIRROR_SIZE_KEY)
      this.counted.mirrorBytes += bytesOf(key, record);
    const body = openRecord(key, record);
    try {
      if (body && name === 'entries') this.entry(decodeEntry(seqIn(ENTRIES, key), body), nexts);
      else if (body && isSound(key, body)) this.count(name, key, body);
      else throw new TypeError('no such record');
      this.records[name] += 1;
    } catch {
      this.damaged.count += 1;
      if (name === 'sent_notes' || name === 'other') this.damagedNotes += 1;
      if (this.damaged.named.length < MOST_NAMED) this.damaged.named.push(describeDamaged(key, record));
      if (name === 'entries') nexts.delete(seqIn(ENTRIES, key)); // it is not the link that is at fault
    }
  }

  private entry(entry: Entry, nexts: Map<number, number>): void {
    const { seq, bytes, write } = entry;
    if (typeof write.scope !== 'string' || typeof write.key !== 'string') throw new TypeError('no entry');
    this.sums.entry(laneOf(entry), seq, nexts.get(seq));
    nexts.delete(seq);
    this.counted.entries += 1;
    this.counted.bytes += bytes;
    this.sawSeq(seq);
  }

  private count(name: SpaceName, key: string, body: Buffer): void {
    const { counted } = this;
    switch (name) {
      case 'lanes': {
        const { count, head, last, heldBy } = decodeLane(body);
        this.sums.lane(key, count, head, last);
        if (heldBy > 0) counted.heldLanes += 1;
        if (key.startsWith(SCOPE_LANES)) counted.scopeLanes += 1;
        this.sawSeq(Math.max(head, last, heldBy));
        return;
      }
      case 'links':
        this.sawSeq(Math.max(seqIn(LINKS, key), decodeSeq(body)));
        return;
      case 'sent_notes':
        this.sawSeq(seqIn(SENT_NOTES, key));
        return;
      case 'quarantined': {
        const { reason } = JSON.parse(body.toString('utf8', 4, 4 + body.readUInt32BE(0))) as {
          reason: string;
        };
        counted.quarantined[reason] = (counted.quarantined[reason] ?? 0) + 1;
        this.sawSeq(seqIn(QUARANTINE, key));
        return;
      }
      case 'receipt_packs': {
        const [, , range = ''] = key.split('/');
        this.sawSeq(Number.parseInt(range.split('-')[1] ?? '0', 16));
        return;
      }
      case 'book':
        this.book = JSON.parse(body.toString()) as Book;
        return;
      case 'identity':
        this.identity = decodeIdentity(body);
        return;
      case 'format':
        this.format = body.toString();
        return;
      case 'mirror_other':
        if (key === MIRROR_SIZE_KEY) this.mirrorSize = JSON.parse(body.toString()) as MirrorSize;
    }
  }

  private sawSeq(seq: number): void {
    if (seq > this.counted.greatest) this.counted.greatest = seq;
  }
}

const NO_LINKS = new Map<number, number>();

/** Reads the links beside the entries, which lie in the same order. */
class LinkReader {
  private readonly portions: AsyncGenerator<Row[]>;
  private readonly nexts = new Map<number, number>();
  private ahead: Row[] = [];
  private at = 0;

  constructor(copy: StoreCopy) {
    this.portions = rowsOf(copy, { gte: LINKS, lt: `${LINKS.slice(0, -1)}0` });
  }

  /** The links of entries up to this one that were not given out yet; whoever uses one takes it away. */
  async upTo(seq: number): Promise<Map<number, number>> {
    for (;;) {
      for (; this.at < this.ahead.length; this.at += 1) {
        const [key, record] = this.ahead[this.at] as Row;
        if (seqIn(LINKS, key) > seq) return this.nexts;
        const body = openRecord(key, record);
        if (body) this.nexts.set(seqIn(LINKS, key), decodeSeq(body));
      }
      const { value, done } = await this.portions.next();
      if (done) return this.nexts;
      this.ahead = value;
      this.at = 0;
    }
  }

  async close(): Promise<void> {
    await this.portions.return(undefined);
  }
}
