import { writeSync } from 'node:fs';
import { type FileHandle, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type FileIdentity, identityOf } from './file-identity.js';
import { syncFolder } from './folder.js';
import { afterMs, type Schedule } from './group-commit.js';
import { encodeSlot, MARK_BYTES, type Mark, newestSlot, offsetOf, type Slot } from './mark-slots.js';
import { cutOff } from './mark-verdict.js';

/** What lies where the mark of a data folder should be. */
export type FoundMark =
  | { kind: 'missing' }
  | { kind: 'damaged' }
  /** `file`: what it lies in now. */
  | { kind: 'mark'; slot: Slot; file: FileIdentity };

const SYNC_MS = 1000;

export const markIn = (dataDir: string): string => join(dataDir, 'high-water-mark');

export async function findMark(dataDir: string): Promise<FoundMark> {
  const path = markIn(dataDir);
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (!bytes) return { kind: 'missing' };
  const slot = newestSlot(bytes);
  return slot ? { kind: 'mark', slot, file: await identityOf(path) } : { kind: 'damaged' };
}

/** Makes the mark of a store, in the place of an earlier one. It is there as a whole and on the disk, or not at all. */
export async function makeMark(dataDir: string, said: Omit<Mark, 'file' | 'isClean'>): Promise<Slot> {
  const draft = `${markIn(dataDir)}.new`;
  await rm(draft, { force: true });
  const handle = await open(draft, 'wx');
  try {
    const slot = { turn: 0, mark: { ...said, isClean: false, file: await identityOf(draft) } };
    await handle.write(Buffer.alloc(MARK_BYTES), 0, MARK_BYTES, 0); // what is written later takes no more room
    await handle.write(encodeSlot(slot), 0, null, offsetOf(slot.turn));
    await handle.sync();
    await rename(draft, markIn(dataDir));
    await syncFolder(dataDir);
    return slot;
  } finally {
    await handle.close();
  }
}

export interface MarkKeeping {
  /** The mark could not be written: it would soon say less than it should. */
  failed(cause: unknown): void;
  /** Handed in by tests. */
  schedule?: Schedule;
}

/**
 * Says outside the store how much of the log was on the disk, so that a store whose end is cut off is not taken for a
 * short one. It may lag behind, by what came in the last second before a power cut; it is never ahead.
 */
export class HighWaterMark {
  private callOffSync: (() => void) | undefined;
  private syncing: Promise<void> = Promise.resolve();
  private isClosed = false;

  private constructor(
    private readonly dataDir: string,
    private readonly handle: FileHandle,
    private slot: Slot,
    private readonly keeping: MarkKeeping,
  ) {}

  /** Opens it for a store that is open: from now on until it is closed, it is not clean. */
  static async open(dataDir: string, slot: Slot, keeping: MarkKeeping): Promise<HighWaterMark> {
    const mark = new HighWaterMark(dataDir, await open(markIn(dataDir), 'r+'), slot, keeping);
    mark.write({ isClean: false });
    await mark.handle.datasync();
    return mark;
  }

  /** @throws GatewayError `GATEWAY_STORAGE`: the store holds fewer groups of the log than were on the disk. */
  check(groups: number): void {
    const { mark } = this.slot;
    if (groups < mark.groups) throw cutOff(this.dataDir, mark.groups - groups);
  }

  /** So many groups are on the disk; it costs microseconds, and is on the disk itself a second later. */
  raise(groups: number, next: number): void {
    if (this.isClosed || groups <= this.slot.mark.groups) return;
    try {
      this.write({ groups, next });
    } catch (error) {
      this.keeping.failed(error);
      return;
    }
    this.callOffSync ??= (this.keeping.schedule ?? afterMs)(() => this.sync(), SYNC_MS);
  }

  /** @param isClean all that was written to the store is there */
  async close(isClean: boolean): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    try {
      if (isClean) this.write({ isClean });
      this.sync();
      await this.syncing;
    } finally {
      await this.handle.close();
    }
  }

  private write(said: Partial<Mark>): void {
    this.slot = { turn: this.slot.turn + 1, mark: { ...this.slot.mark, ...said } };
    writeSync(this.handle.fd, encodeSlot(this.slot), 0, null, offsetOf(this.slot.turn));
  }

  private sync(): void {
    this.callOffSync?.();
    this.callOffSync = undefined;
    this.syncing = this.syncing
      .then(() => this.handle.datasync())
      .catch((error: unknown) => this.keeping.failed(error));
  }
}
