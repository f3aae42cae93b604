import { isObject, type Json, member, parseJson, printJson } from '../../protocol/json.js';
import type { Database } from '../../storage/database.js';
import { ABSENT, type Known } from '../view.js';
import { ALL_LISTS, GROUPS_KEY, listId, nameOf } from './layout.js';
import { fold, type ScopeChange } from './scope-snapshot.js';
import type { MirrorStore } from './store.js';

/** A larger list is not kept. */
const MOST_BYTES = 4 * 2 ** 20;
/** With more changes than these a list is no longer worth folding. */
const MOST_CHANGES = 1000;
const MOST_CHANGE_BYTES = 2 ** 20;
/** So long after a list an event may still tell of a change that is in it. */
const LATE_EVENT_MS = 2000;

/** A list that was asked for and has not been answered. */
export interface ListInQuestion {
  readonly scope: string;
  readonly issuedAt: number;
  /** A write or an event came between: nobody can say whether it is in the answer. */
  disturbed: boolean;
}

/** A question for all scopes, and those that came into being since it was asked. */
export interface GroupsInQuestion {
  readonly created: Set<string>;
}

/** What the database holds of one scope's list. */
interface Snapshot {
  changes: number;
  changeBytes: number;
  answeredAt: number;
}

/** A list as it is known, in text, since it is mostly passed on as it came. */
export interface KnownList {
  text: string;
  at: number;
}

/**
 * Lists of whole scopes, kept up to date by the changes we hear of, and the names of all scopes. The lists themselves
 * are in the mirror's store; here is only which there are.
 */
export class ScopeSnapshots {
  private readonly snapshots = new Map<string, Snapshot>();
  private readonly asked = new Map<string, Set<ListInQuestion>>();
  private readonly writes = new Map<string, number>();
  private readonly groupsAsked = new Set<GroupsInQuestion>();
  private groups: Set<string> | undefined;

  private constructor(
    private readonly store: MirrorStore,
    private readonly now: () => number,
  ) {}

  static async load(database: Database, store: MirrorStore, now: () => number): Promise<ScopeSnapshots> {
    const scopes = new ScopeSnapshots(store, now);
    for await (const id of database.level.keys(ALL_LISTS)) scopes.find(id);
    scopes.groups = groupsIn(store.get(GROUPS_KEY)?.known);
    return scopes;
  }

  /** Whether changes to the scope should be reported: nobody needs to read an answer for any other. */
  hasSnapshot(scope: string): boolean {
    return this.snapshots.has(scope);
  }

  /** A write of ours to the scope leaves. It is over when it was answered, or cannot be executed any more. */
  writeStarted(scope: string): void {
    this.writes.set(scope, (this.writes.get(scope) ?? 0) + 1);
    this.disturb(scope);
  }

  writeEnded(scope: string): void {
    const left = (this.writes.get(scope) ?? 0) - 1;
    if (left > 0) this.writes.set(scope, left);
    else this.writes.delete(scope);
    this.disturb(scope);
  }

  /** A list of the scope is about to be asked for; `learnList` or `giveUp` ends it. */
  beginList(scope: string): ListInQuestion {
    const question = { scope, issuedAt: this.now(), disturbed: this.writes.has(scope) };
    const others = this.asked.get(scope);
    if (others) others.add(question);
    else this.asked.set(scope, new Set([question]));
    return question;
  }

  giveUp(question: ListInQuestion): void {
    const others = this.asked.get(question.scope);
    others?.delete(question);
    if (others?.size === 0) this.asked.delete(question.scope);
  }

  /** Keeps the answer to a list, unless something happened in the scope meanwhile. Says whether it was kept. */
  learnList(question: ListInQuestion, text: string): boolean {
    this.giveUp(question);
    const { scope, disturbed } = question;
    if (disturbed) return false;
    this.drop(scope);
    if (text.length > MOST_BYTES) return false;
    this.snapshots.set(scope, { changes: 0, changeBytes: 0, answeredAt: this.now() });
    this.store.learn(listId(scope, 0), { kind: 'value', text }, undefined);
    return true;
  }

  /**
   * An answered write of ours changed a key.
   * @param before what the answer says the key held; undefined: it does not say
   */
  changed(scope: string, before: Known | undefined, after: Known): void {
    const snapshot = this.snapshots.get(scope);
    if (!snapshot || (before && sameKnown(before, after))) return;
    const text = before ? changeText(before, after) : '';
    const isTooMuch =
      snapshot.changes >= MOST_CHANGES || snapshot.changeBytes + text.length > MOST_CHANGE_BYTES;
    if (!before || isTooMuch) {
      this.drop(scope);
      return;
    }
    snapshot.changes += 1;
    snapshot.changeBytes += text.length;
    this.store.learn(listId(scope, snapshot.changes), { kind: 'value', text }, undefined);
  }

  /** An event told of somebody else's change, which is not an echo of our own: each change counts once. */
  changedElsewhere(scope: string, before: Known | undefined, after: Known): void {
    this.disturb(scope);
    const snapshot = this.snapshots.get(scope);
    if (!snapshot) return;
    if (this.now() - snapshot.answeredAt < LATE_EVENT_MS) this.drop(scope);
    else this.changed(scope, before, after);
  }

