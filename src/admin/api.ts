import { GatewayError } from '../errors.js';
import type { Conflict, Operator, QuarantinedInput, QuarantinedWrite } from '../replication/operator.js';
import type { LostWrite } from '../replication/retain/lost-writes.js';
import { type Answer, json } from './answer.js';
import { receiptOf } from './gateway-functions.js';
import type { Metrics } from './metrics.js';
import type { Route } from './routes.js';
import { type GatewayStatus, readinessOf } from './status.js';

export interface ApiContext {
  status: () => GatewayStatus;
  metrics: Metrics;
  /** Undefined where this gateway replicates nothing. */
  operator: Operator | undefined;
}

interface Page {
  /** `after` of the next page, if there may be one. */
  next?: number;
}

/** A page of the quarantine. */
export interface QuarantinePage extends Page {
  quarantined: QuarantinedWrite[];
}

/** The same with inputs. */
export interface InputsPage extends Page {
  quarantined: QuarantinedInput[];
}

export interface ConflictsPage extends Page {
  conflicts: Conflict[];
}

/** What the remote had confirmed and lost. */
export interface LostPage extends Page {
  lost: LostWrite[];
}

/** A page with values ends when it holds this much, or more with its last one. */
const MAX_PAGE_BYTES = 4 * 1024 * 1024;

/**
 * The answer to a request that has passed the guard.
 * @throws GatewayError what the operator cannot do, or does not know.
 */
export async function answerRoute(route: Route, { status, metrics, operator }: ApiContext): Promise<Answer> {
  switch (route.kind) {
    case 'health':
      return json(200, { status: 'alive' });
    case 'readiness': {
      const readiness = readinessOf(status());
      return json(readiness.ready ? 200 : 503, readiness);
    }
    case 'metrics':
      return { status: 200, headers: { 'Content-Type': metrics.contentType }, body: await metrics.text() };
    case 'status':
      return json(200, status());
    case 'quarantine':
      return json(200, await quarantinePage(operator, route));
    case 'inputs':
      return json(200, await inputsPage(operator, route));
    case 'quarantined':
      return json(200, present(operator).showQuarantined(route.seq));
    case 'edit':
      return json(200, await present(operator).editQuarantined(route.seq, route.input));
    case 'retry':
      return json(200, await present(operator).retryQuarantined(route.seq));
    case 'drop':
      return json(200, { dropped: await drop(present(operator), route.seq) });
    case 'conflicts':
      return json(200, await conflictsPage(operator, route));
    case 'lost':
      return json(200, await lostPage(operator, route));
    case 'conflict':
      return json(200, present(operator).showConflict(route.number));
    case 'receipt':
      return json(200, await receiptOf(operator, route.receipt, route.waitMs));
    case 'drain':
      present(operator).drain();
      return json(200, { draining: true });
  }
}

interface Wanted {
  after: number;
  limit: number;
}

async function quarantinePage(
  operator: Operator | undefined,
  { after, limit }: Wanted,
): Promise<QuarantinePage> {
  const quarantined = (await operator?.listQuarantine(after, limit)) ?? [];
  const last = quarantined.at(-1);
  return { quarantined, ...(last && quarantined.length === limit && { next: last.seq }) };
}

async function inputsPage(operator: Operator | undefined, { after, limit }: Wanted): Promise<InputsPage> {
  const quarantined: QuarantinedInput[] = [];
  let bytes = 0;
  for await (const write of operator?.quarantinedInputs(after) ?? []) {
    quarantined.push(write);
    bytes += write.bytes;
    if (quarantined.length === limit || bytes >= MAX_PAGE_BYTES) return { quarantined, next: write.seq };
  }
  return { quarantined };
}

async function conflictsPage(
  operator: Operator | undefined,
  { after, limit }: Wanted,
): Promise<ConflictsPage> {
  const conflicts = (await operator?.listConflicts(after, limit)) ?? [];
  const last = conflicts.at(-1);
  return { conflicts, ...(last && conflicts.length === limit && { next: last.number }) };
}

async function lostPage(operator: Operator | undefined, { after, limit }: Wanted): Promise<LostPage> {
  const lost = (await operator?.listLost(after, limit)) ?? [];
  const last = lost.at(-1);
  return { lost, ...(last && lost.length === limit && { next: last.number }) };
}

/** Tells afterwards what it was, without its value. */
async function drop(operator: Operator, seq: number): Promise<QuarantinedWrite> {
  const { input: _, ...write } = operator.showQuarantined(seq);
  await operator.dropQuarantined(seq);
  return write;
}

function present(operator: Operator | undefined): Operator {
  if (operator) return operator;
  throw new GatewayError(
    'GATEWAY_NOT_FOUND',
    'This gateway has no remote engine that writes wait for: it has no quarantine, no conflicts, and nothing to drain',
  );
}
