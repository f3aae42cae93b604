/** What the default `__III_ENGINE_VERSION__` becomes: the engine whose behaviour this gateway follows. */
export const ENGINE_VERSION = '0.22.1';

/** `${NAME}` or `${NAME:default}`: no nesting, and neither part may hold a `}`. */
const PLACEHOLDER = /\$\{([^}:]+)(?::([^}]*))?\}/g;

/** A place in the text as written, both from 1. */
export interface Position {
  line: number;
  column: number;
}

export interface UnsetVariable extends Position {
  name: string;
}

export interface Expansion {
  text: string;
  /** Variables with neither a value nor a default; their placeholders stay in the text. */
  unset: UnsetVariable[];
  /** Where an offset of the expanded text stands in the text as written. */
  positionOf(offset: number): Position;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** One placeholder: where it was, and where its replacement is now. */
interface Replacement {
  from: number;
  fromEnd: number;
  to: number;
  toEnd: number;
}

/**
 * Replaces `${NAME}` and `${NAME:default}` as the engine does: in the raw text, comments included, once, before
 * anything reads it as YAML. A set variable wins even if it is empty.
 */
export function expandEnvironment(text: string, env: Environment): Expansion {
  const positionAt = positionFinder(text);
  const replacements: Replacement[] = [];
  const unset: UnsetVariable[] = [];
  let expanded = '';
  let done = 0;
  for (const match of text.matchAll(PLACEHOLDER)) {
    const [placeholder, name = '', fallback] = match;
    const value = replacementOf(name, fallback, env);
    if (value === undefined) unset.push({ name, ...positionAt(match.index) });
    expanded += text.slice(done, match.index);
    const to = expanded.length;
    expanded += value ?? placeholder;
    done = match.index + placeholder.length;
    replacements.push({ from: match.index, fromEnd: done, to, toEnd: expanded.length });
  }
  expanded += text.slice(done);
  return { text: expanded, unset, positionOf: (offset) => positionAt(offsetAsWritten(offset, replacements)) };
}

function replacementOf(name: string, fallback: string | undefined, env: Environment): string | undefined {
  const set = Object.hasOwn(env, name) ? env[name] : undefined;
  if (set !== undefined) return set;
  return fallback === '__III_ENGINE_VERSION__' ? ENGINE_VERSION : fallback;
}

/** A place inside a replacement is the place of its placeholder: that is what the reader of the file sees. */
function offsetAsWritten(offset: number, replacements: readonly Replacement[]): number {
  const before = replacements.findLast(({ to }) => to <= offset);
  if (before === undefined) return offset;
  return offset < before.toEnd ? before.from : before.fromEnd + (offset - before.toEnd);
}

function positionFinder(text: string): (offset: number) => Position {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (offset) => {
    const line = starts.findLastIndex((start) => start <= offset);
    return { line: line + 1, column: offset - (starts[line] ?? 0) + 1 };
  };
}
