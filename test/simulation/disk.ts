import { MemoryLevel } from 'memory-level';
import { Database, type Store } from '../../src/storage/database.js';
import { silentLogger } from '../support/silent-logger.js';
import type { Random } from './random.js';
import type { Timeline } from './timeline.js';

/** One change of a group, as the store under `abstract-level` is given it. */
interface Change {
  type: 'put' | 'del';
  key: Buffer;
  value?: Buffer;
}

interface Group {
  changes: readonly Change[];
  isWritten: boolean;
}

/** `killed`: the process ended; `power-cut`: the machine did, and what was not synced may be gone. */
export type Crash = 'killed' | 'power-cut';

/** The methods under the documented ones, which do the work. */
interface Inner {
  _batch(changes: readonly Change[], options: { sync?: boolean }): Promise<void>;
}

/** What a gateway's data folder lies on: it outlives the gateway, and keeps of a crash what a disk would. */
export class SimulatedDisk {
  /** What survives everything, by the key's bytes as latin1. */
  private readonly durable = new Map<string, Buffer>();
  /** Written, or on the way to it, in order, and not synced yet. */
  private unsynced: Group[] = [];
  /** Up to how many ms a write takes. */
  slowness = 2;
  /** The next write fails; what it was to write may be there after a restart all the same. */
  failsNext = false;
  /** Is told of every group that was written. */
  written: () => void = () => undefined;

  constructor(
    private readonly timeline: Timeline,
    private readonly random: Random,
  ) {}

  /** The store as the next run of the gateway finds it. */
  async open(isAlive: () => boolean): Promise<Database> {
    const store = new SimulatedStore(this, isAlive);
    await store.fill([...this.durable].map(([key, value]) => put(key, value)));
    return databaseOver(store);
  }

  /** The gateway or its machine has ended in the midst of whatever it did. */
  crash(how: Crash): void {
    const { length } = this.unsynced;
    // What was written survives the process; a group that was on its way may have come that far.
    const least = how === 'killed' ? this.unsynced.filter(({ isWritten }) => isWritten).length : 0;
    for (const group of this.unsynced.slice(0, this.random.between(least, length))) this.keep(group);
    this.unsynced = [];
  }

  /** Brings a group to the disk; `show` makes it readable. */
  write(
    changes: readonly Change[],
    isSynced: boolean,
    isAlive: () => boolean,
    show: () => Promise<void>,
  ): Promise<void> {
    const group: Group = { changes, isWritten: false };
    this.unsynced.push(group);
    const fails = this.failsNext;
    this.failsNext = false;
    return new Promise((resolve, reject) => {
      this.timeline.after(this.random.between(0, this.slowness), () => {
        if (!isAlive()) return;
        if (fails) return reject(new Error('simulated: the disk failed'));
        group.isWritten = true;
        if (isSynced) this.sync();
        show().then(resolve, reject);
        this.written();
      });
    });
  }

  private sync(): void {
    for (const group of this.unsynced) this.keep(group);
    this.unsynced = [];
  }

  private keep({ changes }: Group): void {
    for (const { type, key, value } of changes) {
      if (type === 'put') this.durable.set(key.toString('latin1'), value as Buffer);
      else this.durable.delete(key.toString('latin1'));
    }
  }
}

/** A store of one run of the gateway, on the disk. */
class SimulatedStore extends MemoryLevel<string, Buffer> {
  private readonly show: Inner['_batch'];

  constructor(disk: SimulatedDisk, isAlive: () => boolean) {
    super({ keyEncoding: 'utf8', valueEncoding: 'buffer' });
    const inner = this as unknown as Inner;
    this.show = inner._batch.bind(this);
    inner._batch = (changes, options) =>
      disk.write(changes, options.sync === true, isAlive, () => this.show(changes, options));
  }

  fill(changes: readonly Change[]): Promise<void> {
    return this.show(changes, {});
  }
}

function put(key: string, value: Buffer): Change {
  return { type: 'put', key: Buffer.from(key, 'latin1'), value };
}

function databaseOver(store: SimulatedStore): Database {
  return Object.assign(new Database('simulated', silentLogger()), { store: store as unknown as Store });
}
