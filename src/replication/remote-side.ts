import { once } from 'node:events';
import { hasLeft } from '../remote/departed.js';
import type { RemoteLink } from '../remote/link.js';
import type { RemoteTraits, TraitsOfRemote } from '../remote/traits.js';
import type { FenceLink } from './replay/fence.js';

/** What the replication knows of the remote, and of our connections to it. */
export class RemoteSide implements FenceLink {
  private isKnown = false;
  epochs = 0;
  /** What it was like when it was last there: for people, who ask while it is away. */
  lastTraits: RemoteTraits;

  constructor(
    private readonly link: RemoteLink,
    readonly traits: TraitsOfRemote,
    /** Our worker id there in the run before this one. */
    readonly earlierWorkerId: string | undefined,
  ) {
    this.lastTraits = traits.current;
    link.on('open', () => {
      this.epochs += 1;
    });
    link.on('status', ({ state }) => {
      if (state !== 'open') this.isKnown = false;
    });
    traits.on('known', (known) => {
      this.isKnown = true;
      this.lastTraits = known;
    });
    traits.setMaxListeners(0); // every write that is being settled waits for the remote
  }

  get workerId(): string | undefined {
    return this.link.epoch?.workerId;
  }

  get openedAt(): number | undefined {
    const { status } = this.link;
    return status.state === 'open' ? status.since : undefined;
  }

  get fenceable(): boolean {
    return this.traits.current.fenceable;
  }

  /** An engine that passes calls on may execute what it has answered with an error. */
  get answersEndCalls(): boolean {
    const { adapter } = this.traits.current;
    return adapter === 'kv' || adapter === 'redis';
  }

  /** Whether this remote shows a stored null as no value. */
  get nullIsAbsent(): boolean {
    const { adapter, standalone } = this.traits.current;
    return standalone || adapter === 'bridge' || adapter === 'unknown';
  }

  get knowsReceipts(): boolean {
    return this.traits.current.knowsReceipts;
  }

  get comparesAndSets(): boolean {
    return this.traits.current.comparesAndSets;
  }

  hasLeft(workerId: string): Promise<boolean> {
    return hasLeft(this.link, workerId);
  }

  async opened(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    while (!this.isKnown) await once(this.traits, 'known', { signal });
  }
}
