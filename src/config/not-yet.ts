/**
 * Options that have a name, a default and bounds in the schema, but no code behind them in this version.
 * To let one in, delete its line here and show it in `config/default.yaml`.
 */

/** Refused, because a site would rely on them. */
export const refusedYet = new Map<string, string>([
  ['iii-state-gateway.provider', 'serving a local engine as its State comes in a later version'],
  ['iii-state-gateway.functions', 'choosing functions that travel comes in a later version'],
  ['iii-state-gateway.breaker', 'the circuit breaker comes in a later version'],
  ['iii-state-gateway.drain', 'the replay of logged writes comes in a later version'],
  ['iii-state-gateway.scopes', 'rules for scopes come in a later version'],
  ['iii-state-gateway.limits.log_entries', 'the write-ahead log comes in a later version'],
  ['iii-state-gateway.limits.log_bytes', 'the write-ahead log comes in a later version'],
  ['iii-state-gateway.limits.log_age_ms', 'the write-ahead log comes in a later version'],
  ['iii-state-gateway.limits.lane_entries', 'the write-ahead log comes in a later version'],
  ['iii-state-gateway.limits.min_free_bytes', 'the write-ahead log comes in a later version'],
  ['iii-state-gateway.limits.mirror_bytes', 'the mirror comes in a later version'],
  ['iii-state-gateway.limits.changes_bytes', 'the local event log comes in a later version'],
  ['iii-state-gateway.limits.changes_age_ms', 'the local event log comes in a later version'],
  ['iii-state-gateway.settle_delay_ms', 'the settlement of unanswered writes comes in a later version'],
  ['iii-state-gateway.audit', 'the audit of watched scopes comes in a later version'],
  ['iii-state-gateway.metrics', 'metrics come in a later version'],
]);

/** Accepted with a note, because files that work now should keep working then. */
export const notedYet = new Map<string, string>([
  ['iii-state-gateway.admin', 'accepted, but this version has no admin server yet'],
]);

/** Options that an engine knows in a block of its own, and that have no meaning here. */
export const refusedHere = new Map<string, string>([
  [
    'iii-worker-manager.rbac',
    'access rules are not supported: without them every worker that can connect may do everything, so this gateway does not pretend; remove it and limit who can reach the port',
  ],
  [
    'iii-worker-manager.middleware_function_id',
    'middleware is not supported: calls go straight to their function; remove it',
  ],
  [
    'iii-worker-manager.handshake_timeout_ms',
    'is `limits.handshake_ms` of the block `iii-state-gateway` here',
  ],
]);

/** Adapters of the engine that this version does not have. */
export const adaptersYet = new Map<string, string>([
  ['redis', 'the redis adapter comes in a later version; use kv or bridge'],
]);
