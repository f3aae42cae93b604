import { scopedKey } from '../../storage/scoped-keys.js';
import type { View } from '../view.js';
import type { Entry, LaneRecord } from './layout.js';

/**
 * Whose turn it is in a lane, which has at most one unresolved attempt (replication section 1):
 * `free`: nobody's; `online`: a write that is not logged; `logged`: the lane's head in the log, from its sending to
 * its settlement; `unclear`: a write that was sent, not answered and not kept. Nothing leaves before a fence.
 */
export type Turn = 'free' | 'online' | 'logged' | 'unclear';

/** A caller's write that waits in memory behind one that the remote has not answered. */
export interface WaitingWrite {
  arrivedAt: number;
  /** It is its turn. */
  send(patienceMs: number): void;
  /** The one before it was not answered. */
  keep(): void;
}

/** The writes to one key that are not resolved. It is in memory only while something about it is under way. */
export interface Lane {
  readonly id: string;
  readonly scope: string;
  readonly key: string;
  turn: Turn;
  /** Its entries in the log, if there are any. */
  record: LaneRecord | undefined;
  /** What the key holds after the last of them; undefined: not read from the log yet. */
  view: View | undefined;
  waiting: WaitingWrite[] | undefined;
  /** Appends on their way to the disk, and the entries that follow others in them. */
  appending: number;
  links: Map<number, number> | undefined;
}

/** Lanes in which nothing is under way, and which are kept at hand all the same: offline, keys are written again. */
const MOST_RESTING = 4096;
/** A larger value is read from the log again when it is needed. */
const LARGE_TEXT = 4096;

/** The lanes that are in memory, by key. */
export class Lanes {
  private readonly active = new Map<string, Lane>();
  /** By the time of their last use. */
  private readonly resting = new Map<string, Lane>();

  constructor(
    private readonly recordOf: (scope: string, key: string) => LaneRecord | undefined,
    private readonly recordOfEntry: (entry: Entry) => LaneRecord | undefined,
  ) {}

  /** The lane of a key; one that is not in memory is read from the log or begun. */
  open(scope: string, key: string): Lane {
    const id = scopedKey('', scope, key);
    return this.active.get(id) ?? this.wake(id) ?? this.begin(id, scope, key, this.recordOf(scope, key));
  }

  /** The lane of an entry that was just read. */
  openOf(entry: Entry): Lane {
    const { scope, key } = entry.write;
    const id = scopedKey('', scope, key);
    return this.active.get(id) ?? this.wake(id) ?? this.begin(id, scope, key, this.recordOfEntry(entry));
  }

  /** The lane, if anything is pending or under way in it. */
  find(scope: string, key: string): Lane | undefined {
    const id = scopedKey('', scope, key);
    const lane = this.active.get(id) ?? this.wake(id);
    return lane ?? (this.recordOf(scope, key) ? this.open(scope, key) : undefined);
  }

  /** Whether a write to the key is under way or in the log. */
  isBusy(scope: string, key: string): boolean {
    const id = scopedKey('', scope, key);
    const lane = this.active.get(id) ?? this.resting.get(id);
    return lane ? lane.turn !== 'free' || lane.record !== undefined : this.recordOf(scope, key) !== undefined;
  }

  /** Those in which something is under way. */
  underWay(): Iterable<Lane> {
    return this.active.values();
  }

  /** Lets go of a lane in which nothing is under way: whatever it holds is on the disk. */
  release(lane: Lane): void {
    if (lane.turn !== 'free' || lane.appending > 0 || lane.waiting?.length) return;
    if (this.active.get(lane.id) !== lane) return; // it was let go before, and begun anew since
    this.active.delete(lane.id);
    if (lane.record) this.rest(lane);
  }

  /** Forgets what memory has of a lane, after the disk refused it. */
  discard(lane: Lane): void {
    lane.record = this.recordOf(lane.scope, lane.key);
    lane.view = undefined;
    if (lane.turn !== 'free') return; // what was sent is still on its way, and nothing may pass it
    this.active.delete(lane.id);
    this.resting.delete(lane.id);
  }

  private rest(lane: Lane): void {
    if (lane.view?.kind === 'value' && lane.view.text.length > LARGE_TEXT) lane.view = undefined;
    this.resting.set(lane.id, lane);
    if (this.resting.size <= MOST_RESTING) return;
    const [longest] = this.resting.keys();
    if (longest !== undefined) this.resting.delete(longest);
  }

  private wake(id: string): Lane | undefined {
    const lane = this.resting.get(id);
    if (!lane) return undefined;
    this.resting.delete(id);
    this.active.set(id, lane);
    return lane;
  }

  private begin(id: string, scope: string, key: string, record: LaneRecord | undefined): Lane {
    const lane: Lane = {
      id,
      scope,
      key,
      turn: 'free',
      record,
      view: undefined,
      waiting: undefined,
      appending: 0,
      links: undefined,
    };
    this.active.set(id, lane);
    return lane;
  }
}