  /** Nobody knows any more what the scope holds as a whole. */
  drop(scope: string): void {
    const snapshot = this.snapshots.get(scope);
    if (!snapshot) return;
    this.snapshots.delete(scope);
    for (let change = 0; change <= snapshot.changes; change += 1) this.store.forget(listId(scope, change));
  }

  /** The scope's values in order, as far as we know the whole of it. */
  listOf(scope: string): KnownList | undefined {
    const snapshot = this.snapshots.get(scope);
    if (!snapshot) return undefined;
    const list = this.store.get(listId(scope, 0));
    if (list?.known.kind !== 'value') return this.forgotten(scope);
    const { text } = list.known;
    if (snapshot.changes === 0) return { text, at: list.at };
    const values = parseJson(text);
    const changes = this.changesOf(scope, snapshot);
    const folded = Array.isArray(values) && changes ? fold(values, changes) : undefined;
    return folded ? { text: printJson(folded), at: list.at } : this.forgotten(scope);
  }

  /** All scopes are about to be asked for; `learnGroups` or `giveUpGroups` ends it. */
  beginGroups(): GroupsInQuestion {
    const question = { created: new Set<string>() };
    this.groupsAsked.add(question);
    return question;
  }

  giveUpGroups(question: GroupsInQuestion): void {
    this.groupsAsked.delete(question);
  }

  learnGroups(question: GroupsInQuestion, text: string): void {
    this.giveUpGroups(question);
    const groups = text.length > MOST_BYTES ? undefined : groupsIn({ kind: 'value', text });
    this.groups = groups;
    if (!groups) {
      this.store.forget(GROUPS_KEY);
      return;
    }
    for (const scope of question.created) groups.add(scope);
    this.store.learn(GROUPS_KEY, new GroupsText(groups), undefined);
  }

  /** The scope holds a value, so it will be listed; also when it is emptied again, as an engine does it. */
  exists(scope: string): void {
    for (const { created } of this.groupsAsked) created.add(scope);
    if (!this.groups || this.groups.has(scope)) return;
    this.groups.add(scope);
    this.store.learn(GROUPS_KEY, new GroupsText(this.groups), undefined);
  }

  /** The names of all scopes, if we know them. */
  allScopes(): { scopes: ReadonlySet<string>; at: number } | undefined {
    const at = this.store.get(GROUPS_KEY)?.at;
    return this.groups && at !== undefined ? { scopes: this.groups, at } : undefined;
  }

  private disturb(scope: string): void {
    if (this.asked.size === 0) return;
    for (const question of this.asked.get(scope) ?? []) question.disturbed = true;
  }

  /** A list comes before its changes in the database's order. */
  private find(id: string): void {
    const name = nameOf(id);
    if (name.kind !== 'list') return;
    const snapshot = this.snapshots.get(name.scope);
    if (name.change === 0) {
      this.snapshots.set(name.scope, { changes: 0, changeBytes: 0, answeredAt: 0 });
    } else if (snapshot) {
      snapshot.changes = Math.max(snapshot.changes, name.change);
    }
  }

  private changesOf(scope: string, { changes }: Snapshot): ScopeChange[] | undefined {
    const found: ScopeChange[] = [];
    for (let change = 1; change <= changes; change += 1) {
      const known = this.store.get(listId(scope, change))?.known;
      if (known?.kind !== 'value') return undefined;
      found.push(readChange(known.text));
    }
    return found;
  }

  private forgotten(scope: string): undefined {
    this.drop(scope);
    return undefined;
  }
}

/** The names of all scopes, printed when they are written. */
class GroupsText {
  readonly kind = 'value';
  private printed: string | undefined;

  constructor(private readonly groups: ReadonlySet<string>) {}

  get text(): string {
    this.printed ??= printJson({ groups: [...this.groups] });
    return this.printed;
  }
}

function groupsIn(known: Known | undefined): Set<string> | undefined {
  if (known?.kind !== 'value') return undefined;
  const document = parseJson(known.text);
  const groups = isObject(document) ? member(document, 'groups') : undefined;
  return Array.isArray(groups) ? new Set(groups.filter((name) => typeof name === 'string')) : undefined;
}

/** A change as text, made without parsing its values; what is absent is left out. */
function changeText(before: Known, after: Known): string {
  const parts: string[] = [];
  if (before.kind === 'value') parts.push(`"before":${before.text}`);
  if (after.kind === 'value') parts.push(`"after":${after.text}`);
  return `{${parts.join(',')}}`;
}

function readChange(text: string): ScopeChange {
  const change = parseJson(text);
  const known = (name: string): Known => {
    const value: Json | undefined = isObject(change) ? member(change, name) : undefined;
    return value === undefined ? ABSENT : { kind: 'value', text: printJson(value) };
  };
  return { before: known('before'), after: known('after') };
}

function sameKnown(a: Known, b: Known): boolean {
  if (a.kind === 'absent' || b.kind === 'absent') return a.kind === b.kind;
  return a.text === b.text;
}
