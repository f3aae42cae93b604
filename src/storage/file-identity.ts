import { stat, statfs } from 'node:fs/promises';
import { dirname, parse, resolve } from 'node:path';

/** What tells a file from a copy of it. A member is missing where the file system does not keep it. */
export interface FileIdentity {
  inode?: string;
  /** When the file was made, in ns. */
  born?: string;
}

/** FUSE, CIFS and SMB2 may give a file another inode number each time they are mounted. */
const WITHOUT_LASTING_INODES = [0x65735546, 0xff534d42, 0xfe534d42];

export async function identityOf(path: string): Promise<FileIdentity> {
  const [{ ino, birthtimeNs }, { type }, hasBirthTimes] = await Promise.all([
    stat(path, { bigint: true }),
    statfs(dirname(path)),
    tellsBirthTimes(path),
  ]);
  const identity: FileIdentity = {};
  if (!WITHOUT_LASTING_INODES.includes(type)) identity.inode = String(ino);
  if (hasBirthTimes && birthtimeNs > 0n) identity.born = String(birthtimeNs);
  return identity;
}

/** Whether it may be one and the same file, by all that is known of both. */
export function isSameFile(one: FileIdentity, other: FileIdentity): boolean {
  return fits(one.inode, other.inode) && fits(one.born, other.born);
}

function fits(one: string | undefined, other: string | undefined): boolean {
  return one === undefined || other === undefined || one === other;
}

/** A kernel that does not tell them makes Node give the time of the last change instead, which the root shows. */
async function tellsBirthTimes(path: string): Promise<boolean> {
  const { birthtimeNs, ctimeNs } = await stat(parse(resolve(path)).root, { bigint: true });
  return birthtimeNs !== ctimeNs;
}
