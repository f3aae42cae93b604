import { z } from 'zod';
import {
  flag,
  group,
  list,
  oneOf,
  origin,
  port,
  secret,
  share,
  text,
  webSocketUrl,
  whole,
  wordOr,
} from './values.js';

/**
 * The configuration as it is written: the names, defaults and bounds of every option, block by block.
 * What a name means is in the design, section 1; what is not there yet is in `not-yet.ts`.
 */

const HOUR = 3_600_000;
const MIB = 1024 * 1024;

/** The top of the file. Its blocks are read one by one. */
export const fileSchema = group({
  workers: list(z.unknown()).default([]).describe('Blocks, as engines from 0.11 on read them'),
  modules: list(z.unknown()).default([]).describe('Blocks, as engines before 0.11 read them'),
  port: port().optional().describe('Port workers connect to, in a file with `modules`'),
  registration_namespace_grace_ms: z.unknown().optional().describe("An engine's own setting, not used here"),
});

/** One entry of `workers` or `modules`. */
export const entrySchema = z.looseObject(
  { name: text('the name of a worker, such as iii-state'), config: z.unknown().optional() },
  { error: 'must be a mapping with `name` and `config`' },
);

/** The engine's block `iii-worker-manager`. */
export const listenerBlock = group({
  host: text('a host name or address').default('127.0.0.1').describe('Address workers connect to'),
  port: port().default(49_134).describe('Port workers connect to; 0 means any free one'),
});

/** The engine's block `iii-state`. */
export const stateBlock = group({
  adapter: group(
    {
      name: text('kv, bridge, or the path or package of a custom adapter').default('kv'),
      config: z.unknown().optional(),
    },
    'a mapping such as { name: bridge }',
  )
    .prefault({})
    .describe('Where state lives: kv, bridge, or the path or package of a custom adapter'),
  triggers_enabled: flag().default(true).describe('Whether changes of state fire triggers'),
  max_value_bytes: whole(0).default(0).describe('Largest value that state::set takes; 0 means any'),
  save_interval_ms: whole(0, HOUR).optional().describe("Wins over the kv adapter's own save_interval_ms"),
});

/** The adapter `kv`: this machine only. */
export const kvAdapter = group({
  store_method: oneOf('in_memory', 'file_based').default('in_memory').describe('Where values are kept'),
  file_path: text('the path of a folder')
    .optional()
    .describe('Folder of the values; <data_dir>/state if unset'),
  save_interval_ms: whole(0, HOUR).default(5000).describe('How often files are synced; 0 means every write'),
}).prefault({});

/** The adapter `bridge`: another engine. */
export const bridgeAdapter = group({
  bridge_url: webSocketUrl().default('ws://localhost:49134').describe('The engine where state lives'),
}).prefault({});

const adminServer = group({
  host: text('a host name or address').default('127.0.0.1').describe('Address of metrics and commands'),
  port: port().default(9464).describe('Port of metrics and commands; 0 means any free one'),
});

const tls = group({
  ca: text('the path of a PEM file').optional().describe('Certificates to trust, a PEM file'),
  cert: text('the path of a PEM file').optional().describe('Our certificate, a PEM file'),
  key: text('the path of a PEM file').optional().describe('Key of our certificate, a PEM file'),
  server_name: text('a host name').optional().describe("Name the remote's certificate must have"),
}).check(({ value, issues }) => {
  const missing = value.cert === undefined ? 'cert' : 'key';
  if ((value.cert === undefined) === (value.key === undefined)) return;
  issues.push({
    code: 'custom',
    message: `needs \`${missing}\` too: a certificate and its key`,
    input: value,
  });
});

const reconnect = z
  .tuple([whole(10, HOUR), whole(10, HOUR)], { error: 'must be a list of two numbers: [shortest, longest]' })
  .refine(
    ([shortest, longest]) => shortest <= longest,
    'must begin with the shorter wait: [shortest, longest]',
  );

const header = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

const remote = group({
  headers: z
    .record(
      z.string().regex(header, 'is not a header name'),
      secret().regex(/^[^\r\n\0]*$/, 'must be one line'),
      { error: 'must be a mapping of header names to texts' },
    )
    .default({})
    .describe('Headers of the upgrade to the remote'),
  tls: tls.prefault({}).describe('TLS of the upgrade to the remote'),
  window: whole(1, 65_536).default(256).describe('Calls in flight to the remote'),
  reconnect_ms: reconnect
    .default([1000, 30_000])
    .describe('Shortest and longest wait before connecting again'),
  call_timeout_ms: whole(50).default(30_000).describe('How long a forwarded call other than State may take'),
});

const exposed = group({
  local_function: text('a function id'),
  remote_function: text('a function id').optional(),
});

const forwarded = group({
  local_function: text('a function id'),
  remote_function: text('a function id'),
  timeout_ms: whole(1).default(30_000),
});

const limits = group({
  frame_bytes: whole(1024, 64 * MIB)
    .default(16 * MIB)
    .describe('Largest frame of a worker'),
  workers: whole(1).default(10_000).describe('Workers connected at once'),
  worker_queue_bytes: whole(1024)
    .default(8 * MIB)
    .describe('What may wait for a worker that does not read'),
  rate_per_worker: whole(0).default(0).describe('Messages a worker may send in a second; 0 means any'),
  handshake_ms: whole(1, HOUR).default(10_000).describe('How long a connection may take to become a worker'),
  log_entries: whole(1).default(1_000_000).describe('Writes the log may hold'),
  log_bytes: whole(MIB)
    .default(1024 * MIB)
    .describe('Bytes the log may hold'),
  log_age_ms: whole(0).default(0).describe('Age a write in the log may reach; 0 means any'),
  lane_entries: whole(1).default(100_000).describe('Writes one key may have in the log'),
  min_free_bytes: whole(0)
    .default(256 * MIB)
    .describe('Free disk below which no write is logged'),
  mirror_bytes: whole(MIB)
    .default(256 * MIB)
    .describe('Bytes the mirror may hold'),
  changes_bytes: whole(MIB)
    .default(64 * MIB)
    .describe('Bytes the local event log may hold'),
  changes_age_ms: whole(1)
    .default(24 * HOUR)
    .describe('Age of the oldest event in the local event log'),
});

