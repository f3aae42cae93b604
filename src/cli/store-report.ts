import { type Inspection, isWhole } from '../replication/store-tools/inspection.js';
import type { Repair } from '../replication/store-tools/repair.js';
import type { DamagedRecord } from '../replication/store-tools/spaces.js';
import { count, countOf, plain } from './figures.js';

/** Damages that a report names one by one. */
const MOST_SHOWN = 20;

/** What `store verify` tells a person. */
export function verifyReport(folder: string, inspection: Inspection): string {
  const verdict = isWhole(inspection) ? 'The store is whole.' : 'The store is damaged.';
  return lines([
    `The store in ${plain(folder)}`,
    ...holdings(inspection),
    ...wrongs(inspection),
    ...inspection.notes.map((note) => `note: ${note}`),
    verdict,
    ...(isWhole(inspection) ? [] : plan(inspection)),
  ]);
}

/** What `store repair` tells a person. */
export function repairReport(folder: string, repair: Repair): string {
  return lines(repair.kind === 'repaired' ? mended(folder, repair) : untouched(folder, repair));
}

function untouched(folder: string, { kind, inspection }: Exclude<Repair, { kind: 'repaired' }>): string[] {
  const store = `The store in ${plain(folder)}`;
  switch (kind) {
    case 'whole':
      return [`${store} is whole: nothing was changed.`];
    case 'needs-adoption':
      return [
        store,
        ...wrongs(inspection),
        'Nothing was changed: add --adopt and --yes to make it a gateway of its own.',
      ];
    case 'called-off':
      return [
        store,
        ...wrongs(inspection),
        ...(isWhole(inspection)
          ? ['It is whole, and would become that of another gateway (--adopt).']
          : plan(inspection)),
        'Nothing was changed: add --yes to do it.',
      ];
  }
}

function mended(folder: string, repair: Extract<Repair, { kind: 'repaired' }>): string[] {
  const { inspection } = repair;
  const { rebuilt, aside, newId } = repair;
  const { kept, settled, inDoubt } = rebuilt;
  const { records, damaged } = inspection;
  return [
    `The store in ${plain(folder)} was made anew.`,
    ...wrongs(inspection),
    `kept: ${countOf(kept.entries, 'write')} in the log, ${count(kept.quarantined)} in quarantine, ${countOf(kept.conflicts, 'conflict')}, ${countOf(kept.receipt_packs, 'pack')} of receipts, ${countOf(kept.mirror_values, 'known value')}`,
    ...(damaged.count > 0 ? [`left behind: ${countOf(damaged.count, 'damaged record')}`] : []),
    ...(settled > 0
      ? [`left behind: ${countOf(settled, 'write')} of the log that had been settled before`]
      : []),
    ...(records.mirror_lists > kept.mirror_lists
      ? ['left behind: known lists of scopes, which are learnt anew']
      : []),
    ...lost(inspection),
    ...(inDoubt > 0
      ? [
          `${countOf(inDoubt, 'update')} may have been executed already, which nobody can tell: in quarantine as unknown, for you to decide`,
        ]
      : []),
    ...(newId === undefined ? [] : [`The gateway is now ${newId}`]),
    `The old store lies in ${plain(aside)}, untouched: delete it when you need it no more.`,
    'The gateway can be started.',
  ];
}

/** The same for programs. */
export function jsonOf(folder: string, inspection: Inspection): object {
  const { refusal, files, records, damaged, lanes, contradictions, notes, book } = inspection;
  return {
    folder,
    whole: isWhole(inspection),
    ...(refusal !== undefined && { cannot_be_opened: refusal }),
    records,
    ...(book && { accepted: book.accepted, next_seq: book.next }),
    damaged: damaged.count,
    damaged_records: damaged.named,
    damaged_files: files,
    broken_lanes: lanes ? (lanes.all ? 'too many' : [...lanes.broken.values()]) : [],
    settled_entries: lanes?.settled.size ?? 0,
    contradictions,
    may_have_lost_writes: inspection.mayHaveLostGroups,
    missing_groups: inspection.missingGroups ?? null,
    notes,
  };
}

