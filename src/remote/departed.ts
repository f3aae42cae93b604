import { isObject, type Json, member } from '../protocol/json.js';
import { type Asked, ask } from './ask.js';

/**
 * Whether the engine has let go of the worker that we were on an earlier connection. It is a sign only: the row goes
 * at once, and frames of that worker may still be executed for a while (replication 3). An engine that does not
 * answer, or not in a way that can be read, has let go of nobody.
 */
export async function hasLeft(link: Asked, workerId: string): Promise<boolean> {
  const answer = await ask(link, 'engine::workers::list', {}).catch(() => undefined);
  const present = workerIdsIn(answer);
  return present !== undefined && !present.includes(workerId);
}

/** The ids of the workers listed; `undefined` for an answer that does not name every one of them. */
function workerIdsIn(answer: Json | undefined): string[] | undefined {
  const rows = isObject(answer) ? member(answer, 'workers') : undefined;
  if (!Array.isArray(rows)) return undefined;
  const ids = rows.map((row) => (isObject(row) ? member(row, 'id') : undefined));
  return ids.every((id) => typeof id === 'string') ? ids : undefined;
}
