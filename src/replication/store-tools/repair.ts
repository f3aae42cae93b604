import { createLogger } from '../../logger.js';
import { Database } from '../../storage/database.js';
import { findMark, makeMark } from '../../storage/high-water-mark.js';
import { nextIdentity } from './identity-record.js';
import { inspect } from './inspect.js';
import { type Inspected, type Inspection, isWhole } from './inspection.js';
import { Rebuild, type RebuildOptions, type Rebuilt } from './rebuild.js';
import { StoreSite } from './store-site.js';

export interface RepairOptions {
  /** The folder is a copy: its gateway goes on as another one than the original's. */
  adopt: boolean;
  now: () => number;
  randomUuid: () => string;
  /** Whether to go on, once it is known what there is to do. */
  agrees: (inspection: Inspection) => boolean;
}

export type Repair =
  | { kind: 'whole' | 'called-off' | 'needs-adoption'; inspection: Inspection }
  | {
      kind: 'repaired';
      inspection: Inspection;
      rebuilt: Rebuilt;
      /** Where the store lies as it was found. */
      aside: string;
      /** Who the gateway is now, if that has changed. */
      newId: string | undefined;
    };

/**
 * Puts a store made of all that can be read in the place of a damaged one, which is kept beside it untouched. One that is
 * whole is left alone. It may be cut short at any moment and run again.
 * @throws GatewayError `GATEWAY_STORAGE`: in use, no store, of another format, or beyond reading.
 */
export async function repairStore(dataDir: string, options: RepairOptions): Promise<Repair> {
  const site = await StoreSite.take(dataDir);
  try {
    const inspected = await inspect(site.store, dataDir, await findMark(dataDir));
    try {
      return await repairInspected(site, inspected, options);
    } finally {
      await inspected.copy.close();
    }
  } finally {
    await site.release();
  }
}

async function repairInspected(
  site: StoreSite,
  inspected: Inspected,
  options: RepairOptions,
): Promise<Repair> {
  const { inspection, copy } = inspected;
  if (isWhole(inspection) && !options.adopt) return { kind: 'whole', inspection };
  if (inspection.mark.kind === 'copied' && !options.adopt) return { kind: 'needs-adoption', inspection };
  if (!options.agrees(inspection)) return { kind: 'called-off', inspection };
  const { identity, isNew, needsMark } = await nextIdentity(copy, inspection.mark, options);
  const rebuilt = await fill(site.mending, inspected, { now: options.now(), identity });
  const aside = await site.exchange(options.now());
  // A mark that fits still does: the new store has its name, and counts no fewer groups. Else, until there is a new one,
  // the gateway refuses to start.
  if (needsMark) {
    const { groups, next } = rebuilt.book;
    await makeMark(site.dataDir, { incarnation: identity.incarnation, groups, next });
  }
  return { kind: 'repaired', inspection, rebuilt, aside, newId: isNew ? identity.id : undefined };
}

async function fill(folder: string, inspected: Inspected, options: RebuildOptions): Promise<Rebuilt> {
  const target = new Database(folder, createLogger('silent'));
  await target.open();
  try {
    return await new Rebuild(inspected, target, options).run();
  } finally {
    await target.close();
  }
}
