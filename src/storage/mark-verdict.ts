/** What the mark of a data folder and its store say of each other. */
import { GatewayError } from '../errors.js';
import { isSameFile } from './file-identity.js';
import type { FoundMark } from './high-water-mark.js';
import type { KeptIdentity } from './identity.js';

/** `fits`: they belong together. `begin`: no store was marked yet. `join`: the store is to be told of its mark. */
export type MarkVerdict = 'fits' | 'begin' | 'join';

/**
 * What can be told before the store is opened.
 * @throws GatewayError `GATEWAY_STORAGE`: the folder is a copy, or its store is gone.
 */
export function refuseWithoutStore(dataDir: string, found: FoundMark, isStoreThere: boolean): void {
  if (found.kind !== 'mark') return;
  const { mark } = found.slot;
  if (!isSameFile(mark.file, found.file)) throw copied(dataDir);
  if (!isStoreThere) throw gone(dataDir, mark.groups);
}

/**
 * Whether the store is the marked one. Before a store is told of its mark, nothing is accepted into it; so a mark that
 * counts no group may meet one that does not know it yet.
 * @param kept the identity in the store; undefined: there is none
 * @throws GatewayError `GATEWAY_STORAGE`: it is another store, or the mark of this one is lost.
 */
export function verdictOn(dataDir: string, found: FoundMark, kept: KeptIdentity | undefined): MarkVerdict {
  if (found.kind !== 'mark') {
    if (kept?.incarnation === undefined) return 'begin';
    throw unmarked(dataDir, found.kind);
  }
  const { mark } = found.slot;
  if (kept?.incarnation === mark.incarnation) return 'fits';
  if (kept && kept.incarnation === undefined && mark.groups === 0) return 'join';
  throw swapped(dataDir);
}

/** `lost`: groups of the log. */
export function cutOff(dataDir: string, lost: number): GatewayError {
  return refusal(
    `The end of the log in the data folder ${dataDir} is missing: at least ${lost} ${lost === 1 ? 'group' : 'groups'} of writes that had been on the disk ${lost === 1 ? 'is' : 'are'} not in the store (a file was cut or deleted, or an older copy of the store was put there). ` +
      `\`${repairOf(dataDir)}\` salvages what is there and tells what is missing`,
  );
}

export const repairOf = (dataDir: string): string => `iii-state-gateway store repair --data-dir ${dataDir}`;

function copied(dataDir: string): GatewayError {
  return refusal(
    `The data folder ${dataDir} is a copy, or was brought back from one: two gateways with one identity would answer for each other's writes, and an old copy would send writes again. ` +
      `Start on an empty folder, or take this one over as a new gateway with \`${repairOf(dataDir)} --adopt\``,
  );
}

function gone(dataDir: string, groups: number): GatewayError {
  return refusal(
    `The store of the data folder ${dataDir} is gone, and with it what it held after ${groups} groups of writes. ` +
      `Put the folder \`store\` back; finish with \`${repairOf(dataDir)}\` if a repair was interrupted; or start on an empty data folder as a new gateway`,
  );
}

function swapped(dataDir: string): GatewayError {
  return refusal(
    `The store in the data folder ${dataDir} is not the one that was used here last: it was exchanged, or has lost its identity. ` +
      `Put the right one back, or take over what this one holds with \`${repairOf(dataDir)}\``,
  );
}

function unmarked(dataDir: string, found: 'missing' | 'damaged'): GatewayError {
  return refusal(
    `The file high-water-mark in the data folder ${dataDir} is ${found}: without it nobody can tell whether the store is complete. ` +
      `\`${repairOf(dataDir)}\` looks through the store and makes it anew`,
  );
}

function refusal(message: string): GatewayError {
  return new GatewayError('GATEWAY_STORAGE', message);
}
