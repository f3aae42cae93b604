import { Payload } from '../../protocol/payload.js';
import type { RemoteCall } from '../../remote/calls.js';
import type { GroupCommit } from '../../storage/group-commit.js';
import type { Clock } from '../clock.js';
import { laneAt } from '../log/layout.js';
import type { RemoteCaller } from '../remote-caller.js';
import type { ScopeRule } from '../scope-rules.js';
import { ABSENT, type Known } from '../view.js';
import type { Passed } from '../write.js';
import type { Place, Retained } from './layout.js';
import type { RetainedStore } from './store.js';
import { type RetainedVerdict, verdictOf } from './verdict.js';

export interface VerificationOptions {
  patienceMs: number;
  /** Reads in a second. */
  ratePerS: number;
  ruleOf(scope: string): RetainRule;
  /** Whether the key has writes of ours under way. */
  isBusy(scope: string, key: string): boolean;
  nullIsAbsent(): boolean;
  callOf(functionId: string, call: Passed): RemoteCall;
}

export type RetainRule = Pick<ScopeRule, 'retain' | 'retainMs' | 'singleWriter'>;

/** `retain_ms` of a scope that does not say. */

/** One connection's verification. */
export interface Run {
  epoch: string;
  /** When the connection before ended; undefined: before this gateway started. */
  awaySince: number | undefined;
  /** Aborted when the connection ends. */
  signal: AbortSignal;
}

/** A retained write whose key is known to have held something after it. */
export type Watched = Retained & { after: Known };

/** What a key was to hold, and what it holds. */
export interface Finding {
  place: Place;
  retained: Watched;
  found: Known;
  verdict: RetainedVerdict;
}

const KEYS_AT_A_TIME = 32;
/** Before a read without an answer is made again, and a key that was busy is looked at again. */
const AGAIN_MS = 1000;
/** How often the remote may answer a read with an error before the key is left alone. */
const MOST_ERRORS = 3;
/** Busy keys that are looked at again, and how often. */
const MOST_BUSY = 1000;
const MOST_ROUNDS = 30;

/** Reads the keys of retained writes on a new connection, and judges what they hold. */
export class Verification {
  /** The keys in hand, and whether another write to them was confirmed since they were taken. */
  private readonly inHand = new Map<string, boolean>();
  private busy: Place[] = [];

  constructor(
    private readonly store: RetainedStore,
    private readonly commits: Pick<GroupCommit, 'commitLater'>,
    private readonly caller: RemoteCaller,
    private readonly options: VerificationOptions,
    private readonly clock: Pick<Clock, 'wait'>,
    /** Told at once, while nothing else of ours is under way to the key. */
    private readonly tell: (finding: Finding) => Promise<void>,
  ) {}

  /** A write to the key was confirmed. */
  confirmed({ scope, key }: Place): void {
    if (this.inHand.size === 0) return;
    const name = laneAt(scope, key);
    if (this.inHand.has(name)) this.inHand.set(name, true);
  }

  /**
   * Looks at all that was confirmed on earlier connections; one run at a time. It ends when its connection does.
   * @throws GatewayError `GATEWAY_STORAGE`.
   */
  async run(run: Run): Promise<void> {
    const { signal } = run;
    this.busy = [];
    await this.commits.commitLater([]); // what was confirmed last can be read, too
    for await (const places of this.store.places(KEYS_AT_A_TIME)) {
      await this.lookAt(places, run);
      if (signal.aborted) return;
    }
    for (let round = 0; this.busy.length > 0 && round < MOST_ROUNDS; round += 1) {
      await this.pause(AGAIN_MS, signal);
      const again = this.busy;
      this.busy = [];
      for (let at = 0; at < again.length && !signal.aborted; at += KEYS_AT_A_TIME) {
        await this.lookAt(again.slice(at, at + KEYS_AT_A_TIME), run);
      }
    }
  }

  /** Takes as long as the rate wants. */
  private async lookAt(places: Place[], run: Run): Promise<void> {
    const due = places.filter((place) => this.dueAt(place, run) !== undefined);
    if (due.length === 0) return;
    const pause = this.pause((due.length * 1000) / this.options.ratePerS, run.signal);
    for (const { scope, key } of due) this.inHand.set(laneAt(scope, key), false);
    try {
      await this.commits.commitLater([]); // what was confirmed up to now can be read from here on
      await Promise.all(due.map((place) => this.judge(place, run)));
    } finally {
      this.inHand.clear();
    }
    await pause;
  }

  /** The write of a key that is to be verified. */
  private dueAt(place: Place, { epoch, awaySince }: Run): Watched | undefined {
    const { retain, retainMs } = this.options.ruleOf(place.scope);
    const newest = retain === 'off' ? undefined : this.store.newest(place);
    if (!newest || newest.epoch === epoch || !isWatched(newest)) return undefined;
    return awaySince === undefined || newest.at + retainMs >= awaySince ? newest : undefined;
  }

  private async judge(place: Place, run: Run): Promise<void> {
    const retained = this.dueAt(place, run);
    if (!retained) return;
    if (this.isTaken(place)) return this.lookAgain(place);
    const found = await this.read(place, run.signal);
    if (!found || run.signal.aborted) return; // the next connection's run begins anew
    if (this.isTaken(place)) return this.lookAgain(place);
    const verdict = verdictOf({
      found,
      after: retained.after,
      wasHeld: this.store.wasHeld(place, found),
      soleWriter: this.options.ruleOf(place.scope).singleWriter,
      nullIsAbsent: this.options.nullIsAbsent(),
    });
    await this.tell({ place, retained, found, verdict });
  }

  private isTaken({ scope, key }: Place): boolean {
    return this.inHand.get(laneAt(scope, key)) === true || this.options.isBusy(scope, key);
  }

  private lookAgain(place: Place): void {
    if (this.busy.length < MOST_BUSY) this.busy.push(place);
  }

  /** What the key holds; undefined: the remote will not tell. */
  private async read({ scope, key }: Place, signal: AbortSignal): Promise<Known | undefined> {
    const call = this.options.callOf('state::get', { payload: Payload.of({ scope, key }) });
    for (let errors = 0; errors < MOST_ERRORS && !signal.aborted; ) {
      const answer = await this.caller.call(call, this.options.patienceMs).catch(() => undefined);
      if (answer && !answer.error) {
        return answer.result ? { kind: 'value', text: answer.result.text } : ABSENT;
      }
      if (answer) errors += 1;
      await this.pause(AGAIN_MS, signal);
    }
    return undefined;
  }

  /** Shorter when the connection ends. */
  private pause(ms: number, signal: AbortSignal): Promise<void> {
    return this.clock.wait(ms, signal).catch(() => undefined);
  }
}

function isWatched(retained: Retained): retained is Watched {
  return retained.after.kind !== 'unknown';
}