function holdings({ records, book }: Inspection): string[] {
  const rows: [number, string][] = [
    [records.entries, 'writes in the log'],
    [records.lanes, 'keys (or scopes) that they wait for'],
    [records.quarantined, 'writes in quarantine'],
    [records.receipt_packs, 'packs of receipts of settled writes'],
    [records.conflicts, 'conflicts'],
    [records.mirror_values, 'known values of the remote'],
    [records.mirror_lists, 'known lists of scopes, and changes to them'],
  ];
  const all = Object.values(records).reduce((sum, is) => sum + is, 0);
  const accepted = book ? `, ${countOf(book.accepted, 'write')} accepted since it was begun` : '';
  return [
    ...rows.map(([is, what]) => `${count(is).padStart(12)}  ${what}`),
    `${countOf(all, 'sound record')}${accepted}`,
  ];
}

function wrongs({ refusal, files, damaged, lanes, contradictions }: Inspection): string[] {
  const found: string[] = [];
  if (refusal !== undefined)
    found.push(`It cannot be opened (${plain(refusal)}); this is what its files hold.`);
  found.push(...files);
  found.push(...some(damaged.named.map(inWords), damaged.count, 'damaged record'));
  if (lanes?.all) found.push('More lanes than can be told apart do not fit their entries');
  else if (lanes) {
    const broken = [...lanes.broken.values()].map(
      ({ scope, key, why }) => `the lane of ${names(scope, key)}: ${why}`,
    );
    found.push(...some(broken, broken.length, 'broken lane'));
  }
  found.push(...contradictions);
  return found.map((sentence) => `damage: ${sentence}`);
}

function some(named: readonly string[], total: number, what: string): string[] {
  const shown = named.slice(0, MOST_SHOWN);
  const more = total - shown.length;
  return more > 0 ? [...shown, `and ${countOf(more, `more ${what}`)} (--json names up to 1 000)`] : shown;
}

function inWords({ record, scope, key }: DamagedRecord): string {
  return plain(scope === undefined ? record : `${record}, of ${names(scope, key)}`);
}

function names(scope: string, key: string | undefined): string {
  const ofScope = `scope ${JSON.stringify(scope)}`;
  return plain(key === undefined ? ofScope : `key ${JSON.stringify(key)} in ${ofScope}`);
}

function plan({ records, mayHaveLostGroups }: Inspection): string[] {
  const found = `\`store repair --yes\` would make a new store of what can be read (${countOf(records.entries, 'write')} in the log, ${count(records.quarantined)} in quarantine) and keep this one beside it.`;
  const doubt =
    'Increments, appends and other updates that may have been executed already would go to quarantine as unknown, and not be sent twice.';
  return mayHaveLostGroups ? [found, doubt] : [found];
}

function lost({ book, counted, mayHaveLostGroups, missingGroups }: Inspection): string[] {
  if (!book) return ['lost: how many writes, nobody can tell, since the book of the log could not be read'];
  const writes = book.entries - counted.entries;
  const quarantined = Object.values(book.quarantined).reduce((sum, is) => sum + is, 0);
  const inQuarantine = Object.values(counted.quarantined).reduce((sum, is) => sum + is, 0);
  const found: string[] = [];
  if (writes > 0) found.push(`lost: ${countOf(writes, 'write')} of the log`);
  if (missingGroups)
    found.push(`lost: at least ${countOf(missingGroups, 'group')} of writes at the end of the log`);
  if (quarantined > inQuarantine)
    found.push(`lost: ${countOf(quarantined - inQuarantine, 'write')} in quarantine`);
  if (mayHaveLostGroups && missingGroups === undefined)
    found.push('lost: perhaps writes after the last that the book counts; nobody can tell how many');
  return found;
}

function lines(all: readonly string[]): string {
  return all.map((line) => `${line}\n`).join('');
}
