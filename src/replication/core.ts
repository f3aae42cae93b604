import type { Config } from '../config/config.js';
import type { Logger } from '../logger.js';
import type { Payload } from '../protocol/payload.js';
import type { RemoteCall } from '../remote/calls.js';
import type { Database } from '../storage/database.js';
import type { Clock } from './clock.js';
import { Census } from './log/census.js';
import { Conflicts } from './log/conflicts.js';
import { Lanes } from './log/lanes.js';
import type { LogLimits } from './log/limits.js';
import { Overflow } from './log/overflow.js';
import { Quarantine } from './log/quarantine.js';
import { Receipts } from './log/receipts.js';
import { Repeats } from './log/repeats.js';
import { Scanner } from './log/scanner.js';
import { Whereabouts } from './log/whereabouts.js';
import { type LogMark, WriteAheadLog } from './log/write-ahead-log.js';
import type { Freshness } from './mirror/freshness.js';
import { Mirror } from './mirror/mirror.js';
import { Witness } from './mirror/witness.js';
import { PendingWrites } from './pending-writes.js';
import { Reader } from './reads/reader.js';
import type { RemoteCaller } from './remote-caller.js';
import { AwaitedWrites } from './replay/awaited.js';
import { Barrier } from './replay/barrier.js';
import type { CallFunction } from './replay/conflict-function.js';
import { Endings } from './replay/endings.js';
import { Expiry } from './replay/expiry.js';
import { Fence, type FenceLink } from './replay/fence.js';
import { Pace } from './replay/pace.js';
import { Replay } from './replay/replay.js';
import { Sender } from './replay/sender.js';
import { Settling } from './replay/settling.js';
import { Retention } from './retain/retention.js';
import type { ScopeRules } from './scope-rules.js';
import type { Passed } from './write.js';
import { Acceptance } from './writes/acceptance.js';
import { LoggedFirst } from './writes/logged-first.js';
import { NamedCalls } from './writes/named-calls.js';
import { WaitingRoom } from './writes/waiting.js';
import { Writer } from './writes/writer.js';

/** What the core needs to know of the remote. */
export interface CoreRemote extends FenceLink {
  /** Our worker id there in the run before this one. */
  readonly earlierWorkerId: string | undefined;
  /** Whether it shows a stored null as no value. */
  readonly nullIsAbsent: boolean;
  /** Whether it drops a repeat of a receipt that it has taken. */
  readonly knowsReceipts: boolean;
  /** Whether it has `state::compare-and-set`. */
  readonly comparesAndSets: boolean;
}

