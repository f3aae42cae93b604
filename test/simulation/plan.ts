import type { Json } from '../../src/protocol/json.js';
import type { Manners } from './engine.js';
import { Random } from './random.js';

/** What one run is about: all of it follows from the seed. */
export interface Plan {
  seed: number;
  /** Options of the gateway, as its file has them. */
  options: { scopes: RuleOptions[] } & Record<string, unknown>;
  manners: Manners;
  keys: PlannedKey[];
  callers: Step[][];
  faults: Fault[];
  /** Writes of somebody else, at these times. */
  elsewhere: { at: number; key: PlannedKey }[];
  /** How long faults come; then everything is well. */
  stormMs: number;
  link: { breakerFailures: number; breakerMs: number; networkMs: number };
}

/** A rule for a scope, as the file has it. */
export type RuleOptions = { match: string } & Record<string, unknown>;

export interface PlannedKey {
  scope: string;
  key: string;
  /** What it holds at the beginning. */
  initial: Json | undefined;
  /** Others write to it too. */
  isShared: boolean;
}

/** `add`: an increment and an append; `refused`: a set that the remote refuses. */
export type WriteKind = 'set' | 'root' | 'delete' | 'add' | 'refused';

export interface Step {
  kind: WriteKind | 'read';
  key: PlannedKey;
  /** How long the caller does nothing before. */
  pauseMs: number;
  /** It has an idempotency key, and is made again until somebody knows what came of it. */
  isNamed: boolean;
  /** It goes on only when this is answered. */
  isAwaited: boolean;
}

/** What ends a run of the gateway. */
export type EndOfRun = 'killed' | 'power-cut' | 'stopped';

export type Fault = { at: number } & (
  | { kind: 'cut' }
  | { kind: 'freeze'; ms: number }
  | { kind: 'restart-remote'; ms: number; forgets: number }
  | { kind: 'missing'; ms: number }
  | { kind: 'end'; how: EndOfRun; ms: number }
  /** As soon as so many more groups were written, or so many more writes executed. */
  | { kind: 'end-upon'; upon: 'disk' | 'execution'; count: number; how: EndOfRun; ms: number }
  | { kind: 'slow-disk'; ms: number; slowness: number }
  | { kind: 'failing-disk'; ms: number }
);

const KINDS: readonly (readonly Step['kind'][])[] = [
  ['set', 'set', 'set', 'root', 'delete', 'read'],
  ['add', 'add', 'add', 'read'],
  ['set', 'root', 'delete', 'add', 'add', 'read', 'refused'],
];

export function planOf(seed: number): Plan {
  const random = new Random(seed);
  const scopes = Array.from({ length: random.between(1, 2) }, (_, index) => `scope${index}`);
  const keys = Array.from({ length: random.between(1, 3) }, (_, index) => plannedKey(random, scopes, index));
  const shared = keys.filter(({ isShared }) => isShared);
  const rules = scopes.map((match) => ruleFor(random, match, !shared.some(({ scope }) => scope === match)));
  const stormMs = random.pick([2000, 8000, 30_000]);
  const writesElsewhere = shared.length > 0 ? random.between(1, 6) : 0;
  return {
    seed,
    options: {
      scopes: rules,
      limits: random.chance(0.15) ? { log_entries: random.between(1, 6) } : {},
      drain: { window: random.pick([1, 2, 256]) },
      patience_ms: 2000,
      settle_delay_ms: 5000,
    },
    manners: manners(random),
    keys,
    callers: Array.from({ length: random.between(1, 3) }, () => caller(random, keys)),
    faults: Array.from({ length: random.between(0, 6) }, () => fault(random, stormMs)),
    elsewhere: Array.from({ length: writesElsewhere }, () => ({
      at: random.between(0, stormMs - 1),
      key: random.pick(shared),
    })),
    stormMs,
    link: { breakerFailures: random.pick([2, 5, 1000]), breakerMs: 3000, networkMs: random.pick([2, 50]) },
  };
}

function plannedKey(random: Random, scopes: readonly string[], index: number): PlannedKey {
  return {
    scope: random.pick(scopes),
    key: `k${index}`,
    initial: random.chance(0.5) ? { id: -1, n: 0, list: [] } : undefined,
    isShared: random.chance(0.3),
  };
}

/** Mostly no rule at all, or few members of one. */
function ruleFor(random: Random, match: string, isOurs: boolean): RuleOptions {
  const rule: RuleOptions = { match };
  if (random.chance(0.3)) rule.write = 'behind';
  if (random.chance(0.3)) rule.blind_writes = true;
  if (random.chance(0.3)) rule.consistency = 'cache';
  if (random.chance(0.4)) return rule;
  if (random.chance(0.25)) rule.order = 'scope';
  if (random.chance(0.3)) rule.on_refusal = random.pick(['hold', 'skip']);
  if (random.chance(0.4)) rule.conflict = random.pick(['remote-wins', 'park', 'function']);
  if (rule.conflict === 'function') rule.conflict_function_id = 'decide';
  if (random.chance(0.25)) rule.coalesce = true;
  if (random.chance(0.2)) rule.expire_ms = random.between(500, 15_000);
  if (random.chance(0.3)) rule.overflow = 'drop-oldest';
  if (random.chance(0.3)) rule.settle = 'marker';
  if (isOurs && rule.settle === undefined && random.chance(0.3)) rule.single_writer = true;
  return rule;
}

function manners(random: Random): Manners {
  const adapter = random.chance(0.75) ? 'kv' : 'unknown';
  const isGateway = adapter === 'kv' && random.chance(0.2);
  return {
    adapter,
    knowsReceipts: isGateway,
    comparesAndSets: adapter === 'kv' && random.chance(0.3),
    errors: random.chance(0.3) && !isGateway ? 0.1 : 0,
    swallows: random.chance(0.3) ? 0.1 : 0,
    usualMs: random.pick([5, 50, 500]),
    mostMs: random.pick([100, 3500]),
    ghostMs: adapter === 'kv' ? 0 : random.pick([0, 4000, 40_000]),
  };
}

function caller(random: Random, keys: readonly PlannedKey[]): Step[] {
  const kinds = random.pick(KINDS);
  const gap = random.pick([20, 200, 2000]);
  const named = random.pick([0, 0, 0.5]);
  return Array.from({ length: random.between(3, 12) }, () => ({
    kind: random.pick(kinds),
    key: random.pick(keys),
    pauseMs: random.between(0, gap),
    isNamed: random.chance(named),
    isAwaited: random.chance(0.6),
  }));
}

function fault(random: Random, stormMs: number): Fault {
  const at = random.between(0, stormMs - 1);
  const how = random.pick(['killed', 'power-cut', 'stopped'] as const);
  switch (random.between(0, 11)) {
    case 0:
    case 1:
      return { at, kind: 'freeze', ms: random.between(500, 20_000) };
    case 2:
      return { at, kind: 'restart-remote', ms: random.between(100, 8000), forgets: random.between(0, 3) };
    case 3:
      return { at, kind: 'missing', ms: random.between(100, 5000) };
    case 4:
      return { at, kind: 'end', how, ms: random.between(1, 4000) };
    case 5:
    case 6: {
      const upon = random.pick(['disk', 'execution'] as const);
      return { at, kind: 'end-upon', upon, count: random.between(1, 12), how, ms: random.between(1, 4000) };
    }
    case 7:
      return { at, kind: 'slow-disk', ms: random.between(500, 8000), slowness: random.between(20, 3000) };
    case 8:
      return { at, kind: 'failing-disk', ms: random.between(100, 5000) };
    default:
      return { at, kind: 'cut' };
  }
}
