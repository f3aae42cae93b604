import type { View } from '../view.js';
import { type Entry, type LaneRecord, laneAt } from './layout.js';

/**
 * Whose turn it is in a lane, which has at most one unresolved attempt (replication section 1):
 * `free`: nobody's; `online`: a write that is not logged; `logged`: the lane's head in the log, from its sending to
 * its settlement; `next`: the lane's head waits to be sent; `unclear`: a write that was sent, not answered and not kept. Nothing leaves before a fence.
 */
export type Turn = 'free' | 'online' | 'next' | 'logged' | 'unclear';

/** A caller's write that waits in memory behind one that the remote has not answered. */
export interface WaitingWrite {
  arrivedAt: number;
  /** It is its turn. */
  send(patienceMs: number): void;
  /** The one before it was not answered. */
  keep(): void;
}

/**
 * The writes to one key, or to a scope that has one order as a whole, that are not resolved. It is in memory only while
 * something about it is under way.
 */
export interface Lane {
  /** Its name, which is where its record lies. */
  readonly at: string;
  readonly scope: string;
  /** Undefined: it is the lane of the whole scope. */
  readonly key: string | undefined;
  turn: Turn;
  /** Its entries in the log, if there are any. */
  record: LaneRecord | undefined;
  /** What the key holds after the last of them; undefined: not read from the log yet. */
  view: View | undefined;
  /** In the lane of a scope: the last entry of each key that was used lately, and what the key holds after it. */
  lasts: Map<string, LastOfKey> | undefined;
  waiting: WaitingWrite[] | undefined;
  /** Appends on their way to the disk, and the entries that follow others in them. */
  appending: number;
  links: Map<number, number> | undefined;
}

export interface LastOfKey {
  seq: number;
  view: View;
}

/** What lanes need of the log. */
export interface LaneLog {
  laneRecord(at: string): LaneRecord | undefined;
  laneRecordOf(entry: Entry): LaneRecord | undefined;
  /** Lanes of whole scopes in the log. */
  readonly scopeLanes: number;
}

/** Lanes in which nothing is under way, and which are kept at hand all the same: offline, keys are written again. */
const MOST_RESTING = 4096;
/** A larger value is read from the log again when it is needed. */
const LARGE_TEXT = 4096;

/** The lanes that are in memory. */
export class Lanes {
  private readonly active = new Map<string, Lane>();
  /** By the time of their last use. */
  private readonly resting = new Map<string, Lane>();
  private scopeLanesInMemory = 0;

  constructor(
    private readonly log: LaneLog,
    /** Whether the scope has one order as a whole. */
    private readonly isOrdered: (scope: string) => boolean,
  ) {}

  /** The lane of a key; one that is not in memory is read from the log or begun. */
  open(scope: string, key: string): Lane {
    return this.openAt(scope, this.isInScopeLane(scope, key) ? undefined : key);
  }

  /** The lane of an entry that was just read. */
  openOf(entry: Entry): Lane {
    const { scope, key } = entry.write;
    const ownKey = entry.inScopeOrder ? undefined : key;
    return this.inMemory(laneAt(scope, ownKey)) ?? this.begin(scope, ownKey, this.log.laneRecordOf(entry));
  }

  /** The lane with this record; undefined: nothing is left of it. */
  openRecord(scope: string, key: string | undefined): Lane | undefined {
    const at = laneAt(scope, key);
    return this.inMemory(at) ?? (this.log.laneRecord(at) ? this.openAt(scope, key) : undefined);
  }

  /** The lane, if anything is pending or under way in it. */
  find(scope: string, key: string): Lane | undefined {
    return this.openRecord(scope, this.isInScopeLane(scope, key) ? undefined : key);
  }

  /** Whether a write to the key, or to the scope whose order it shares, is under way or in the log. */
  isBusy(scope: string, key: string): boolean {
    const at = laneAt(scope, this.isInScopeLane(scope, key) ? undefined : key);
    const lane = this.active.get(at) ?? this.resting.get(at);
    return lane ? lane.turn !== 'free' || lane.record !== undefined : this.log.laneRecord(at) !== undefined;
  }

  /** Those in which something is under way. */
  underWay(): Iterable<Lane> {
    return this.active.values();
  }

  /** Lets go of a lane in which nothing is under way: whatever it holds is on the disk. */
  release(lane: Lane): void {
    if (lane.turn !== 'free' || lane.appending > 0 || lane.waiting?.length) return;
    if (this.active.get(lane.at) !== lane) return; // it was let go before, and begun anew since
    this.activeNoMore(lane);
    if (lane.record) this.rest(lane);
  }

  /** Forgets what memory has of a lane, after the disk refused it. */
  discard(lane: Lane): void {
    lane.record = this.log.laneRecord(lane.at);
    lane.view = undefined;
    lane.lasts = undefined;
    if (lane.turn !== 'free') return; // what was sent is still on its way, and nothing may pass it
    this.activeNoMore(lane);
    this.resting.delete(lane.at);
  }

  private rest(lane: Lane): void {
    if (lane.view?.kind === 'value' && lane.view.text.length > LARGE_TEXT) lane.view = undefined;
    lane.lasts = undefined;
    this.resting.set(lane.at, lane);
    if (this.resting.size <= MOST_RESTING) return;
    const [longest] = this.resting.keys();
    if (longest !== undefined) this.resting.delete(longest);
  }

  /**
   * A scope's own lane counts for all its keys, but those whose entries are of a time before the option was set; and for
   * those of a time when it was.
   */
  private isInScopeLane(scope: string, key: string): boolean {
    if (this.isOrdered(scope)) {
      const own = laneAt(scope, key);
      return !this.active.has(own) && this.log.laneRecord(own) === undefined;
    }
    if (this.log.scopeLanes === 0 && this.scopeLanesInMemory === 0) return false;
    const whole = laneAt(scope, undefined);
    return this.active.has(whole) || this.log.laneRecord(whole) !== undefined;
  }

  private openAt(scope: string, key: string | undefined): Lane {
    const at = laneAt(scope, key);
    return this.inMemory(at) ?? this.begin(scope, key, this.log.laneRecord(at));
  }

  private inMemory(at: string): Lane | undefined {
    const active = this.active.get(at);
    if (active) return active;
    const lane = this.resting.get(at);
    if (!lane) return undefined;
    this.resting.delete(at);
    this.activate(lane);
    return lane;
  }

  private begin(scope: string, key: string | undefined, record: LaneRecord | undefined): Lane {
    const lane: Lane = {
      at: laneAt(scope, key),
      scope,
      key,
      turn: 'free',
      record,
      view: undefined,
      lasts: undefined,
      waiting: undefined,
      appending: 0,
      links: undefined,
    };
    this.activate(lane);
    return lane;
  }

  private activate(lane: Lane): void {
    this.active.set(lane.at, lane);
    if (lane.key === undefined) this.scopeLanesInMemory += 1;
  }

  private activeNoMore(lane: Lane): void {
    if (this.active.delete(lane.at) && lane.key === undefined) this.scopeLanesInMemory -= 1;
  }
}
