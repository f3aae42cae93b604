import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isScalar,
  type Node,
  visit,
  type YAMLError,
  type YAMLMap,
} from 'yaml';

/** A mistake in the YAML itself, at an offset of the expanded text. */
export interface SyntaxFault {
  offset: number;
  sentence: string;
}

/** What yaml says in terms of its own grammar, in terms of the file. */
const sentences: Readonly<Record<string, string>> = {
  TAG_RESOLVE_FAILED: 'a tag (`!…`) has no meaning here; remove it, or put quotes around the value',
  TAB_AS_INDENT: 'a tab cannot indent YAML; use spaces',
  MULTIPLE_DOCS: 'a second document begins here; a configuration is one document',
  BLOCK_AS_IMPLICIT_KEY: 'a second `: ` on one line; put quotes around the value, or start a new line',
};

/** The mistakes that keep a text from being YAML; one for each line, for the next ones are mostly its echo. */
export function syntaxFaults(document: Document, text: string): SyntaxFault[] {
  const seen = new Set<number>();
  return [...document.errors, ...document.warnings]
    .map((error) => ({ offset: offsetOf(error, document), sentence: sentenceOf(error) }))
    .sort((a, b) => a.offset - b.offset)
    .filter(({ offset }) => {
      const lineStart = text.lastIndexOf('\n', offset - 1);
      return !seen.has(lineStart) && seen.add(lineStart);
    });
}

function sentenceOf(error: YAMLError): string {
  const { message } = error;
  if (message.startsWith('Missing closing')) return 'a quote is opened here and never closed';
  if (/^Flow (sequence|map)/.test(message)) return 'a `[` or `{` above is not closed before this line';
  return sentences[error.code] ?? `not YAML: ${message.replace(/^./, (first) => first.toLowerCase())}`;
}

/** A quote that is never closed is noticed at the end of the file, and is wrong where it was opened. */
function offsetOf(error: YAMLError, document: Document): number {
  const [offset] = error.pos;
  if (!error.message.startsWith('Missing closing')) return offset;
  let opened = offset;
  visit(document, {
    Scalar(_, { type, range }) {
      if (type?.startsWith('QUOTE') && range && range[0] < offset && range[1] >= offset) opened = range[0];
    },
  });
  return opened;
}

/** What is YAML, but cannot be read as plain values: a key twice, a list as a key, an alias without an anchor. */
export function structureFaults(document: Document): SyntaxFault[] {
  const faults: SyntaxFault[] = [];
  visit(document, {
    Map(_, map) {
      faults.push(...keyFaults(map));
    },
    Alias(_, alias, ancestors) {
      const target = alias.resolve(document);
      const offset = startOf(alias);
      if (target === undefined) faults.push({ offset, sentence: `no \`&${alias.source}\` before this` });
      else if (ancestors.includes(target))
        faults.push({ offset, sentence: `\`*${alias.source}\` is part of itself` });
    },
  });
  return faults;
}

function keyFaults(map: YAMLMap): SyntaxFault[] {
  const faults: SyntaxFault[] = [];
  const seen = new Set<string>();
  for (const { key } of map.items) {
    const offset = startOf(key);
    if (isCollection(key) || isAlias(key)) {
      faults.push({ offset, sentence: 'a key must be plain text' });
      continue;
    }
    const name = nameOf(key);
    if (seen.has(name)) faults.push({ offset, sentence: `${name}: is written twice here; keep one` });
    seen.add(name);
  }
  return faults;
}

/** Offset at which a node begins. */
export function startOf(node: unknown): number {
  return isNode(node) ? (node.range?.[0] ?? 0) : 0;
}

/** The entry of a mapping with that key, if there is one. */
export function pairOf(node: Node | null | undefined, name: string) {
  return isMap<Node, Node | null>(node) ? node.items.find(({ key }) => nameOf(key) === name) : undefined;
}

function nameOf(key: unknown): string {
  return String(isScalar(key) ? key.value : key);
}
