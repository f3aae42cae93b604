/** What people and programs may ask of the replication while it runs (gateway-api sections 3, 5, 6). Times are RFC 3339. */
import type { LostWrite } from './retain/lost-writes.js';

/** Why a write is in quarantine. */
export type QuarantineReason = 'refused' | 'unknown' | 'parked' | 'overflow';

/** Where a write that we accepted is; always exactly one of them (gateway-api section 5). */
export type ReceiptStatus =
  | 'pending'
  | 'sent'
  | 'committed'
  | 'conflicted'
  | 'quarantined'
  | 'expired'
  | 'superseded'
  | 'dropped';

/** A write that we accepted, without its value. */
export interface Receipt {
  receipt: string;
  status: ReceiptStatus;
  scope: string;
  key: string;
  function_id: string;
  accepted_at: string;
  settled_at?: string;
  reason?: QuarantineReason;
  error?: { code: string; message: string };
}

/** A write in quarantine, without its value. */
export interface QuarantinedWrite extends Receipt {
  status: 'quarantined';
  seq: number;
  reason: QuarantineReason;
  settled_at: string;
  /** Size of the call's input. */
  bytes: number;
  /** Later writes to its key (or scope) wait until an operator has decided about it; this many are in the log. */
  holds?: true;
  waiting?: number;
}

/** The same with the input of the call, as JSON text: only for those who may see values. */
export interface QuarantinedInput extends QuarantinedWrite {
  input: string;
}

/** What became of a write whose key was changed by somebody else; `parked`: it is in quarantine. */
export type ConflictOutcome = 'won' | 'lost' | 'parked';

/** What decided it: `conflict` of the scope's options. */
export type ConflictPolicy = 'local-wins' | 'remote-wins' | 'park' | 'function';

/** A write that met a value of somebody else, without the values. */
export interface Conflict {
  number: number;
  receipt: string;
  outcome: ConflictOutcome;
  policy: ConflictPolicy;
  scope: string;
  key: string;
  function_id: string;
  at: string;
}

/** What a key held, as JSON text, or that it held nothing, or that nobody knows. */
export type SeenValue = { kind: 'value'; text: string } | { kind: 'absent' | 'unknown' };

/** The same with the values: only for those who may see them. */
export interface ConflictWithValues extends Conflict {
  /** What the write was accepted on. */
  base: SeenValue;
  /** What it makes of the key; or its input, where that depends on what the key holds. */
  local: SeenValue | { kind: 'input'; text: string };
  /** What the remote held. */
  remote: SeenValue;
}

export interface BarrierRequest {
  scope?: string;
  key?: string;
  /** Default 30 000. */
  timeoutMs?: number;
}

/** All that was accepted when it was asked is settled; these many of it not well. */
export interface BarrierResult {
  settled: true;
  quarantined: number;
  held: number;
}

/** Counts of accepted writes by where they are; `accepted` is their sum. */
export type Accounts = { accepted: number } & Record<ReceiptStatus, number>;

export interface LogStatus {
  entries: number;
  bytes: number;
  oldest_age_ms: number;
  limit_entries: number;
  limit_bytes: number;
  /** False: writes that would have to be logged are refused, for this reason. */
  accepting: boolean;
  reason?: string;
  /** Records met that cannot be read, of log and mirror. */
  damaged: number;
}

/** What became of confirmed writes that are kept to be looked at again (`retain`), since the start. */
export interface RetainStatus {
  verified: number;
  lost: number;
  restored: number;
  changed: number;
}

/** What `gateway::status`, `/api/status` and `status --json` show of the replication. */
export interface ReplicationStatus {
  link: {
    state: 'connecting' | 'open' | 'waiting' | 'refused' | 'closed';
    sentence: string;
    remote: string;
    since?: string;
    epoch?: string;
    epochs: number;
    /** The remote's own adapter, as far as it tells. */
    adapter: 'kv' | 'redis' | 'bridge' | 'unknown';
    /** `at-least-once`: this remote cannot be fenced, so an unanswered set or delete may be sent twice. */
    delivery: 'exactly-once' | 'at-least-once';
  };
  breaker: { state: 'closed' | 'open' | 'half-open'; opened: number };
  log: LogStatus;
  writes: Accounts;
  /** Conflicts that the local write won; no state of a write, so not among `writes`. */
  conflicts_won: number;
  quarantine: Record<QuarantineReason, number>;
  /** Keys (or whole scopes) that wait for an operator, and the writes in the log that wait with them. */
  held: { keys: number; writes: number };
  replay: { in_flight: number; replayed: number; settling: number };
  mirror: { bytes: number; limit_bytes: number; hits: number; misses: number };
  /** Absent where nothing is kept for that. */
  retain?: RetainStatus;
}

/** @throws GatewayError `GATEWAY_NOT_FOUND` for a receipt, an entry or a conflict that is not known (any more). */
export interface Operator {
  status(): ReplicationStatus;
  /** Waits up to `waitMs` for the write to be settled. */
  receipt(receipt: string, waitMs?: number): Promise<Receipt>;
  /** @throws GatewayError `GATEWAY_TIMEOUT` with what is left. */
  barrier(request: BarrierRequest): Promise<BarrierResult>;
  /** By sequence, those after `after`. */
  listQuarantine(after?: number, limit?: number): Promise<QuarantinedWrite[]>;
  showQuarantined(seq: number): QuarantinedInput;
  /** All after `after` with their inputs, read from the disk as they are asked for. */
  quarantinedInputs(after?: number): AsyncIterable<QuarantinedInput>;
  /** Puts the write at the end of its lane again, as a new one; gives its receipt. */
  retryQuarantined(seq: number): Promise<{ receipt: string }>;
  /**
   * The same with another input, JSON text; nothing changes when it is refused.
   * @throws GatewayError `deserialization_error`, `GATEWAY_TOO_LARGE`, `INVALID_ARGUMENTS` for another scope or key.
   */
  editQuarantined(seq: number, input: string): Promise<{ receipt: string }>;
  dropQuarantined(seq: number): Promise<void>;
  /** By number, those after `after`. */
  listLost(after?: number, limit?: number): Promise<LostWrite[]>;
  /** The same. */
  listConflicts(after?: number, limit?: number): Promise<Conflict[]>;
  showConflict(number: number): ConflictWithValues;
  /** Tries at once whatever waits for a timer. */
  drain(): void;
}
