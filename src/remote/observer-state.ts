/**
 * What an engine says of an observer of ours (observe 3.2): once in answer to `observe`, then at every change. Only
 * newer engines send it, and only to who observes, so it is no message of the worker protocol that everybody reads.
 */
import type { ErrorBody } from '../errors.js';
import { isObject, parseJson } from '../protocol/json.js';
import { Malformed, Members, present } from '../protocol/members.js';

export interface ObserverState {
  type: 'observerstate';
  /** The id that we gave it. */
  id: string;
  /** It counts only while this is `active`. */
  state: string;
  /** Why it is refused. */
  error?: ErrorBody;
}

const LOOKS_LIKE_ONE = /"type"\s*:\s*"observe(?:result|rstatechanged)"/;

/** The state that a frame tells; `undefined` if it is about something else. */
export function observerStateIn(text: string): ObserverState | undefined {
  if (!LOOKS_LIKE_ONE.test(text)) return undefined;
  try {
    const value = parseJson(text);
    return isObject(value) ? readState(new Members(value)) : undefined;
  } catch (error) {
    if (error instanceof Malformed || error instanceof SyntaxError || error instanceof RangeError)
      return undefined;
    throw error;
  }
}

function readState(frame: Members): ObserverState | undefined {
  const type = frame.string('type');
  if (type !== 'observeresult' && type !== 'observerstatechanged') return undefined;
  const state = frame.string('state');
  return {
    type: 'observerstate',
    id: frame.string('id'),
    state,
    ...present('error', state === 'error' ? errorOf(frame) : undefined),
  };
}

/** The answer calls it `error`, a later change `reason`. */
function errorOf(frame: Members): ErrorBody | undefined {
  return frame.error() ?? new Members({ error: frame.value('reason') ?? null }).error();
}