/** Everything that touches the world, handed in: a simulation owns time, link, disk and remote. */
export interface CoreGround {
  config: Pick<Config, 'patienceMs' | 'settleDelayMs' | 'drain' | 'limits' | 'remote' | 'audit'>;
  rules: ScopeRules;
  gatewayId: string;
  /** Its ids before its folder was taken over. */
  formerIds?: readonly string[];
  database: Database;
  /** Tells from outside the database how far the log had come; a simulation has none. */
  mark?: LogMark;
  /** Free bytes of the disk. */
  space: { readonly free: number };
  caller: RemoteCaller;
  remote: CoreRemote;
  /** Calls under way on the link, ours and others'. */
  callsUnderWay: () => number;
  /** The metadata of a call as it goes over the link. */
  stamp: (metadata: Payload | undefined, receipt?: string) => Payload;
  /** Calls a function of a worker here. */
  callFunction: CallFunction;
  /** A name for this run that no other run has. */
  runId: string;
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
  const log = new WriteAheadLog(database, logger, ground.mark);
  const census = new Census(database, log.book, log.damage); // before anything is written
  await log.findFloor();
  const ruleOf = (scope: string) => rules.for(scope);
  const lanes = new Lanes(log, (scope) => ruleOf(scope).order === 'scope');
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
  const callOf = (functionId: string, call: Passed, receipt?: string): RemoteCall => ({
    function_id: functionId,
    data: call.payload,
    metadata: stamp(call.metadata, receipt),
    traceparent: call.traceparent,
    baggage: call.baggage,
  });
  const retention = new Retention(
    {
      database,
      commits: log,
      caller,
      patienceMs: config.patienceMs,
      ratePerS: config.audit.ratePerS,
      longestMs: rules.longestRetainMs,
      ruleOf,
      isBusy: (scope, key) => lanes.isBusy(scope, key),
      nullIsAbsent: () => remote.nullIsAbsent,
      callOf,
      epoch: () => witness.epoch,
      opened: (signal) => remote.opened(signal),
      write: (write) => writer.answer(write),
      learn: ({ scope, key }, found) => {
        witness.forget(scope, key);
        witness.learn(scope, key, found);
      },
      clock,
      logger,
    },
    stopping,
  );
  await retention.load();
  const receipts = new Receipts(database, gatewayId, ground.formerIds);
  await receipts.load();
  log.writeAlong(() => receipts.closing());
  const receiptOf = (seq: number) => receipts.nameOf(seq);
  const quarantine = new Quarantine(database, receiptOf, log.damage);
  const conflicts = new Conflicts(database, receiptOf, clock.now);
  await conflicts.load();
  const repeats = new Repeats(database, log.damage);
  await repeats.load();
  const awaited = new AwaitedWrites(clock);
  const endings = new Endings(
    log,
    witness,
    receipts,
    quarantine,
    conflicts,
    repeats,
    awaited,
    retention,
    (scope) => ruleOf(scope).onRefusal === 'hold',
    clock.now,
    logger,
  );
  const barrier = new Barrier(database, log, endings);
  const limits = logLimits(config.limits);
  const room = new Overflow(log, {
    mostEntries: limits.entries,
    isOver: () => acceptance.isOver,
    isDroppable: (scope) => ruleOf(scope).overflow === 'drop-oldest',
    giveUp: (read) => replay.endUnsent(read, (lane, entry) => endings.overflow(lane, entry)),
  });
  const acceptance: Acceptance = new Acceptance(log, lanes, space, room, {
    receiptOf,
    limits,
    now: clock.now,
    ruleOf,
    knownOf: witness.knownOf,
    superseded: (entry, written) => endings.replaced(entry, written),
  });
  const fence = new Fence(remote, clock, config.settleDelayMs, stopping);
  const { patienceMs } = config;
  const settling = new Settling(
    log,
    fence,
    endings,
    caller,
    witness,
    {
      gatewayId,
      patienceMs,
      receiptOf,
      ruleOf,
      callOf,
      callFunction: ground.callFunction,
      knowsReceipts: () => remote.knowsReceipts,
      comparesAndSets: () => remote.comparesAndSets,
      nullIsAbsent: () => remote.nullIsAbsent,
    },
    clock,
    stopping,
  );
  const sender = new Sender(
    log,
    endings,
    settling,
    awaited,
    caller,
    witness,
    {
      gatewayId,
      patienceMs,
      ruleOf,
      receiptOf,
      callOf,
      knowsReceipts: () => remote.knowsReceipts,
      workerId: () => remote.workerId,
    },
    clock,
  );
  const { window, ratePerS, share } = config.drain;
  const replay: Replay = new Replay(
    log,
    lanes,
    new Scanner(database, log.book.acknowledged, log.damage, () => log.endedOutOfTurn),
    endings,
    settling,
    sender,
    awaited,
    new Pace({ window, linkWindow: config.remote.window, share, ratePerS }, clock.now()),
    caller,
    witness,
    {
      mostInHand: window + MOST_BESIDE,
      ruleOf,
      freshCalls: () => ground.callsUnderWay() - sender.inFlight - settling.reading,
      earlierWorkerId: () => remote.earlierWorkerId,
    },
    clock,
    stopping,
    logger,
  );
  const expiry = new Expiry(
    log,
    (read) => replay.endUnsent(read, (lane, entry) => endings.expire(lane, entry)),
    ruleOf,
    rules.shortestExpiryMs,
    clock.now,
  );
  const waitingRoom = new WaitingRoom(limits.laneEntries, clock);
  const writesThrough = (scope: string) => ruleOf(scope).write === 'through';
  const loggedFirst = new LoggedFirst(lanes, acceptance, replay, awaited, caller, waitingRoom, writesThrough);
  let framesWithReceipt = 0;
  const writer: Writer = new Writer(
    lanes,
    acceptance,
    loggedFirst,
    waitingRoom,
    replay,
    fence,
    caller,
    witness,
    retention,
    {
      patienceMs,
      ruleOf,
      callOf,
      receiptForRemote: () => {
        if (!remote.knowsReceipts) return undefined;
        framesWithReceipt += 1;
        return `${gatewayId}-${ground.runId}.${framesWithReceipt}`;
      },
      workerId: () => remote.workerId,
    },
    clock,
  );
  const whereabouts = new Whereabouts(log, lanes, receipts, quarantine);
  const named = new NamedCalls(repeats, writer, endings, clock, {
    patienceMs,
    receiptOf: (seq) => whereabouts.find(seq),
    isAvailable: () => caller.available,
  });
  const own = new PendingWrites(database, log, lanes, acceptance, barrier, witness.knownOf);
  const reader = new Reader({
    remote: caller,
    mirror,
    own,
    freshness,
    follow: ground.follow,
    stamp,
    patienceMs,
    rulesFor: ruleOf,
    epoch: () => witness.epoch,
    now: clock.now,
  });
  return {
    log,
    census,
    lanes,
    mirror,
    freshness,
    witness,
    receipts,
    quarantine,
    conflicts,
    repeats,
    endings,
    barrier,
    expiry,
    limits,
    acceptance,
    replay,
    retention,
    sender,
    writer,
    named,
    whereabouts,
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
