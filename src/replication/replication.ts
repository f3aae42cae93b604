import { setMaxListeners } from 'node:events';
import type { Config } from '../config/config.js';
import { GatewayError } from '../errors.js';
import type { Service } from '../lifecycle.js';
import type { Logger } from '../logger.js';
import type { StateAnswer, StateCall } from '../operations/calls.js';
import type { Breaker } from '../remote/breaker.js';
import type { Feed } from '../remote/feed.js';
import type { RemoteLink } from '../remote/link.js';
import type { PassageStamp } from '../remote/passage.js';
import type { TraitsOfRemote } from '../remote/traits.js';
import type { Database } from '../storage/database.js';
import type { Clock } from './clock.js';
import { ControlRoom } from './control-room.js';
import { buildCore, type Core } from './core.js';
import { FreeSpace } from './log/free-space.js';
import type { LogMark } from './log/write-ahead-log.js';
import { FollowedScopes } from './mirror/followed-scopes.js';
import { Freshness } from './mirror/freshness.js';
import type { Operator } from './operator.js';
import { RemoteSide } from './remote-side.js';
import type { CallFunction } from './replay/conflict-function.js';
import { ScopeRules } from './scope-rules.js';

export interface ReplicationGround {
  config: Config;
  gatewayId: string;
  formerIds: readonly string[];
  /** The remote's address, without secrets. */
  address: string;
  database: Database;
  /** Tells from outside the database how far the log had come. */
  mark: LogMark;
  /** Its folder, on the disk that may fill. */
  folder: string;
  link: RemoteLink;
  breaker: Breaker;
  traits: TraitsOfRemote;
  feed: Feed;
  passage: PassageStamp;
  /** Calls a function of a worker here: one that decides about conflicts. */
  callFunction: CallFunction;
  /** A name for this run that no other run has. */
  runId: string;
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
    private readonly core: Core,
    remote: RemoteSide,
    private readonly space: FreeSpace,
    private readonly ground: ReplicationGround,
    private readonly stopping: AbortController,
  ) {
    this.operator = operatorOf(core, remote, ground);
  }

  /** Reads what the log holds; nothing is sent before `start`. @throws GatewayError `GATEWAY_STORAGE`. */
  static async open(ground: ReplicationGround): Promise<Replication> {
    const stopping = new AbortController();
    setMaxListeners(0, stopping.signal); // every write that is being settled listens
    const space = new FreeSpace(ground.folder);
    const { config, link, breaker, traits, feed, clock } = ground;
    const remote = new RemoteSide(link, traits, ground.earlierWorkerId);
    const freshness = new Freshness();
    const followed = new FollowedScopes(feed, traits, freshness);
    const core = await buildCore(
      {
        ...ground,
        rules: new ScopeRules(config.scopes),
        space,
        caller: breaker,
        remote,
        freshness,
        callsUnderWay: () => link.callsUnderWay,
        stamp: (metadata, receipt) => ground.passage.stamp(metadata, receipt),
        follow: (scope) => followed.follow(scope),
      },
      stopping.signal,
    );
    breaker.on('available', () => core.replay.wake());
    followRemote(ground, core, clock);
    return new Replication(core, remote, space, ground, stopping);
  }

  async start(): Promise<void> {
    void this.core.census.take();
    await this.lookAround();
    this.tick ??= setInterval(() => void this.lookAround(), TICK_MS).unref();
  }

  /** What is under way is kept as it is; the link has ended before. */
  async stop(): Promise<void> {
    clearInterval(this.tick);
    this.tick = undefined;
    this.stopping.abort();
    this.ground.breaker.stop();
    await this.core.mirror.stop();
    await this.core.log.close();
  }

  /** Answers a checked call of any state function. */
  answer(call: StateCall): Promise<StateAnswer> {
    const { input } = call;
    // Metadata without room for our mark is refused before anything is sent or logged.
    if (call.metadata) this.ground.passage.stamp(call.metadata);
    switch (input.functionId) {
      case 'state::set':
      case 'state::delete':
      case 'state::update': {
        const write = call as StateCall & { input: typeof input };
        return call.repeat ? this.core.named.answer(write, call.repeat) : this.core.writer.answer(write);
      }
      case 'state::compare-and-set':
        if (call.repeat) return Promise.reject(notToBeNamed());
        return this.core.writer.compareAndSet(call as StateCall & { input: typeof input });
      default:
        return this.read(call);
    }
  }

  private async read(call: StateCall): Promise<StateAnswer> {
    const result = await this.core.reader.answer(call);
    return result ? { result } : {};
  }

  /** The replay is woken by whatever changes; this is for what nobody told. */
  private async lookAround(): Promise<void> {
    const { acceptance, expiry, log, replay, retention } = this.core;
    await this.space.look();
    await log.findFloor().catch(() => undefined); // it may stay too low
    await expiry.look().catch(() => undefined); // the disk failed, and said so
    await retention.look().catch(() => undefined);
    acceptance.oldestAt = await log.oldestAcceptedAt().catch(() => undefined);
    replay.wake();
  }
}

function operatorOf(core: Core, remote: RemoteSide, ground: ReplicationGround): Operator {
  const { config, link, breaker, address } = ground;
  const { mirror, reader } = core;
  return new ControlRoom({
    ...core,
    link,
    breaker,
    remote,
    address,
    maxInputBytes: config.limits.frameBytes,
    ...(core.retention.isOn && { retain: () => core.retention.status }),
    mirror: () => ({
      bytes: mirror.bytes,
      limit_bytes: config.limits.mirrorBytes,
      hits: reader.hits,
      misses: reader.misses,
    }),
  });
}

/** It is the remote's alone to answer, and is never logged. */
function notToBeNamed(): GatewayError {
  return new GatewayError(
    'INVALID_ARGUMENTS',
    'state::compare-and-set takes no idempotency_key where State lives on a remote engine, which has nowhere to keep its answer. ' +
      'Make it again without one: it stores nothing a second time',
  );
}

/** What is known is of one connection's time; what is fresh, of one subscription's. */
function followRemote({ link, feed }: ReplicationGround, { witness, retention }: Core, { now }: Clock): void {
  const { freshness } = witness;
  link.on('open', ({ id }) => {
    witness.epoch = id;
    retention.connected(id);
  });
  link.on('status', ({ state }) => {
    if (state === 'open' || witness.epoch === undefined) return;
    witness.epoch = undefined;
    retention.disconnected();
    freshness.lost(now());
  });
  feed.on('change', (change) => witness.told(change));
}
