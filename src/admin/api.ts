import { GatewayError } from '../errors.js';
import type { Operator, QuarantinedWrite } from '../replication/operator.js';
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

/** A page of the quarantine. */
export interface QuarantinePage {
  quarantined: QuarantinedWrite[];
  /** `after` of the next page, if there may be one. */
  next?: number;
}

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
      return json(200, await pageOf(operator, route.after, route.limit));
    case 'quarantined':
      return json(200, present(operator).showQuarantined(route.seq));
    case 'retry':
      return json(200, await present(operator).retryQuarantined(route.seq));
    case 'drop':
      return json(200, { dropped: await drop(present(operator), route.seq) });
    case 'receipt':
      return json(200, await receiptOf(operator, route.receipt, route.waitMs));
    case 'drain':
      present(operator).drain();
      return json(200, { draining: true });
  }
}

async function pageOf(operator: Operator | undefined, after: number, limit: number): Promise<QuarantinePage> {
  const quarantined = (await operator?.listQuarantine(after, limit)) ?? [];
  const last = quarantined.at(-1);
  return { quarantined, ...(last && quarantined.length === limit && { next: last.seq }) };
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
    'This gateway has no remote engine that writes wait for: it has no quarantine, and nothing to drain',
  );
}
