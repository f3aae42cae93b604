import { createLogger } from '../../logger.js';
import { DamageReport } from '../../storage/damage.js';
import type { Database } from '../../storage/database.js';
import { encodeIdentity, IDENTITY_KEY, type KeptIdentity } from '../../storage/identity.js';
import { namesIn } from '../../storage/scoped-keys.js';
import { type Book, newBook } from '../log/book.js';
import {
  BOOK_KEY,
  decodeEntry,
  decodeLane,
  ENTRIES,
  type Entry,
  LAST_OF_KEY,
  laneAt,
  sentKey,
  seqIn,
} from '../log/layout.js';
import { Quarantine } from '../log/quarantine.js';
import { bytesOf } from '../mirror/chunk.js';
import { valueId } from '../mirror/layout.js';
import { Filler } from './filler.js';
import { emptyCounts, type Inspected, type Inspection } from './inspection.js';
import { laneOf } from './lane-walk.js';
import { MendedLanes } from './mended-lanes.js';
import { rowsOf } from './rows.js';
import { SeqSet } from './seq-set.js';
import {
  FORMAT_KEY,
  LINKS,
  MIRROR_SIZE_KEY,
  SENT_NOTES,
  type SpaceName,
  soundBody,
  spaceOf,
} from './spaces.js';

/** Numbers of writes that what is lost may have borne: far more than one run gives away unsynced. */
const MARGIN = 2 ** 20;
/** Beyond this many, no known value is taken over. */
const MOST_KEYS_IN_DOUBT = 100_000;
const IN_DOUBT = {
  code: 'GATEWAY_OUTCOME_UNKNOWN',
  message:
    'The store was damaged and has been repaired: nothing can tell whether this write had been executed before',
};

export interface RebuildOptions {
  now: number;
  identity: KeptIdentity;
}

export interface Rebuilt {
  book: Book;
  /** Records that were taken over, by what they are. */
  kept: Inspection['records'];
  /** Entries that turned out to be settled already, and were left behind. */
  settled: number;
  /** Updates of which nothing tells whether they were executed, now in quarantine. */
  inDoubt: number;
}

/**
 * Fills a new store with all that is sound in a damaged one, in one pass. What fits is taken over as it is; lanes that are
 * broken are made anew of their entries in the order of acceptance. What may have been executed is not sent again without a look.
 */
export class Rebuild {
  private readonly filler: Filler;
  private readonly lanes: MendedLanes;
  private readonly kept = emptyCounts();
  /** Entries that were taken over as they are, and those that were taken over in one way or another. */
  private readonly asTheyWere = new SeqSet();
  private readonly taken = new SeqSet();
  private readonly book: Book;
  private readonly inspection: Inspection;
  private settled = 0;
  private inDoubt = 0;
  private readonly keysInDoubt = new Set<string>();
  private readonly quarantine: Quarantine;
  private mirrorBytes = 0;
  private firstEntry: number | undefined;

  constructor(
    private readonly source: Inspected,
    target: Database,
    private readonly options: RebuildOptions,
  ) {
    this.inspection = source.inspection;
    this.filler = new Filler(target);
    this.quarantine = new Quarantine(target, String, new DamageReport(createLogger('silent')));
    this.lanes = new MendedLanes(source.copy, this.filler);
    const { conflictsWon, ended } = this.inspection.book ?? newBook();
    this.book = { ...newBook(), conflictsWon, ended: { ...newBook().ended, ...ended } };
  }

  async run(): Promise<Rebuilt> {
    for await (const rows of rowsOf(this.source.copy)) {
      for (const [key, record] of rows) this.take(key, record);
      await this.filler.flushIfFull();
    }
    const { held, heldWrites, scopeLanes } = this.lanes.finish();
    this.book.held += held;
    this.book.floors += held;
    this.book.heldWrites += heldWrites;
    this.book.scopeLanes += scopeLanes;
    this.filler.put(IDENTITY_KEY, encodeIdentity(this.options.identity));
    this.filler.put(MIRROR_SIZE_KEY, json({ bytes: this.mirrorBytes, clean: true }));
    this.balance();
    this.filler.put(BOOK_KEY, json(this.book));
    await this.filler.finish();
    return { book: this.book, kept: this.kept, settled: this.settled, inDoubt: this.inDoubt };
  }

  private take(key: string, record: Buffer): void {
    const space = spaceOf(key);
    const body = soundBody(key, record, space);
    if (!body) return;
    if (space.name === 'entries') this.takeEntry(key, body);
    else if (this.isWanted(space.name, key, body)) this.keep(space.name, key, body);
  }

  private keep(name: SpaceName, key: string, body: Buffer): void {
    this.filler.put(key, body);
    this.kept[name] += 1;
    if (name === 'quarantined') this.countQuarantined(body);
    if (name === 'floors') this.book.floors += 1;
    if (key.startsWith('mirror/')) this.mirrorBytes += bytesOf(key, body) + RECORD_HEADER_BYTES;
  }

