import type { z } from 'zod';
import type { ConfigDocument } from './document.js';
import { refusedHere, refusedYet } from './not-yet.js';
import { optionsAt } from './options.js';
import { keyOf, type Path, patternOf } from './paths.js';
import type { Report } from './report.js';
import { nearestName } from './suggest.js';

/** A part of the document that one schema describes. */
export interface Part {
  /** What a fault calls it: `iii-state-gateway`. Empty for the top of the file. */
  readonly key: Path;
  /** Where it stands in the document. */
  readonly path: Path;
  readonly value: unknown;
}

/** The part with its defaults, or nothing and one fault in the report for each of its mistakes. */
export function check<S extends z.ZodType>(
  schema: S,
  part: Part,
  document: ConfigDocument,
  report: Report,
): z.output<S> | undefined {
  const result = schema.safeParse(part.value);
  if (result.success) return result.data;
  const told = new Set<string>();
  for (const issue of withoutEchoes(result.error.issues.flatMap(innermost))) {
    const path = [...part.path, ...issue.path];
    const key = keyOf([...part.key, ...issue.path]);
    if (issue.code === 'unrecognized_keys') {
      for (const unknown of issue.keys) {
        const sentence = unknownKey(unknown, [...part.key, ...issue.path], optionsAt(schema, issue.path));
        const unknownPath = [...part.key, ...issue.path, unknown];
        report.fault(document.placeOfKey([...path, unknown]), keyOf(unknownPath), sentence);
      }
    } else if (!told.has(key)) {
      // A value can break two bounds at once; its sentence names both.
      told.add(key);
      report.fault(document.placeOf(path), key, issue.message);
    }
  }
  return undefined;
}

function unknownKey(unknown: string, parent: Path, options: readonly string[]): string {
  const known = options.filter((option) => !refusedYet.has(patternOf([...parent, option])));
  const refused = refusedHere.get(keyOf([...parent, unknown]));
  if (refused !== undefined) return refused;
  const meant = nearestName(unknown, known);
  if (meant !== undefined) return `unknown key; did you mean \`${meant}\`?`;
  return known.length === 0 ? 'unknown key' : `unknown key; known here: ${known.join(', ')}`;
}

type Issue = z.core.$ZodIssue;

/** When a list or a mapping is wrong as a whole, what is in it is not worth a line of its own. */
function withoutEchoes(issues: Issue[]): Issue[] {
  const wholes = issues.filter(({ code }) => code !== 'unrecognized_keys');
  const isWithin = (inner: Path, outer: Path) =>
    outer.length < inner.length && outer.every((part, index) => part === inner[index]);
  return issues.filter(({ path }) => !wholes.some((whole) => isWithin(path, whole.path)));
}

/** Of a choice, the mistakes of the branch that was meant: the one that fits further down. */
function innermost(issue: Issue): Issue[] {
  if (issue.code === 'invalid_key' || issue.code === 'invalid_element') {
    return issue.issues.map((inner) => ({ ...inner, path: issue.path }));
  }
  if (issue.code !== 'invalid_union') return [issue];
  const isAtTop = ({ code, path }: Issue) => path.length === 0 && code !== 'unrecognized_keys';
  const meant = issue.errors.find((errors) => errors.length > 0 && !errors.some(isAtTop));
  if (meant === undefined) return [issue];
  return meant.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] })).flatMap(innermost);
}
