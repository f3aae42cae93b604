import { check, type Part } from './check.js';
import type { ConfigDocument } from './document.js';
import { keyOf, type Path, valueAt } from './paths.js';
import type { Report } from './report.js';
import { entrySchema, fileSchema } from './schema.js';
import { nearestName } from './suggest.js';

const ours = ['iii-worker-manager', 'iii-state', 'iii-state-gateway'] as const;

export type OurBlock = (typeof ours)[number];

export interface Blocks {
  /** Our blocks that the file lists. */
  readonly parts: ReadonlyMap<OurBlock, Part>;
  /** Port of the listener in a file of an engine before 0.11. */
  readonly topLevelPort: number | undefined;
}

interface Listed {
  readonly name: string;
  readonly label: string;
}

/** Finds our blocks in the file, of either generation, and says what is not ours. */
export function findBlocks(document: ConfigDocument, report: Report): Blocks {
  const file = check(fileSchema, { key: [], path: [], value: document.value }, document, report);
  const parts = new Map<OurBlock, Part>();
  const listed = new Map<OurBlock, Listed>();
  const entries = [...entriesOf('workers', document.value), ...entriesOf('modules', document.value)];

  for (const { path, value } of entries) {
    const entry = check(entrySchema, { key: path, path, value }, document, report);
    if (entry === undefined) continue;
    const place = document.placeOf([...path, 'name']);
    const block = blockNamed(entry.name);
    if (block === undefined) {
      report.note(place, entry.name, notOurs(entry.name));
      continue;
    }
    const first = listed.get(block);
    if (first !== undefined) {
      report.fault(place, entry.name, listedTwice(entry.name, first));
      continue;
    }
    refuseOtherMembers(entry, path, document, report);
    listed.set(block, { name: entry.name, label: place.label });
    parts.set(block, { key: [block], path: [...path, 'config'], value: entry.config ?? {} });
  }
  tellOfTopLevel(document, parts, report);
  return { parts, topLevelPort: file?.port };
}

/** Read past the schema: a mistake at the top does not hide the mistakes in the blocks. */
function entriesOf(list: 'workers' | 'modules', file: unknown): { path: Path; value: unknown }[] {
  const entries = valueAt(file, [list]);
  return Array.isArray(entries) ? entries.map((value, index) => ({ path: [list, index], value })) : [];
}

/** The state worker of newer engines is named `state` and takes the same options. */
function blockNamed(name: string): OurBlock | undefined {
  return name === 'state' ? 'iii-state' : ours.find((block) => block === name);
}

function notOurs(name: string): string {
  // Without the `iii-` that all of them share, or every short name would look alike.
  const rest = (block: string) => block.replace(/^iii-/, '');
  const meant = nearestName(rest(name), ours.map(rest));
  const hint = meant === undefined ? '' : `; did you mean \`iii-${meant}\`?`;
  return `a block of another worker, not read here${hint}`;
}

function listedTwice(name: string, first: Listed): string {
  if (name !== first.name) return `is another name of \`${first.name}\` (${first.label}); keep one`;
  const why = name === 'iii-worker-manager' ? '; this gateway has one listener' : '';
  return `is listed twice (first at ${first.label})${why}; keep one`;
}

function refuseOtherMembers(entry: object, path: Path, document: ConfigDocument, report: Report): void {
  for (const member of Object.keys(entry)) {
    if (member === 'name' || member === 'config') continue;
    const memberPath = [...path, member];
    const sentence = 'unknown key; a block of ours has `name` and `config`';
    report.fault(document.placeOfKey(memberPath), keyOf(memberPath), sentence);
  }
}

function tellOfTopLevel(document: ConfigDocument, parts: Blocks['parts'], report: Report): void {
  const isThere = (key: string) => valueAt(document.value, [key]) !== undefined;
  const grace = 'registration_namespace_grace_ms';
  if (isThere(grace))
    report.note(document.placeOfKey([grace]), grace, "an engine's own setting, not used here");
  if (!isThere('port')) return;
  const place = document.placeOfKey(['port']);
  if (parts.has('iii-worker-manager')) {
    report.fault(place, 'port', 'the block `iii-worker-manager` has the port; keep one of the two');
  } else if (!isThere('modules')) {
    report.fault(
      place,
      'port',
      'belongs to files with `modules`; write it in the block `iii-worker-manager`',
    );
  }
}
