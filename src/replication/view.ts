import { type Json, parseJson, printJson } from '../protocol/json.js';

/** What we take a key to hold. Not knowing is a state of its own: it is never shown as "no value". */
export type View = Known | { readonly kind: 'unknown' };

/** A value as JSON text, or the knowledge that there is none. */
export type Known = { readonly kind: 'value'; readonly text: string } | { readonly kind: 'absent' };

export const ABSENT: Known = { kind: 'absent' };
export const UNKNOWN: View = { kind: 'unknown' };

/** A value whose text is made when somebody needs it: most values that pass are replaced before anybody does. */
class ParsedValue {
  readonly kind = 'value';
  private printed: string | undefined;

  constructor(readonly json: Json) {}

  get text(): string {
    this.printed ??= printJson(this.json);
    return this.printed;
  }
}

export function knownValue(json: Json): Known {
  return new ParsedValue(json);
}

/** What the view shows: `undefined` is "no value". */
export function jsonOf(known: Known): Json | undefined {
  if (known.kind === 'absent') return undefined;
  return known instanceof ParsedValue ? known.json : parseJson(known.text);
}
