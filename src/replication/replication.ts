import { setMaxListeners } from 'node:events';
import type { Config } from '../config/config.js';
import type { Service } from '../lifecycle.js';
import type { Logger } from '../logger.js';
import type { StateAnswer, StateCall } from '../operations/calls.js';
import type { Breaker } from '../remote/breaker.js';
import type { RemoteCall } from '../remote/calls.js';
import type { Feed } from '../remote/feed.js';
import type { RemoteLink } from '../remote/link.js';
import type { PassageStamp } from '../remote/passage.js';
import type { TraitsOfRemote } from '../remote/traits.js';
import type { Database } from '../storage/database.js';
import type { Clock } from './clock.js';
import { ControlRoom } from './control-room.js';
import { FreeSpace } from './log/free-space.js';
import { Lanes } from './log/lanes.js';
import type { LogLimits } from './log/limits.js';
import { Quarantine } from './log/quarantine.js';
import { Receipts } from './log/receipts.js';
import { Scanner } from './log/scanner.js';
import { WriteAheadLog } from './log/write-ahead-log.js';
import { FollowedScopes } from './mirror/followed-scopes.js';
import { Freshness } from './mirror/freshness.js';
import { Mirror } from './mirror/mirror.js';
import { Witness } from './mirror/witness.js';
import type { Operator } from './operator.js';
import { PendingWrites } from './pending-writes.js';
import { Reader } from './reads/reader.js';
import { RemoteSide } from './remote-side.js';
import { Barrier } from './replay/barrier.js';
import { Endings } from './replay/endings.js';
import { Fence } from './replay/fence.js';
import { Pace } from './replay/pace.js';
import { Replay } from './replay/replay.js';
import { ScopeRules } from './scope-rules.js';
import type { Passed } from './write.js';
import { Acceptance } from './writes/acceptance.js';
import { Writer } from './writes/writer.js';

export interface ReplicationGround {
  config: Config;
  gatewayId: string;
  /** The remote's address, without secrets. */
  address: string;
  database: Database;
  /** Its folder, on the disk that may fill. */
  folder: string;
  link: RemoteLink;
  breaker: Breaker;
  traits: TraitsOfRemote;
  feed: Feed;
  passage: PassageStamp;
  /** Our worker id at the remote in the run before this one. */
  earlierWorkerId: string | undefined;
  clock: Clock;
  logger: Logger;
}

/** How often everything that waits for nothing else is looked at again. */
const TICK_MS = 1000;

/**
 * State on a remote engine that is not always there: answers reads and writes, logs what the remote does not take,
 * and replays it. Everything is built here, in the order of a write's way.
 */
export class Replication implements Service {
  readonly name = 'replication';
  readonly operator: Operator;
  private tick: NodeJS.Timeout | undefined;

  private constructor(
    private readonly parts: Parts,
    private readonly passage: PassageStamp,
    private readonly stopping: AbortController,
  ) {
    this.operator = parts.controlRoom;
  }

  /** Reads what the log holds; nothing is sent before `start`. @throws GatewayError `GATEWAY_STORAGE`. */
  static async open(ground: ReplicationGround): Promise<Replication> {
    const stopping = new AbortController();
    setMaxListeners(0, stopping.signal); // every write that is being settled listens
    return new Replication(await build(ground, stopping.signal), ground.passage, stopping);
  }

  async start(): Promise<void> {
    await this.lookAround();
    this.tick ??= setInterval(() => void this.lookAround(), TICK_MS).unref();
  }

  /** What is under way is kept as it is; the link has ended before. */
  async stop(): Promise<void> {
    clearInterval(this.tick);
    this.tick = undefined;
    this.stopping.abort();
    this.parts.breaker.stop();
    await this.parts.witness.mirror.stop();
    await this.parts.log.close();
  }

  /** Answers a checked call of any state function. */
  answer(call: StateCall): Promise<StateAnswer> {
    const { input } = call;
    // Metadata without room for our mark is refused before anything is sent or logged.
    if (call.metadata) this.passage.stamp(call.metadata);
    switch (input.functionId) {
      case 'state::set':
      case 'state::delete':
      case 'state::update':
        return this.parts.writer.answer(call as StateCall & { input: typeof input });
      case 'state::compare-and-set':
        return this.parts.writer.compareAndSet(call as StateCall & { input: typeof input });
      default:
        return this.read(call);
    }
  }

  private async read(call: StateCall): Promise<StateAnswer> {
    const result = await this.parts.reader.answer(call);
    return result ? { result } : {};
  }

