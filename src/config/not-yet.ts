/**
 * Options that have a name, a default and bounds in the schema, but no code behind them in this version.
 * To let one in, delete its line here and show it in `config/default.yaml`.
 */

/**
 * Refused, because a site would rely on them. What equals the default is harmless, and taken. `[]` stands for every
 * entry of a list.
 */
export const refusedYet = new Map<string, string>([
  ['iii-state-gateway.provider', 'serving a local engine as its State comes in a later version'],
  ['iii-state-gateway.functions', 'choosing functions that travel comes in a later version'],
  ['iii-state-gateway.limits.changes_bytes', 'the local event log comes in a later version'],
  ['iii-state-gateway.limits.changes_age_ms', 'the local event log comes in a later version'],
  ['iii-state-gateway.audit', 'the audit of watched scopes comes in a later version'],
  ['iii-state-gateway.metrics', 'choosing scopes that metrics name comes in a later version'],
  [
    'iii-state-gateway.scopes[].offline_events',
    'can only be `at-accept`; events that wait for the remote come in a later version',
  ],
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
