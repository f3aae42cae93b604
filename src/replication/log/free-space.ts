import { statfs } from 'node:fs/promises';

/** How old the figure may be that a decision is based on. */
const FRESH_MS = 1000;

/** Free bytes of the disk under a folder, looked up in the background so that no write waits for it. */
export class FreeSpace {
  private bytes = Number.POSITIVE_INFINITY;
  private askedAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly folder: string,
    private readonly now: () => number,
  ) {}

  /** Looks once, so that the first decision has a figure. */
  async start(): Promise<void> {
    await this.look();
  }

  /** The last figure; an old one is renewed for the next call. */
  get free(): number {
    if (this.now() - this.askedAt > FRESH_MS) void this.look();
    return this.bytes;
  }

  private async look(): Promise<void> {
    this.askedAt = this.now();
    const disk = await statfs(this.folder).catch(() => undefined); // no figure is no reason to refuse
    if (disk) this.bytes = disk.bavail * disk.bsize;
  }
}
