import { type Document, isAlias, isMap, isSeq, type Node, parseDocument } from 'yaml';
import { messageOf } from '../errors.js';
import { expandEnvironment, type Position } from './expand.js';
import { spellAsToday } from './generation-a.js';
import type { Path } from './paths.js';
import type { Place, Report } from './report.js';
import { pairOf, startOf, structureFaults, syntaxFaults } from './syntax.js';

/** A configuration file that is YAML: its plain value, and where in the file each part of it stands. */
export interface ConfigDocument {
  readonly value: unknown;
  /** Place of the value at a path; of what holds it, if there is none. */
  placeOf(path: Path): Place;
  /** Place of the last key of a path; of its value, if it has no key. */
  placeOfKey(path: Path): Place;
}

/**
 * Reads a file's text: variables first, then YAML, as an engine does. Throws with one line per mistake when it
 * cannot be read at all, for what would come next is then only a guess.
 */
export function readDocument(
  file: string,
  written: string,
  env: Readonly<Record<string, string | undefined>>,
  report: Report,
): ConfigDocument {
  const { text, unset, positionOf } = expandEnvironment(written, env);
  const placeAt = ({ line, column }: Position): Place => ({
    label: `${file}:${line}:${column}`,
    order: line * 1e6 + column,
  });
  const placeAtOffset = (offset: number) => placeAt(positionOf(offset));

  for (const { name, ...position } of unset) {
    const sentence = `the variable ${name} is not set; set it, or write \${${name}:a default}`;
    report.fault(placeAt(position), '', sentence);
  }
  report.throwIfRefused();

  const document = parseDocument(text, { prettyErrors: false, uniqueKeys: false });
  for (const { offset, sentence } of [...syntaxFaults(document, text), ...structureFaults(document)]) {
    report.fault(placeAtOffset(offset), '', sentence);
  }
  report.throwIfRefused();

  spellAsToday(document);
  const nodeAt = (path: Path) => startOf(nearest(document, path));
  return {
    value: plainValue(document, report, placeAtOffset(0)),
    placeOf: (path) => placeAtOffset(nodeAt(path)),
    placeOfKey: (path) => {
      const pair = pairOf(nearest(document, path.slice(0, -1)), String(path.at(-1)));
      return placeAtOffset(pair ? startOf(pair.key) : nodeAt(path));
    },
  };
}

/** An empty file is an empty mapping: no block at all. */
function plainValue(document: Document, report: Report, place: Place): unknown {
  try {
    return document.toJS() ?? {};
  } catch (error) {
    report.fault(place, '', `cannot be read: ${messageOf(error)}`);
    report.throwIfRefused();
    throw error;
  }
}

/** The node at a path, or the last one on the way to it. */
function nearest(document: Document, path: Path): Node | null {
  let node: Node | null = document.contents;
  for (const part of path) {
    const next: Node | null | undefined = child(node, part);
    if (next === undefined || next === null) return node;
    node = isAlias(next) ? (next.resolve(document) ?? next) : next;
  }
  return node;
}

function child(node: Node | null, part: PropertyKey): Node | null | undefined {
  if (isSeq<Node>(node) && typeof part === 'number') return node.items[part];
  return isMap(node) ? pairOf(node, String(part))?.value : undefined;
}