  /** The replay is woken by whatever changes; this is for what nobody told. */
  private async lookAround(): Promise<void> {
    const { acceptance, log, replay, space } = this.parts;
    await space.look();
    acceptance.oldestAt = await log.oldestAcceptedAt().catch(() => undefined);
    replay.wake();
  }
}

type Parts = Awaited<ReturnType<typeof build>>;

async function build(ground: ReplicationGround, stopping: AbortSignal) {
  const { config, gatewayId, address, database, folder, link, breaker, traits, passage, clock, logger } =
    ground;
  const rules = new ScopeRules(config.scopes);
  const log = new WriteAheadLog(database, logger);
  const lanes = new Lanes(log.laneRecord, (entry) => log.laneRecordOf(entry));
  const remote = new RemoteSide(link, traits, ground.earlierWorkerId);
  const mirror = await Mirror.open({
    database,
    commits: log,
    damage: log.damage,
    maxBytes: config.limits.mirrorBytes,
    now: clock.now,
    isNeeded: (scope, key) => (key === undefined ? !log.isEmpty : lanes.isBusy(scope, key)),
  });
  const freshness = new Freshness();
  const witness = new Witness(mirror, freshness, {
    now: clock.now,
    isBusy: (scope, key) => lanes.isBusy(scope, key),
    nullIsAbsent: () => remote.nullIsAbsent,
  });
  const callOf = (functionId: string, call: Passed): RemoteCall => ({
    function_id: functionId,
    data: call.payload,
    metadata: passage.stamp(call.metadata),
    traceparent: call.traceparent,
    baggage: call.baggage,
  });
  const receipts = new Receipts(database, gatewayId);
  await receipts.load();
  log.writeAlong(() => receipts.closing());
  const quarantine = new Quarantine(database, (seq) => receipts.nameOf(seq));
  const endings = new Endings(log, witness, receipts, quarantine, clock.now, logger);
  const barrier = new Barrier(database, log, endings);
  const limits = logLimits(config);
  const space = new FreeSpace(folder);
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
    breaker,
    witness,
    {
      patienceMs,
      mostInHand: window + MOST_BESIDE,
      callOf,
      freshCalls: () => link.callsUnderWay - replay.inFlight,
      workerId: () => remote.workerId,
      earlierWorkerId: () => remote.earlierWorkerId,
      nullIsAbsent: () => remote.nullIsAbsent,
    },
    clock,
    stopping,
    logger,
  );
  breaker.on('available', () => replay.wake());
  const writer = new Writer(
    lanes,
    acceptance,
    replay,
    fence,
    breaker,
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
  const followed = new FollowedScopes(ground.feed, traits, freshness);
  const reader = new Reader({
    remote: breaker,
    mirror,
    own,
    freshness,
    follow: (scope) => followed.follow(scope),
    stamp: (metadata) => passage.stamp(metadata),
    patienceMs,
    rulesFor: (scope) => rules.for(scope),
    epoch: () => witness.epoch,
    now: clock.now,
  });
  followRemote(ground, witness, clock);
  const controlRoom = new ControlRoom({
    link,
    breaker,
    remote,
    address,
    log,
    lanes,
    acceptance,
    replay,
    writer,
    endings,
    barrier,
    receipts,
    quarantine,
    limits,
    mirror: () => ({
      bytes: mirror.bytes,
      limit_bytes: config.limits.mirrorBytes,
      hits: reader.hits,
      misses: reader.misses,
    }),
  });
  return { log, space, breaker, witness, acceptance, replay, writer, reader, controlRoom };
}

/** What is known is of one connection's time; what is fresh, of one subscription's. */
function followRemote({ link, feed }: ReplicationGround, witness: Witness, { now }: Clock): void {
  const { freshness } = witness;
  link.on('open', ({ id }) => {
    witness.epoch = id;
  });
  link.on('status', ({ state }) => {
    if (state === 'open' || witness.epoch === undefined) return;
    witness.epoch = undefined;
    freshness.lost(now());
  });
  feed.on('change', (change) => witness.told(change));
}

/** Lanes in hand beyond the window: being settled, or on their way out of the log. */
const MOST_BESIDE = 1024;

function logLimits({ limits }: Config): LogLimits {
  const { logEntries, logBytes, logAgeMs, laneEntries, minFreeBytes } = limits;
  return { entries: logEntries, bytes: logBytes, ageMs: logAgeMs, laneEntries, minFreeBytes };
}
