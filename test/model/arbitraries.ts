import fc from 'fast-check';
import { type Json, type JsonObject, setMember, WholeFloat } from '../../src/protocol/json.js';
import { Cut, Elsewhere, Restart, Restore, Settle } from './disturbances.js';
import type { GatewayModel } from './gateway-model.js';
import type { Change } from './key-model.js';
import type { Op } from './plain-ops.js';
import { Get, List, ListGroups, ListKeys } from './reads.js';
import { CACHED_SCOPE, type Site } from './site.js';
import { type OwnWrite, Writes } from './writes.js';

/** Few, so that commands meet, and each a name that something could mistake for more than a name. */
const scope = mostly(['s', CACHED_SCOPE], ['', '__proto__', 'a/b\u0000\u{1f600}']);
const key = mostly(['k'], ['', '__proto__', 'k/\uffff']);
const member = fc.constantFrom('a', 'b', 'a.b', '__proto__', 'constructor');

const integer: fc.Arbitrary<number | bigint> = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: -3, max: 3 }) },
  { weight: 1, arbitrary: fc.constantFrom(2n ** 53n + 1n, -(2n ** 53n) - 1n, 2n ** 63n - 1n, -(2n ** 63n)) },
);
const scalar: fc.Arbitrary<Json> = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  integer,
  fc.constantFrom<Json>(2n ** 64n - 1n, new WholeFloat(2), 0.5, new WholeFloat(1e300)),
  fc.constantFrom('', 'a', 'ü\u{1f600}', '\u0000"\\'),
);
const value: fc.Arbitrary<Json> = fc.oneof(
  { weight: 2, arbitrary: scalar },
  { weight: 1, arbitrary: fc.array(scalar, { maxLength: 3 }) },
  { weight: 3, arbitrary: objectOf(fc.oneof(scalar, fc.array(scalar, { maxLength: 2 }), objectOf(scalar))) },
);

const field = fc.oneof(fc.constant(''), member);
const path = fc.oneof(
  field,
  fc.array(fc.oneof({ weight: 8, arbitrary: member }, fc.constant('')), { maxLength: 3 }),
);
const by = integer;
const op: fc.Arbitrary<Op> = fc.oneof(
  fc.record({ type: fc.constant('set' as const), path: field, value }),
  fc.record({ type: fc.constant('merge' as const), path, value: fc.oneof(objectOf(scalar), value) }),
  fc.record({ type: fc.constantFrom('increment' as const, 'decrement' as const), path: field, by }),
  fc.record({ type: fc.constant('append' as const), path, value: scalar }),
  fc.record({ type: fc.constant('remove' as const), path: field }),
);
const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('set' as const), value }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'delete' as const }) },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('update' as const), ops: fc.array(op, { maxLength: 3 }) }),
  },
);
const write: fc.Arbitrary<OwnWrite> = fc.record({ scope, key, change });
const wishes = fc.constantFrom({}, {}, { with_meta: true as const }, { consistency: 'remote' as const });

type Command = fc.AsyncCommand<GatewayModel, Site>;

/** fast-check picks each of a list equally often, so what shall come more often stands there more than once. */
const commands: fc.Arbitrary<Command>[] = [
  ...times(
    5,
    write.map((each) => new Writes([each])),
  ),
  fc.array(write, { minLength: 2, maxLength: 4 }).map((each) => new Writes(each)),
  ...times(
    4,
    fc.tuple(scope, key, wishes).map(([s, k, w]) => new Get(s, k, w)),
  ),
  ...times(
    2,
    scope.map((s) => new List(s)),
  ),
  fc.constant(new ListGroups()),
  fc
    .tuple(scope, fc.constantFrom('state::list_keys' as const, 'state::list_entries' as const))
    .map(([s, id]) => new ListKeys(s, id)),
  ...times(2, fc.constant(new Cut())),
  fc.constant(new Restore()),
  fc.constant(new Settle()),
  fc.constant(new Restart()),
  fc.tuple(scope, key, fc.option(value, { nil: undefined })).map(([s, k, v]) => new Elsewhere(s, k, v)),
];

/** The life of a gateway. */
export function lives(maxCommands: number, replayPath?: string): fc.Arbitrary<Iterable<Command>> {
  return fc.commands(commands, { maxCommands, size: 'max', ...(replayPath ? { replayPath } : {}) });
}

function objectOf(item: fc.Arbitrary<Json>): fc.Arbitrary<JsonObject> {
  return fc.array(fc.tuple(member, item), { maxLength: 3 }).map((members) => {
    const object: JsonObject = {};
    for (const [name, each] of members) setMember(object, name, each);
    return object;
  });
}

/** Most commands are about the same few keys. */
function mostly(favourites: string[], others: string[]): fc.Arbitrary<string> {
  return fc.oneof(fc.constantFrom(...favourites), fc.constantFrom(...favourites, ...others));
}

function times<T>(count: number, item: T): T[] {
  return Array.from({ length: count }, () => item);
}
