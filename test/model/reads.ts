import { Buffer } from 'node:buffer';
import type fc from 'fast-check';
import type { Json, JsonObject } from '../../src/protocol/json.js';
import type { Answer } from './exact-worker.js';
import type { GatewayModel } from './gateway-model.js';
import { type KeyModel, known, sameValue, sameView, type View } from './key-model.js';
import type { Site } from './site.js';
import {
  demand,
  hasExactly,
  isListOf,
  objectIn,
  sameTexts,
  shownValue,
  shownViews,
  viewIn,
} from './verdicts.js';

type ReadCommand = fc.AsyncCommand<GatewayModel, Site>;

/** What was written is read; what is not known is called unknown, never absent. */
export class Get implements ReadCommand {
  constructor(
    private readonly scope: string,
    private readonly key: string,
    private readonly wishes: { with_meta?: true; consistency?: 'remote' },
  ) {}

  check(): boolean {
    return true;
  }

  async run(model: GatewayModel, site: Site): Promise<void> {
    const answer = await site.call('state::get', { scope: this.scope, key: this.key, ...this.wishes });
    const key = model.key(this.scope, this.key);
    const allowed = model.viewsOf(key);
    const bare = this.wishes.with_meta ? this.withoutMeta(answer, model, key) : answer;
    const view = viewIn(bare);
    const fits = view !== undefined && allowed.some((each) => sameView(each, view));
    demand(fits, String(this), answer, shownViews(allowed));
    this.note(model, key, view);
  }

  toString(): string {
    return `get ${JSON.stringify([this.scope, this.key])} ${JSON.stringify(this.wishes)}`;
  }

  private note(model: GatewayModel, key: KeyModel, view: View): void {
    if (model.link === 'up') key.learnt();
    else if (model.link === 'returning') key.mirror.push(known(key.hub));
    else if (!key.isTorn) key.narrow((each) => sameView(each, view));
  }

  private withoutMeta(answer: Answer, { link }: GatewayModel, { pending, isTorn }: KeyModel): Answer {
    const shell = objectIn(answer);
    if (!shell) return answer;
    const { value, source, age_ms, pending: isPending } = shell;
    const names = ['source', 'age_ms', 'pending', ...(value === undefined ? [] : ['value'])];
    demand(hasExactly(shell, names) && Number(age_ms) >= 0, String(this), answer, 'the members of with_meta');
    demand(
      isPending === (source === 'local'),
      String(this),
      answer,
      'pending with own writes, and only then',
    );
    if (link === 'down' && !isTorn) {
      const expected = pending.length > 0 ? 'local' : 'mirror';
      demand(source === expected, String(this), answer, `source ${expected}`);
    }
    if (link === 'up') demand(source !== 'local', String(this), answer, 'nothing pending');
    return value === undefined ? { kind: 'no-result' } : { kind: 'result', value };
  }
}

/** A list is the whole scope, own writes included, or an error. */
export class List implements ReadCommand {
  constructor(private readonly scope: string) {}

  check(): boolean {
    return true;
  }

  async run(model: GatewayModel, site: Site): Promise<void> {
    const answer = await site.call('state::list', { scope: this.scope });
    const keys = [...model.keysOf(this.scope).values()];
    if (answer.kind === 'error') {
      demand(model.link !== 'up' && isUnknown(answer, model), String(this), answer, 'an answer');
      return;
    }
    const mayKnow = model.link !== 'down' || model.listedScopes.has(this.scope);
    demand(mayKnow, String(this), answer, 'no list of this scope so far');
    const possible = keys.map((key) => model.listedViewsOf(key));
    const values = answer.kind === 'result' && Array.isArray(answer.value) ? answer.value : undefined;
    const fits = values !== undefined && (model.mayMistakeList(this.scope) || isListOf(values, possible));
    demand(fits, String(this), answer, possible.map((each) => each.map(shownValue).join(' or ')).join(', '));
    this.note(model, keys);
  }

  toString(): string {
    return `list ${JSON.stringify(this.scope)}`;
  }

  private note(model: GatewayModel, keys: readonly KeyModel[]): void {
    if (model.link === 'down') return;
    model.listedScopes.add(this.scope);
    for (const key of keys) {
      if (model.link === 'up') key.listedByHub();
      else key.listed.push(key.drained, key.hub);
    }
  }
}

