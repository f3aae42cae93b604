import { setTimeout as delay } from 'node:timers/promises';
import pRetry, { AbortError } from 'p-retry';
import { GatewayError, messageOf } from '../errors.js';
import type { Logger } from '../logger.js';
import { isObject, type Json, member } from '../protocol/json.js';
import { type Asked, ask } from './ask.js';

export interface Confirming {
  link: Asked;
  /** The function that the triggers call. */
  functionId: string;
  /** Is told the ids of the triggers that are live; says whether those are all. */
  isConfirmed(live: ReadonlySet<string>): boolean;
  logger: Logger;
  signal: AbortSignal;
}

/** An engine files a trigger in a task of its own: asked at once it would mostly not know it yet. */
const FIRST_MS = 20;
/** Then it is asked again and again, less and less often: what provides the triggers may not be there yet. */
const RETRY_MS = { minTimeout: 50, maxTimeout: 30_000 };
/** After so many questions, about six seconds, somebody is told. */
const TOLD_AFTER = 8;

/** Asks the engine for its live triggers until all of ours are among them; an answered call is no proof (0.23). */
export async function confirmTriggers(confirming: Confirming): Promise<void> {
  const { signal, logger } = confirming;
  try {
    await delay(FIRST_MS, undefined, { signal, ref: false });
    await pRetry(() => confirmOnce(confirming), {
      ...RETRY_MS,
      retries: Number.POSITIVE_INFINITY,
      unref: true,
      signal,
      onFailedAttempt: ({ error, attemptNumber }) => {
        if (attemptNumber === TOLD_AFTER && !signal.aborted) tell(logger, error);
      },
    });
  } catch (error) {
    if (!signal.aborted) tell(logger, error);
  }
}

async function confirmOnce({ link, functionId, isConfirmed }: Confirming): Promise<void> {
  const answer = await listTriggers(link, functionId);
  if (!isConfirmed(idsIn(answer))) throw new Error('it does not list all of them');
}

/** @throws AbortError for an error answer: asked again the engine would say the same. */
async function listTriggers(link: Asked, functionId: string): Promise<Json | undefined> {
  const filter = { trigger_type: 'state', function_id: functionId, include_internal: true };
  try {
    return await ask(link, 'engine::registered-triggers::list', filter);
  } catch (error) {
    if (error instanceof GatewayError && !isOurs(error)) throw new AbortError(error);
    throw error;
  }
}

/** The link's own errors, as opposed to the engine's. */
function isOurs({ code }: GatewayError): boolean {
  return code === 'GATEWAY_TIMEOUT' || code === 'GATEWAY_OFFLINE' || code === 'GATEWAY_OUTCOME_UNKNOWN';
}

function idsIn(answer: Json | undefined): Set<string> {
  const rows = isObject(answer) ? member(answer, 'registered_triggers') : undefined;
  if (!Array.isArray(rows)) return new Set();
  const ids = rows.map((row) => (isObject(row) ? member(row, 'id') : undefined));
  return new Set(ids.filter((id) => typeof id === 'string'));
}

function tell(logger: Logger, error: unknown): void {
  logger.warn(
    { reason: messageOf(error) },
    'the remote engine does not confirm that it tells us of changes: they may be missed',
  );
}
