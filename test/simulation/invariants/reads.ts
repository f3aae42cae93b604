/** What must hold of each read (promises, section 3). */
import { isObject, type Json, member, printJson } from '../../../src/protocol/json.js';
import type { History, MadeRead, MadeWrite } from '../history.js';
import { isOutcomeUnknown, nameOf } from '../history.js';
import { FEED_MS } from '../link.js';
import type { PlannedKey } from '../plan.js';
import type { Violations } from './now.js';
import { endOf } from './writes.js';

/** unknown-is-not-absent, modes: a value told is one that the remote has held, and a fresh one that it held just now. */
export function readsAreTrue(history: History): Violations {
  return history.reads.flatMap((read) => {
    const shown = shownBy(read);
    if (!shown || shown.source === 'local') return [];
    const { scope, key } = read.key;
    const held = history.engine.state.historyOf(scope, key);
    const since = sinceWhen(read, shown);
    const isTrue = held.some(
      ({ at, text }, index) => text === shown.text && at <= shown.at && endOf(held, index) >= since,
    );
    if (isTrue) return [];
    return [`reads: of ${scope}/${key} was told ${shown.text} (${shown.source}), which was not so`];
  });
}

function sinceWhen({ at, wasFresh }: MadeRead, { source }: Shown): number {
  if (source === 'remote') return at;
  return wasFresh ? at - FEED_MS : 0;
}

/** read-your-writes: a read that began after a write was answered shows it, or one that came after. */
export function readYourWrites(history: History): Violations {
  return history.reads.flatMap((read) => {
    const shown = shownBy(read);
    if (!shown || !history.isOurs(read)) return [];
    const last = history.writes.slice(0, read.after).findLast(({ key }) => key === read.key);
    const isQuiet = !history.writes.slice(read.after, read.before).some(({ key }) => key === read.key);
    if (!last || !isQuiet || last.told?.kind !== 'result' || last.told.at > read.at) return [];
    // One that an operator had to decide about was pending for nobody meanwhile.
    if ((last.receipt && last.receipt.status !== 'committed') || last.seqs.length > 1) return [];
    if (history.ruleOf(last).conflict === 'function') return []; // which may have put another value in its place
    const earlier = history.writes.slice(0, last.number);
    if (earlier.some(({ key, told, times }) => key === read.key && (times > 1 || told?.kind !== 'result'))) {
      return []; // one whose caller was told nothing may be executed at any time
    }
    // What was only learnt of the remote may be older after a crash.
    if (shown.source === 'mirror' && history.hasEndedBetween(last.told.at, read.at)) return [];
    // A known gap: what the failed disk did not take of a settled write, its key's value is not known either.
    if (shown.source === 'mirror' && (read.wasBroken || isCached(history, read))) return [];
    if (showsWrite(shown, last)) return [];
    return [`read-your-writes: a read shows ${shown.text} (${shown.source}), not ${nameOf(last)}`];
  });
}

/** The mirror's values are those of the remote once all is settled and nobody else writes. */
export function mirrorIsRightAtTheEnd(
  history: History,
  peek: (scope: string, key: string) => { kind: string; text?: string },
): Violations {
  if (history.ends.length > 0) return [];
  return history.plan.keys.flatMap((planned) => {
    const { scope, key } = planned;
    const known = peek(scope, key);
    if (!history.isOurs({ key: planned }) || known.kind === 'unknown') return [];
    if (isCached(history, { key: planned })) return [];
    // A known gap: a read learns what the key held before a write of unknown outcome that is executed later.
    if (history.writes.some((write) => write.key === planned && isOutcomeUnknown(write))) return [];
    const text = known.kind === 'value' ? known.text : undefined;
    const holds = history.engine.state.historyOf(scope, key).at(-1)?.text;
    if (text === holds) return [];
    return [`mirror: of ${scope}/${key} it knows ${text} at the end, the remote holds ${holds}`];
  });
}

/** A known gap: events of our own writes that come late may begin with what the key holds again by then. */
export function isCached(history: History, { key }: { key: PlannedKey }): boolean {
  return history.ruleOf({ key }).consistency === 'cache';
}

interface Shown {
  at: number;
  source: Json | undefined;
  value: Json | undefined;
  text: string | undefined;
}

function shownBy({ told }: MadeRead): Shown | undefined {
  if (told?.kind !== 'result' || !isObject(told.value)) return undefined;
  const value = member(told.value, 'value');
  const text = value === undefined ? undefined : printJson(value);
  return { at: told.at, source: member(told.value, 'source'), value, text };
}

function showsWrite({ text, value }: Shown, { kind, number }: MadeWrite): boolean {
  switch (kind) {
    case 'delete':
      return text === undefined;
    case 'add': {
      const list = isObject(value) ? member(value, 'list') : undefined;
      return Array.isArray(list) && list.includes(number);
    }
    default:
      return isObject(value) && member(value, 'id') === number;
  }
}
