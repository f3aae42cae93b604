import { isObject, member } from '../../protocol/json.js';
import type { StateChange } from '../../protocol/state-event.js';
import type { WriteOp } from '../../storage/group-commit.js';
import type { KnownValues } from '../replay/endings.js';
import { sameKnown } from '../replay/settlement.js';
import { ABSENT, type Known, knownValue, UNKNOWN, type View } from '../view.js';
import type { Freshness } from './freshness.js';
import type { Mirror } from './mirror.js';

export interface WitnessOptions {
  now: () => number;
  /** Whether a key has own writes that the remote has not confirmed: then what is known of it stays. */
  isBusy: (scope: string, key: string) => boolean;
  /** Whether this remote shows a stored null as no value. */
  nullIsAbsent: () => boolean;
}

/** Sees what we write and what the remote tells, and keeps the mirror, whole scopes and freshness in step with it. */
export class Witness implements KnownValues {
  /** The connection that is open; what is learnt is of its time. */
  epoch: string | undefined;

  constructor(
    readonly mirror: Mirror,
    readonly freshness: Freshness,
    private readonly options: WitnessOptions,
  ) {}

  /** What the remote held when we last knew. */
  knownOf = (scope: string, key: string): View => this.mirror.get(scope, key)?.known ?? UNKNOWN;

  /** The same where the key is only passed by. */
  peek(scope: string, key: string): View {
    return this.mirror.peek(scope, key) ?? UNKNOWN;
  }

  learn(scope: string, key: string, known: Known): void {
    this.mirror.learn(scope, key, known, this.epoch);
  }

  learnIn(batch: WriteOp[], scope: string, key: string, known: Known): void {
    this.mirror.learnIn(batch, scope, key, known, this.epoch);
  }

  /** Nobody knows what the key holds now, nor what its scope holds. */
  forget(scope: string, key: string): void {
    this.mirror.forget(scope, key);
    this.mirror.scopes.drop(scope);
  }

  forgetIn(batch: WriteOp[], scope: string, key: string): void {
    this.mirror.forgetIn(batch, scope, key);
    this.mirror.scopes.drop(scope);
  }

  /** A write to the key goes out. */
  writeStarted(scope: string, key: string): void {
    this.mirror.scopes.writeStarted(scope);
    this.freshness.ownWrite(scope, key, this.options.now());
  }

  /** It was answered, or can do nothing any more. */
  writeEnded(scope: string, key: string): void {
    this.mirror.scopes.writeEnded(scope);
    this.freshness.ownWrite(scope, key, this.options.now());
  }

  /** Whether somebody needs to know what a key held before a write. */
  wantsBefore(scope: string): boolean {
    return this.mirror.scopes.hasSnapshot(scope);
  }

  /** A write of ours changed a key. */
  changed(scope: string, before: View, after: Known): void {
    this.mirror.scopes.changed(scope, before.kind === 'unknown' ? undefined : before, after);
  }

  /** An event of the remote. */
  told(change: StateChange): void {
    const { scope, key } = change;
    const seen = changeIn(change);
    const now = this.options.now();
    if (!seen || this.options.isBusy(scope, key)) {
      this.mirror.scopes.drop(scope);
      this.freshness.eventArrived(scope, key, false, now);
      return;
    }
    const known = this.knownOf(scope, key);
    const { before, after } = seen;
    // In an event null also stands for no value.
    const chains = known.kind !== 'unknown' && sameKnown(known, before, true);
    if (chains) {
      this.learn(scope, key, after);
      this.mirror.scopes.changedElsewhere(scope, known, after);
    } else if (known.kind === 'unknown' || !sameKnown(known, after, this.options.nullIsAbsent())) {
      this.mirror.forget(scope, key);
      this.mirror.scopes.drop(scope);
    }
    this.freshness.eventArrived(scope, key, chains, now);
  }
}

function changeIn({ document }: StateChange): { before: Known; after: Known } | undefined {
  const event = document.value;
  if (!isObject(event)) return undefined;
  const isDeleted = member(event, 'event_type') === 'state:deleted';
  return {
    before: knownValue(member(event, 'old_value') ?? null),
    after: isDeleted ? ABSENT : knownValue(member(event, 'new_value') ?? null),
  };
}
