import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { loadConfig } from '../../config/load.js';
import { exportLines } from '../../replication/store-tools/export.js';
import { isWhole } from '../../replication/store-tools/inspection.js';
import { repairStore } from '../../replication/store-tools/repair.js';
import { verifyStore } from '../../replication/store-tools/verify.js';
import { EXIT } from '../exit.js';
import { jsonOf, repairReport, verifyReport } from '../store-report.js';
import type { Terminal } from '../terminal.js';

export interface StoreSettings {
  readonly config?: string;
  readonly dataDir?: string;
  readonly json?: boolean;
  readonly adopt?: boolean;
  readonly yes?: boolean;
}

/** Tells what a store holds and what of it is damaged; gives the exit code. */
export async function verifyStoreHere(settings: StoreSettings, terminal: Terminal): Promise<number> {
  const folder = dataDirOf(settings, terminal);
  const inspection = await verifyStore(folder);
  if (settings.json) terminal.out(`${JSON.stringify(jsonOf(folder, inspection), null, 2)}\n`);
  else terminal.out(verifyReport(folder, inspection));
  return isWhole(inspection) ? EXIT.done : EXIT.storageRefused;
}

/** Mends a store, or tells what that would mean; gives the exit code. */
export async function repairStoreHere(settings: StoreSettings, terminal: Terminal): Promise<number> {
  const folder = dataDirOf(settings, terminal);
  const repair = await repairStore(folder, {
    adopt: settings.adopt ?? false,
    now: terminal.now,
    randomUuid: randomUUID,
    agrees: () => settings.yes ?? false,
  });
  terminal.out(repairReport(folder, repair));
  return repair.kind === 'repaired' || repair.kind === 'whole' ? EXIT.done : EXIT.storageRefused;
}

/** How much is gathered for one write to the output. */
const PORTION_CHARS = 64 * 1024;

/** Prints everything that can be read, as fast as it is taken. */
export async function exportStore(
  settings: StoreSettings,
  terminal: Terminal,
  output: Writable,
): Promise<void> {
  const lines = exportLines(dataDirOf(settings, terminal));
  let isTaken = true;
  const leave = () => {
    isTaken = false; // as `head` does when it has enough
  };
  output.on('error', leave);
  try {
    let portion = '';
    for await (const line of lines) {
      portion += line;
      if (portion.length < PORTION_CHARS) continue;
      if (!output.write(portion) && isTaken) await once(output, 'drain').catch(leave);
      portion = '';
      if (!isTaken) return;
    }
    output.write(portion);
  } finally {
    output.off('error', leave);
  }
}

function dataDirOf({ config: file, dataDir }: StoreSettings, { env, cwd }: Terminal): string {
  return loadConfig({ file, flags: { dataDir }, env, cwd }).config.dataDir;
}
