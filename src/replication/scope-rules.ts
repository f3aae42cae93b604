import type { GatewayOptions } from '../config/config.js';
import { gatewayBlock } from '../config/schema.js';
import { toCamel } from '../config/spelling.js';

/** What the operator wants for the scopes that a pattern fits. */
export type ScopeRule = GatewayOptions['scopes'][number];

/** Scope names come from workers, so what is remembered of them is bounded, in number and in length. */
const REMEMBERED = 10_000;
const LONGEST_REMEMBERED = 256;

/** The rule of each scope: the first one that fits, else the defaults. */
export class ScopeRules {
  private readonly defaults = defaultRule();
  private readonly rules: readonly { readonly pattern: readonly string[]; readonly rule: ScopeRule }[];
  private readonly found = new Map<string, ScopeRule>();

  constructor(scopes: GatewayOptions['scopes']) {
    this.rules = scopes.map((rule) => ({ pattern: [...rule.match], rule }));
  }

  /** The shortest time after which a write of any scope expires; undefined: none does. */
  get shortestExpiryMs(): number | undefined {
    const times = this.rules.flatMap(({ rule: { expireMs } }) => (expireMs > 0 ? [expireMs] : []));
    return times.length > 0 ? Math.min(...times) : undefined;
  }

  /** The longest time for which confirmed writes of any scope are kept; undefined: none are. */
  get longestRetainMs(): number | undefined {
    const times = this.rules.flatMap(({ rule: { retain, retainMs } }) =>
      retain === 'off' ? [] : [retainMs],
    );
    return times.length > 0 ? Math.max(...times) : undefined;
  }

  for(scope: string): ScopeRule {
    if (this.rules.length === 0) return this.defaults;
    return this.found.get(scope) ?? this.find(scope);
  }

  private find(scope: string): ScopeRule {
    const characters = [...scope];
    const rule = this.rules.find(({ pattern }) => fits(pattern, characters))?.rule ?? this.defaults;
    if (scope.length > LONGEST_REMEMBERED) return rule;
    if (this.found.size >= REMEMBERED) this.found.clear();
    this.found.set(scope, rule);
    return rule;
  }
}

function defaultRule(): ScopeRule {
  const [rule] = toCamel(gatewayBlock.parse({ scopes: [{}] })).scopes;
  if (rule === undefined) throw new Error('the schema has no default for a rule'); // for the compiler
  return rule;
}

/**
 * Whether a glob fits the whole text: `*` any run of characters, `?` one. Not as a regular expression, which could
 * take for ever over a long text: here only the last `*` is ever tried again.
 */
function fits(pattern: readonly string[], text: readonly string[]): boolean {
  let at = 0;
  let star = -1;
  let coveredByStar = 0;
  let position = 0;
  while (position < text.length) {
    if (pattern[at] === '*') {
      star = at++;
      coveredByStar = position;
    } else if (at < pattern.length && (pattern[at] === '?' || pattern[at] === text[position])) {
      at++;
      position++;
    } else if (star >= 0) {
      at = star + 1;
      position = ++coveredByStar;
    } else {
      return false;
    }
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}
