import { statfs } from 'node:fs/promises';

/** Free bytes of the disk under a folder: looked up every now and then, so that no write waits for it. */
export class FreeSpace {
  private bytes = Number.POSITIVE_INFINITY;

  constructor(private readonly folder: string) {}

  /** The figure of the last look. */
  get free(): number {
    return this.bytes;
  }

  async look(): Promise<void> {
    const disk = await statfs(this.folder).catch(() => undefined); // no figure is no reason to refuse
    if (disk) this.bytes = disk.bavail * disk.bsize;
  }
}
