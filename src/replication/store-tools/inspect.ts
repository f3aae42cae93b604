import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { GatewayError } from '../../errors.js';
import { reasonOf } from '../../storage/database.js';
import { isLog } from '../../storage/folder.js';
import type { FoundMark } from '../../storage/high-water-mark.js';
import { contradictionsIn, missingGroups } from './contradictions.js';
import { isTable, lookAtFiles, type StoreFiles } from './file-damages.js';
import type { Inspected, Inspection } from './inspection.js';
import { addDoubts } from './lane-doubts.js';
import { type LaneVerdict, walkLanes } from './lane-walk.js';
import { stateOfMark } from './mark.js';
import { type Access, StoreCopy } from './store-copy.js';
import { SCRATCH } from './store-lock.js';
import { Survey } from './survey.js';

/** The layout that these tools know; `database.ts` has it from the same page. */
const FORMAT = '1';

/** Why there is no store to look at; undefined: there is one. */
export async function missingStore(storeFolder: string): Promise<string | undefined> {
  const files = await readdir(storeFolder).catch(() => undefined);
  if (!files)
    return `There is no store in ${storeFolder}: no gateway has kept anything there (--data-dir names another folder)`;
  if (files.some((file) => isTable(file) || isLog(file) || file === 'CURRENT')) return undefined;
  return `The store in ${storeFolder} holds no data at all: its files are gone. Bring the folder back from a copy`;
}

/**
 * Looks at all of a store through a copy, which the caller closes.
 * @param scratch where the copy may lie, on the same disk
 * @throws GatewayError `GATEWAY_STORAGE` for what is no store of a gateway, or of another format.
 */
export async function inspect(storeFolder: string, scratch: string, mark: FoundMark): Promise<Inspected> {
  const files = await lookAtFiles(storeFolder);
  const place = { storeFolder, scratch, files, mark };
  if (files.obstacle) return piecedTogether(place, files.obstacle);
  const asItLies = await tryOpen(place, 'as-they-lie');
  if ('refusal' in asItLies) return piecedTogether(place, asItLies.refusal);
  const { copy, survey } = asItLies;
  const inspected = await lookAt(place, copy, survey, undefined);
  if (files.strays === 0 || !inspected.inspection.mayHaveLostGroups) return inspected;
  await copy.close(); // a list of tables that lost its end hides tables, and with them what they hold
  return piecedTogether(place, `its list of tables does not know ${files.strays} of them`);
}

interface Place {
  storeFolder: string;
  scratch: string;
  files: StoreFiles;
  mark: FoundMark;
}

async function piecedTogether(place: Place, refusal: string): Promise<Inspected> {
  const pieced = await tryOpen(place, 'pieced-together');
  if ('copy' in pieced) return lookAt(place, pieced.copy, pieced.survey, refusal);
  throw new GatewayError(
    'GATEWAY_STORAGE',
    `Nothing can be read from the store in ${place.storeFolder} (${refusal}; pieced together from its files: ${pieced.refusal}). Bring the folder back from a copy`,
  );
}

async function tryOpen(
  { storeFolder, scratch, files }: Place,
  access: Access,
): Promise<{ copy: StoreCopy; survey: Survey } | { refusal: string }> {
  let copy: StoreCopy | undefined;
  try {
    copy = await StoreCopy.open(storeFolder, scratch, files, access);
    return { copy, survey: await Survey.of(copy) };
  } catch (error) {
    await copy?.close();
    return { refusal: reasonOf(error).replaceAll(new RegExp(`\\S*${SCRATCH}\\w*/`, 'g'), '') };
  }
}

async function lookAt(
  { storeFolder, mark }: Place,
  copy: StoreCopy,
  survey: Survey,
  refusal: string | undefined,
): Promise<Inspected> {
  try {
    refuseOthers(storeFolder, survey);
    const fits = survey.sums.fit && survey.looseLinks === 0;
    const lanes = await addDoubts(copy, fits ? undefined : await walkLanes(copy));
    return { copy, inspection: conclude(copy, survey, mark, refusal, lanes) };
  } catch (error) {
    await copy.close();
    throw error;
  }
}

function conclude(
  copy: StoreCopy,
  survey: Survey,
  mark: FoundMark,
  refusal: string | undefined,
  lanes: LaneVerdict | undefined,
): Inspection {
  const { records, damaged, counted, book } = survey;
  const files = copy.files.damages.map(({ sentence }) => sentence);
  const isBookGone = !book && (records.entries > 0 || records.quarantined > 0 || records.receipt_packs > 0);
  const state = stateOfMark(mark, survey.identity);
  const missing = missingGroups(book, state);
  return {
    refusal,
    files,
    records,
    damaged,
    counted,
    book,
    lanes,
    contradictions: contradictionsIn(survey, state),
    mark: state,
    missingGroups: missing,
    mayHaveLostGroups:
      refusal !== undefined ||
      files.length > 0 ||
      isBookGone ||
      state.kind === 'copied' ||
      state.kind === 'exchanged' ||
      (missing ?? 0) > 0 ||
      (lanes?.isLeaky ?? false),
    tellsWhatWasSent: survey.damagedNotes === 0,
    notes: notesOn(copy, records.other),
  };
}

function notesOn({ files }: StoreCopy, unknown: number): string[] {
  const notes: string[] = [];
  if (files.strays > 0) {
    notes.push(`${files.strays} table files are in no use: what a tidying up leaves when it is cut short`);
  }
  if (unknown > 0)
    notes.push(`${unknown} records are of a kind that this version does not know; their checksums are right`);
  return notes;
}

function refuseOthers(storeFolder: string, { format, records, damaged }: Survey): void {
  if (format !== undefined && format !== FORMAT) {
    throw new GatewayError(
      'GATEWAY_STORAGE',
      `The store in ${storeFolder} has format ${format}; this version knows format ${FORMAT}. Use the version of the gateway that wrote it, or a newer one`,
    );
  }
  const sound = Object.values(records).reduce((sum, count) => sum + count, 0);
  if (sound > 0 || damaged.count === 0) return;
  throw new GatewayError(
    'GATEWAY_STORAGE',
    `None of the ${damaged.count} records in ${storeFolder} is one of a gateway: it holds another program's data, or is damaged beyond reading`,
  );
}

/** Where the gateway keeps its store. */
export const storeIn = (dataDir: string): string => join(dataDir, 'store');