/** All scopes with a value are named, and none that never had one. */
export class ListGroups implements ReadCommand {
  check(): boolean {
    return true;
  }

  async run(model: GatewayModel, site: Site): Promise<void> {
    const answer = await site.call('state::list_groups', {});
    if (answer.kind === 'error') {
      const mayBeUnknown = model.link !== 'up' && model.groups === undefined;
      demand(mayBeUnknown && isUnknown(answer, model), String(this), answer, 'an answer');
      return;
    }
    demand(model.link !== 'down' || model.groups !== undefined, String(this), answer, 'no groups so far');
    const named = textsUnder(answer, 'groups');
    demand(named !== undefined, String(this), answer, 'groups');
    const inOrder = [...named].sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
    const isOrdered = named.join() === inOrder.join() && new Set(named).size === named.length;
    demand(isOrdered, String(this), answer, 'each once, in the order of bytes');
    const { least, most } = this.bounds(model);
    const fits =
      least.every((scope) => named.includes(scope)) && named.every((scope) => most.includes(scope));
    demand(fits, String(this), answer, `at least ${JSON.stringify(least)}, at most ${JSON.stringify(most)}`);
    if (model.link === 'up') model.groups = new Set(named);
    if (model.link === 'returning') model.groups = new Set([...named, ...(model.groups ?? [])]);
  }

  toString(): string {
    return 'list_groups';
  }

  private bounds(model: GatewayModel): { least: string[]; most: string[] } {
    const least: string[] = [];
    for (const [scope, keys] of model.allScopes()) {
      const isNamed = model.groups?.has(scope) ?? false;
      const surelyHolds = [...keys.values()].some(
        (key) =>
          (model.link === 'up' || isNamed || key.pending.length > 0) &&
          model.viewsOf(key).every((view) => view.kind === 'known' && view.value !== undefined),
      );
      if (surelyHolds) least.push(scope);
    }
    return { least, most: model.link === 'up' ? least : [...model.everHeld] };
  }
}

/** Names of keys, with or without their values, are the hub's to tell. */
export class ListKeys implements ReadCommand {
  constructor(
    private readonly scope: string,
    private readonly functionId: 'state::list_keys' | 'state::list_entries',
  ) {}

  check(): boolean {
    return true;
  }

  async run(model: GatewayModel, site: Site): Promise<void> {
    const answer = await site.call(this.functionId, { scope: this.scope });
    if (answer.kind === 'error') {
      const isOffline = answer.code === 'GATEWAY_OFFLINE' || answer.code === 'GATEWAY_TIMEOUT';
      demand(model.link !== 'up' && isOffline, String(this), answer, 'an answer');
      return;
    }
    demand(model.link !== 'down', String(this), answer, 'nobody to ask');
    const present = [...model.keysOf(this.scope)].flatMap(([key, each]) =>
      each.drained === undefined ? [] : [{ key, value: each.drained }],
    );
    const names = present.map(({ key }) => key);
    const fits =
      this.functionId === 'state::list_keys'
        ? sameTexts(textsUnder(answer, 'keys') ?? ['no keys'], names)
        : isWholePage(objectIn(answer), present);
    demand(fits, String(this), answer, JSON.stringify(names));
  }

  toString(): string {
    return `${this.functionId} ${JSON.stringify(this.scope)}`;
  }
}

function isUnknown(answer: Answer & { kind: 'error' }, { link }: GatewayModel): boolean {
  return (
    answer.code === 'GATEWAY_OFFLINE_UNKNOWN' || (link === 'returning' && answer.code === 'GATEWAY_TIMEOUT')
  );
}

function textsUnder(answer: Answer, name: string): string[] | undefined {
  const object = objectIn(answer);
  const texts = object && hasExactly(object, [name]) ? object[name] : undefined;
  return Array.isArray(texts) && texts.every((text) => typeof text === 'string') ? texts : undefined;
}

function isWholePage(
  page: JsonObject | undefined,
  present: readonly { key: string; value: Json }[],
): boolean {
  const { entries, next_cursor, done, offset, total } = page ?? {};
  return (
    done === true &&
    next_cursor === null &&
    offset === 0 &&
    total === present.length &&
    Array.isArray(entries) &&
    entries.length === present.length &&
    present.every(({ key, value }) => entries.some((entry) => sameValue(entry, [key, value])))
  );
}