  private takeEntry(key: string, body: Buffer): void {
    const seq = seqIn(ENTRIES, key);
    const { lanes } = this.inspection;
    if (lanes?.settled.has(seq)) {
      this.settled += 1;
      return;
    }
    const entry = decodeEntry(seq, body);
    if (!this.isMended(laneOf(entry))) this.asTheyWere.add(seq);
    else if (!this.isSafeToMeet(entry)) {
      this.setAside(entry);
      return;
    }
    this.taken.add(seq);
    this.firstEntry ??= seq;
    this.kept.entries += 1;
    this.book.entries += 1;
    if (this.asTheyWere.has(seq)) {
      this.filler.put(key, body);
      this.book.bytes += body.length;
    } else {
      this.book.bytes += this.lanes.append(entry);
    }
  }

  /** Where groups may be lost, no lane is what it was when the last of them was written. */
  private isMended(at: string): boolean {
    const { lanes, mayHaveLostGroups } = this.inspection;
    return mayHaveLostGroups || (lanes?.isBroken(at) ?? false);
  }

  /**
   * Whether the gateway will do right by an entry of a lane that is made anew. It takes only the first of a lane for one that
   * may have been sent, and reads back what can be read back; of an update that has to have been noted.
   */
  private isSafeToMeet(entry: Entry): boolean {
    if (!entry.expected) return true;
    const note = this.source.copy.read(sentKey(entry.seq));
    const isNoted = note !== undefined && soundBody(sentKey(entry.seq), note) !== undefined;
    const { mayHaveLostGroups, tellsWhatWasSent } = this.inspection;
    if (!note && !mayHaveLostGroups && tellsWhatWasSent) return true; // it was not sent
    return isNoted && !this.lanes.has(laneOf(entry));
  }

  private setAside(entry: Entry): void {
    const { scope, key } = entry.write;
    this.inDoubt += 1;
    this.book.quarantined.unknown += 1;
    this.filler.add(
      this.quarantine.add(entry, { reason: 'unknown', settledAt: this.options.now, error: IN_DOUBT }),
    );
    if (this.keysInDoubt.size < MOST_KEYS_IN_DOUBT) this.keysInDoubt.add(valueId(scope, key));
  }

  private isWanted(name: SpaceName, key: string, body: Buffer): boolean {
    const { damaged, mayHaveLostGroups } = this.inspection;
    switch (name) {
      case 'book':
      case 'format':
      case 'identity':
        return false;
      case 'links':
        return this.asTheyWere.has(seqIn(LINKS, key));
      case 'sent_notes':
        return this.taken.has(seqIn(SENT_NOTES, key));
      case 'lanes':
        if (!this.isMended(key)) return this.countLane(key, body);
        this.lanes.keepHold(key);
        return false;
      case 'last_of_key':
        return !this.isMended(laneAt(namesIn(LAST_OF_KEY, key).scope, undefined));
      case 'floors': {
        const { scope, key: ownKey } = JSON.parse(body.toString()) as { scope: string; key?: string };
        return !this.isMended(laneAt(scope, ownKey));
      }
      case 'mirror_values': // after an unknown outcome nobody knows
        return this.keysInDoubt.size < MOST_KEYS_IN_DOUBT && !this.keysInDoubt.has(key);
      case 'mirror_lists': // a list makes sense only with all changes since
        return damaged.count === 0 && !mayHaveLostGroups;
      default:
        return key !== MIRROR_SIZE_KEY && key !== FORMAT_KEY;
    }
  }

  private countLane(key: string, body: Buffer): true {
    const { heldBy, count } = decodeLane(body);
    if (heldBy > 0) {
      this.book.held += 1;
      this.book.heldWrites += count;
    }
    if (this.lanes.isOfScope(key)) this.book.scopeLanes += 1;
    return true;
  }

  private countQuarantined(body: Buffer): void {
    const { reason } = JSON.parse(body.toString('utf8', 4, 4 + body.readUInt32BE(0))) as {
      reason: keyof Book['quarantined'];
    };
    this.book.quarantined[reason] = (this.book.quarantined[reason] ?? 0) + 1;
  }

  /** The accounts add up again; what is lost is in none of them. */
  private balance(): void {
    const { book, inspection, firstEntry } = this;
    const said = inspection.book;
    const { mark, counted } = inspection;
    const inMark = 'next' in mark ? mark.next : 0;
    book.next = Math.max(counted.greatest + 1, said?.next ?? 1, inMark, (said?.sentUpTo ?? 0) + 1) + MARGIN;
    book.groups = Math.max(said?.groups ?? 0, mark.kind === 'fits' ? mark.groups : 0);
    book.acknowledged = (firstEntry ?? book.next) - 1;
    // With nothing lost the book still knows what has never left.
    book.sentUpTo = said && !inspection.mayHaveLostGroups ? said.sentUpTo : book.next - 1;
    const states = [book.entries, ...Object.values(book.ended), ...Object.values(book.quarantined)];
    book.accepted = states.reduce((sum, count) => sum + count, 0);
  }
}

const RECORD_HEADER_BYTES = 5;

function json(value: object): Buffer {
  return Buffer.from(JSON.stringify(value));
}
