import type { Config } from '../config/config.js';
import type { Logger } from '../logger.js';
import type { Payload } from '../protocol/payload.js';
import type { RemoteCall } from '../remote/calls.js';
import type { Database } from '../storage/database.js';
import type { Clock } from './clock.js';
import { Lanes } from './log/lanes.js';
import type { LogLimits } from './log/limits.js';
import { Quarantine } from './log/quarantine.js';
import { Receipts } from './log/receipts.js';
import { Scanner } from './log/scanner.js';
import { WriteAheadLog } from './log/write-ahead-log.js';
import type { Freshness } from './mirror/freshness.js';
import { Mirror } from './mirror/mirror.js';
import { Witness } from './mirror/witness.js';
import { PendingWrites } from './pending-writes.js';
import { Reader } from './reads/reader.js';
import type { RemoteCaller } from './remote-caller.js';
import { Barrier } from './replay/barrier.js';
import { Endings } from './replay/endings.js';
import { Fence, type FenceLink } from './replay/fence.js';
import { Pace } from './replay/pace.js';
import { Replay } from './replay/replay.js';
import type { ScopeRules } from './scope-rules.js';
import type { Passed } from './write.js';
import { Acceptance } from './writes/acceptance.js';
import { Writer } from './writes/writer.js';

/** What the core needs to know of the remote. */
export interface CoreRemote extends FenceLink {
  /** Our worker id there in the run before this one. */
  readonly earlierWorkerId: string | undefined;
  /** Whether it shows a stored null as no value. */
  readonly nullIsAbsent: boolean;
}

/** Everything that touches the world, handed in: a simulation owns time, link, disk and remote. */
export interface CoreGround {
  config: Pick<Config, 'patienceMs' | 'settleDelayMs' | 'drain' | 'limits' | 'remote'>;
  rules: ScopeRules;
  gatewayId: string;
  database: Database;
  /** Free bytes of the disk. */
  space: { readonly free: number };
  caller: RemoteCaller;
  remote: CoreRemote;
  /** Calls under way on the link, ours and others'. */
  callsUnderWay: () => number;
  /** The metadata of a call as it goes over the link. */
  stamp: (metadata: Payload | undefined) => Payload;
  freshness: Freshness;
  /** Somebody reads the scope and would take what we know. */
  follow: (scope: string) => void;
  clock: Clock;
  logger: Logger;
}

export type Core = Awaited<ReturnType<typeof buildCore>>;

/** Lanes in hand beyond the window: being settled, or on their way out of the log. */
const MOST_BESIDE = 1024;

/** Log, mirror, replay, writer and reader, joined in the order of a write's way. @throws GatewayError `GATEWAY_STORAGE`. */
export async function buildCore(ground: CoreGround, stopping: AbortSignal) {
  const { config, rules, gatewayId, database, space, caller, remote, stamp, freshness, clock, logger } =
    ground;
  const log = new WriteAheadLog(database, logger);
  const lanes = new Lanes(log.laneRecord, (entry) => log.laneRecordOf(entry));
  const mirror = await Mirror.open({
    database,
    commits: log,
    damage: log.damage,
    maxBytes: config.limits.mirrorBytes,
    now: clock.now,
    schedule: clock.schedule,
    isNeeded: (scope, key) => (key === undefined ? !log.isEmpty : lanes.isBusy(scope, key)),
  });
  const witness = new Witness(mirror, freshness, {
    now: clock.now,
    isBusy: (scope, key) => lanes.isBusy(scope, key),
    nullIsAbsent: () => remote.nullIsAbsent,
  });
  const callOf = (functionId: string, call: Passed): RemoteCall => ({
    function_id: functionId,
    data: call.payload,
    metadata: stamp(call.metadata),
    traceparent: call.traceparent,
    baggage: call.baggage,
  });
  const receipts = new Receipts(database, gatewayId);
  await receipts.load();
  log.writeAlong(() => receipts.closing());
  const quarantine = new Quarantine(database, (seq) => receipts.nameOf(seq));
  const endings = new Endings(log, witness, receipts, quarantine, clock.now, logger);
  const barrier = new Barrier(database, log, endings);
  const limits = logLimits(config.limits);
  const acceptance = new Acceptance(log, lanes, space, {
    receiptOf: (seq) => receipts.nameOf(seq),
    limits,
    now: clock.now,
    blindWrites: (scope) => rules.for(scope).blindWrites,
    knownOf: witness.knownOf,
  });
  const fence = new Fence(remote, clock, config.settleDelayMs, stopping);
  const { patienceMs } = config;
  const { window, ratePerS, share } = config.drain;
  const replay: Replay = new Replay(
    log,
    lanes,
    new Scanner(database, log.book.acknowledged, log.damage),
    endings,
    fence,
    new Pace({ window, linkWindow: config.remote.window, share, ratePerS }, clock.now()),
    caller,
    witness,
    {
      patienceMs,
      mostInHand: window + MOST_BESIDE,
      callOf,
      freshCalls: () => ground.callsUnderWay() - replay.inFlight,
      workerId: () => remote.workerId,
      earlierWorkerId: () => remote.earlierWorkerId,
      nullIsAbsent: () => remote.nullIsAbsent,
    },
    clock,
    stopping,
    logger,
  );
  const writer = new Writer(
    lanes,
    acceptance,
    replay,
    fence,
    caller,
    witness,
    {
      patienceMs,
      laneEntries: limits.laneEntries,
      writesBehind: (scope) => rules.for(scope).write === 'behind',
      callOf,
      workerId: () => remote.workerId,
    },
    clock,
  );
  const own = new PendingWrites(database, log, lanes, acceptance, barrier, witness.knownOf);
  const reader = new Reader({
    remote: caller,
    mirror,
    own,
    freshness,
    follow: ground.follow,
    stamp,
    patienceMs,
    rulesFor: (scope) => rules.for(scope),
    epoch: () => witness.epoch,
    now: clock.now,
  });
  return {
    log,
    lanes,
    mirror,
    freshness,
    witness,
    receipts,
    quarantine,
    endings,
    barrier,
    limits,
    acceptance,
    replay,
    writer,
    reader,
  };
}

function logLimits({
  logEntries,
  logBytes,
  logAgeMs,
  laneEntries,
  minFreeBytes,
}: Config['limits']): LogLimits {
  return { entries: logEntries, bytes: logBytes, ageMs: logAgeMs, laneEntries, minFreeBytes };
}