const scope = group({
  match: text('a pattern of scope names').default('*').describe('Scopes it is for, as a glob'),
  write: oneOf('through', 'behind')
    .default('through')
    .describe('Whether a write goes to the remote first, or to the log'),
  order: oneOf('key', 'scope').default('key').describe('What has one order: each key, or the whole scope'),
  consistency: oneOf('remote', 'cache')
    .default('remote')
    .describe('Whether reads ask the remote, or take the mirror while its feed is unbroken'),
  max_age_ms: whole(0).default(0).describe('Age up to which the mirror answers; 0 means any'),
  stale_if_error: flag()
    .default(true)
    .describe('Whether the mirror answers reads that the remote cannot answer'),
  conflict: oneOf('local-wins', 'remote-wins', 'park', 'function')
    .default('local-wins')
    .describe('Who wins when the remote has another value than a write was based on'),
  conflict_function_id: text('a function id').optional().describe('The function that decides'),
  on_refusal: oneOf('skip', 'hold').optional().describe('What writes behind a refused one do'),
  offline_events: oneOf('at-accept', 'on-commit')
    .default('at-accept')
    .describe('When a write accepted offline is told to triggers'),
  overflow: oneOf('refuse', 'drop-oldest').default('refuse').describe('What a full log does'),
  coalesce: flag().default(false).describe('Whether only the newest of several sets is sent'),
  expire_ms: whole(0).default(0).describe('Age at which a write is given up; 0 means none'),
  settle: oneOf('auto', 'marker').default('auto').describe('How an unanswered update is settled'),
  marker_member: text('the name of a member').default('_iii_gateway').describe('Where the marker stands'),
  single_writer: flag().default(false).describe('Whether nobody else writes there'),
  blind_writes: flag()
    .default(false)
    .describe('Whether updates and deletes are accepted offline of keys whose value is not known'),
  retain: oneOf('off', 'report', 'restore')
    .default('off')
    .describe('What is done about values that the remote has lost'),
  retain_ms: whole(1).default(60_000).describe('How long they are watched for'),
})
  .refine((written) => written.conflict !== 'function' || written.conflict_function_id !== undefined, {
    path: ['conflict_function_id'],
    error: 'is needed with `conflict: function`: the id of the function that decides',
  })
  .transform((written) => ({
    ...written,
    // One lane cannot step over a refused write without changing its order.
    on_refusal: written.on_refusal ?? (written.order === 'scope' ? ('hold' as const) : ('skip' as const)),
  }));

/** The block `iii-state-gateway`: what is ours. */
export const gatewayBlock = group({
  data_dir: text('the path of a folder').default('./data').describe('Folder of everything that is kept here'),
  name: text('a worker name').optional().describe('Our worker name; iii-state-gateway-<id> if unset'),
  patience_ms: whole(50, HOUR).default(2000).describe('How long one call waits for the remote'),
  admin: wordOr('off', adminServer, '`off` or a mapping of host and port')
    .prefault({})
    .describe('Metrics, health, status and commands; `off` for none'),
  remote: remote.prefault({}).describe('The connection to the remote'),
  breaker: group({
    error_percent: whole(1, 100).default(50).describe('Share of failed calls that opens the breaker'),
    min_calls: whole(1).default(5).describe('Calls below which it never opens'),
    reset_ms: whole(1).default(5000).describe('How long it stays open'),
  })
    .prefault({})
    .describe('When calls to a remote that does not answer are no longer tried'),
  provider: group({
    engine_url: webSocketUrl().describe('The engine whose State we are'),
    takeover: flag().default(false).describe('Whether to replace another provider'),
  }).optional(),
  functions: group({
    expose: list(exposed).default([]).describe('Local functions offered on the remote'),
    forward: list(forwarded).default([]).describe('Remote functions offered here'),
  }).prefault({}),
  limits: limits.prefault({}).describe('Bounds'),
  drain: group({
    window: whole(1, 65_536).default(256).describe('Replayed writes in flight'),
    rate_per_s: whole(0).default(0).describe('Replayed writes in a second; 0 means any'),
    share: share().default(0.5).describe('Part of the link that replay may take from fresh calls'),
  })
    .prefault({})
    .describe('The replay of logged writes'),
  settle_delay_ms: whole(0).default(5000).describe('Wait before an unanswered write is settled'),
  audit: group({
    interval_ms: whole(1000).default(300_000).describe('Time between two looks at what is watched'),
    rate_per_s: whole(1).default(200).describe('Reads in a second while looking'),
  }).prefault({}),
  metrics: group({
    scope_labels: list(text('a scope')).default([]).describe('Scopes that metrics name'),
  }).prefault({}),
  log: group({
    level: oneOf('trace', 'debug', 'info', 'warn', 'error', 'silent')
      .default('info')
      .describe('What is logged'),
    format: oneOf('auto', 'json', 'text')
      .default('auto')
      .describe('How it is logged; auto means text on a terminal, else json'),
  })
    .prefault({})
    .describe('The log on standard error'),
  allowed_origins: list(origin()).default([]).describe('Web pages that may connect, by their origin'),
  scopes: list(scope).default([]).describe('Rules for scopes; the first match wins'),
});
