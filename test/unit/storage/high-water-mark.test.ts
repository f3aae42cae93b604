import { readFile, truncate, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isSameFile } from '../../../src/storage/file-identity.js';
import { findMark, HighWaterMark, makeMark, markIn } from '../../../src/storage/high-water-mark.js';
import { newestSlot, offsetOf } from '../../../src/storage/mark-slots.js';
import { ManualSchedule } from '../../support/manual-schedule.js';
import { type TempDir, tempDir } from '../../support/temp-dir.js';

let temp: TempDir;
let failures: unknown[];
let timers: ManualSchedule;

beforeEach(async () => {
  temp = await tempDir();
  failures = [];
  timers = new ManualSchedule();
});
afterEach(() => temp.remove());

async function open(): Promise<HighWaterMark> {
  const slot = await makeMark(temp.path, { incarnation: 'i', groups: 0, next: 1 });
  return HighWaterMark.open(temp.path, slot, {
    failed: (cause) => failures.push(cause),
    schedule: timers.schedule,
  });
}

const kept = async () => {
  const found = await findMark(temp.path);
  return found.kind === 'mark' ? found.slot.mark.groups : found.kind;
};

describe('the high-water mark', () => {
  it('is in the file at once, and only rises', async () => {
    const mark = await open();
    expect(await kept()).toBe(0);
    mark.raise(3, 7);
    mark.raise(2, 6);
    expect(await kept()).toBe(3);
    expect(newestSlot(await readFile(markIn(temp.path)))?.mark.next).toBe(7);
    await mark.close(true);
    mark.raise(4, 8);
    expect(await kept()).toBe(3);
    expect(failures).toEqual([]);
  });

  it('is clean only from a good end to the next start', async () => {
    const isClean = async () => newestSlot(await readFile(markIn(temp.path)))?.mark.isClean;
    const mark = await open();
    expect(await isClean()).toBe(false);
    await mark.close(false);
    expect(await isClean()).toBe(false);
    await (await open()).close(true);
    expect(await isClean()).toBe(true);
  });

  it('tells how many groups are missing', async () => {
    const mark = await open();
    mark.raise(3, 7);
    mark.check(3);
    mark.check(4);
    expect(() => mark.check(2)).toThrow(
      expect.objectContaining({ code: 'GATEWAY_STORAGE', message: expect.stringContaining('1 group of') }),
    );
    await mark.close(true);
  });

  it('keeps the one before where a write was cut short, and is damaged where both are', async () => {
    const mark = await open();
    mark.raise(1, 2);
    mark.raise(2, 3);
    await mark.close(false);
    const bytes = await readFile(markIn(temp.path));
    const { turn } = newestSlot(bytes) ?? expect.fail('no slot');
    for (const [cut, left] of [
      [turn, 1],
      [turn - 1, 'damaged'],
    ] as const) {
      bytes.writeUInt8((bytes[offsetOf(cut) + 20] ?? 0) ^ 1, offsetOf(cut) + 20);
      await writeFile(markIn(temp.path), bytes);
      expect(await kept()).toBe(left);
    }
    await truncate(markIn(temp.path));
    expect(await kept()).toBe('damaged');
  });

  it('goes to the disk on a cadence, not with every raise', async () => {
    const mark = await open();
    mark.raise(1, 2);
    mark.raise(2, 3);
    expect(timers.pending).toEqual([1000]);
    timers.fire();
    mark.raise(3, 4);
    expect(timers.pending).toHaveLength(1);
    await mark.close(true);
    expect(timers.pending).toEqual([]);
  });

  it('is another file than its copy, and the same one after it was opened again', async () => {
    await (await open()).close(true);
    const found = await findMark(temp.path);
    if (found.kind !== 'mark') return expect.fail(found.kind);
    expect(isSameFile(found.slot.mark.file, found.file)).toBe(true);
    const bytes = await readFile(markIn(temp.path));
    const copy = await tempDir();
    await writeFile(markIn(copy.path), bytes);
    const other = await findMark(copy.path);
    await copy.remove();
    if (other.kind !== 'mark') return expect.fail(other.kind);
    expect(isSameFile(other.slot.mark.file, other.file)).toBe(false);
  });

  it('does without what a file system does not tell', () => {
    expect(isSameFile({ inode: '1' }, { born: '5' })).toBe(true);
    expect(isSameFile({ inode: '1', born: '5' }, { inode: '1' })).toBe(true);
    expect(isSameFile({ inode: '1', born: '5' }, { inode: '1', born: '6' })).toBe(false);
  });
});
