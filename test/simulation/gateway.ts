import type { GatewayOptions } from '../../src/config/config.js';
import { gatewayBlock } from '../../src/config/schema.js';
import { toCamel } from '../../src/config/spelling.js';
import type { Logger } from '../../src/logger.js';
import { eventOf } from '../../src/operations/results.js';
import type { Payload } from '../../src/protocol/payload.js';
import { changeOf } from '../../src/protocol/state-event.js';
import { PassageStamp } from '../../src/remote/passage.js';
import { ControlRoom, type Controls } from '../../src/replication/control-room.js';
import { buildCore, type Core } from '../../src/replication/core.js';
import { Freshness } from '../../src/replication/mirror/freshness.js';
import type { CallFunction } from '../../src/replication/replay/conflict-function.js';
import { ScopeRules } from '../../src/replication/scope-rules.js';
import type { Database } from '../../src/storage/database.js';
import type { SimulatedDisk } from './disk.js';
import type { SimulatedEngine } from './engine.js';
import { SimulatedLink } from './link.js';
import type { Plan } from './plan.js';
import type { Random } from './random.js';
import type { Timeline } from './timeline.js';

/** What a gateway stands on. */
export interface Ground {
  plan: Plan;
  timeline: Timeline;
  random: Random;
  disk: SimulatedDisk;
  engine: SimulatedEngine;
  trace: (line: () => string) => void;
  /** A worker's function that decides about conflicts. */
  decide: CallFunction;
  /** Changes the parts once they are built: a planted defect, or an observer. */
  touch: (core: Core) => void;
}

export const GATEWAY_ID = 'gw';
const TICK_MS = 1000;

/** One run of the gateway: the real core over simulated time, link, disk and remote. */
export class SimulatedGateway {
  private constructor(
    readonly core: Core,
    readonly control: ControlRoom,
    readonly link: SimulatedLink,
    private readonly database: Database,
    private readonly life: Life,
    private readonly stopping: AbortController,
  ) {}

  /** Builds it on what the disk holds, and lets it connect. */
  static async start(
    ground: Ground,
    runs: number,
    earlierWorkerId: string | undefined,
    workerId: () => string,
  ) {
    const { plan, timeline, random, disk, engine, trace, touch } = ground;
    const life = newLife();
    const isAlive = () => !life.isOver;
    const clock = timeline.clockOf(isAlive);
    const options = optionsOf(plan);
    const database = await disk.open(isAlive);
    const link = new SimulatedLink(
      timeline,
      random.fork(),
      engine,
      { ...plan.link, lateMs: options.remote.callTimeoutMs, earlierWorkerId, isAlive, workerId },
      trace,
    );
    const stopping = new AbortController();
    const freshness = new Freshness();
    const passage = new PassageStamp(GATEWAY_ID);
    const core = await buildCore(
      {
        config: options,
        rules: new ScopeRules(options.scopes),
        gatewayId: GATEWAY_ID,
        database,
        space: { free: Number.POSITIVE_INFINITY },
        caller: link,
        remote: link,
        callsUnderWay: () => link.callsUnderWay,
        stamp: (metadata, receipt) => withReceipt(passage.stamp(metadata), receipt),
        callFunction: (...given) =>
          new Promise((resolve, reject) => {
            ground.decide(...given).then(
              (answer) => isAlive() && resolve(answer),
              (error) => isAlive() && reject(error),
            );
          }),
        runId: `run-${runs}`,
        freshness,
        follow: (scope) => {
          clock.schedule(() => link.follow(scope) && freshness.scopeConfirmed(scope), random.between(5, 100));
        },
        clock,
        logger: loggerTo(trace),
      },
      stopping.signal,
    );
    touch(core);
    link.listener = {
      opened: (epoch) => {
        core.witness.epoch = epoch;
      },
      closed: () => {
        core.witness.epoch = undefined;
        freshness.lost(timeline.now);
      },
      available: () => core.replay.wake(),
      told: (change) => core.witness.told(changeOf(eventOf(change))),
    };
    const gateway = new SimulatedGateway(core, controlRoomOf(core, link), link, database, life, stopping);
    link.start();
    const tick = () => {
      gateway.lookAround().catch(() => undefined);
      clock.schedule(tick, TICK_MS);
    };
    tick();
    return gateway;
  }

  get isBroken(): boolean {
    return this.core.log.writeFailure !== undefined;
  }

  get isOver(): boolean {
    return this.life.isOver;
  }

  /** Resolves when this run is over. */
  get ended(): Promise<void> {
    return this.life.ended;
  }

  /** What was under way is never heard of again. */
  crash(): void {
    this.life.end();
    this.link.died();
  }

  /** As `Replication.stop`, after the link. */
  async stop(): Promise<void> {
    this.link.stop();
    this.stopping.abort();
    try {
      await this.core.mirror.stop();
      await this.core.log.close();
    } finally {
      this.life.end();
      await this.database.close();
    }
  }

  private async lookAround(): Promise<void> {
    const { acceptance, expiry, log, replay } = this.core;
    await expiry.look();
    acceptance.oldestAt = await log.oldestAcceptedAt();
    replay.wake();
  }
}

/** How this simulation's remote is told of a receipt. */
function withReceipt(metadata: Payload, receipt: string | undefined): Payload {
  return receipt === undefined ? metadata : metadata.withMember('receipt', receipt);
}

interface Life {
  isOver: boolean;
  ended: Promise<void>;
  end: () => void;
}

function newLife(): Life {
  const life: Life = { isOver: false, ended: Promise.resolve(), end: () => undefined };
  life.ended = new Promise((resolve) => {
    life.end = () => {
      life.isOver = true;
      resolve();
    };
  });
  return life;
}

export function optionsOf({ options }: Plan): GatewayOptions {
  return toCamel(gatewayBlock.parse(options));
}

function controlRoomOf(core: Core, link: SimulatedLink): ControlRoom {
  const parts = {
    ...core,
    link: { status: { state: 'open', since: 0, epoch: '' } },
    breaker: { state: 'closed', opened: 0 },
    remote: { epochs: 0, lastTraits: { adapter: 'kv', fenceable: true }, fenceable: link.fenceable },
    address: '',
    mirror: () => ({ bytes: 0, limit_bytes: 0, hits: 0, misses: 0 }),
  };
  return new ControlRoom(parts as unknown as Controls);
}

function loggerTo(trace: Ground['trace']): Logger {
  const tell = (level: string) => (facts: object, sentence: string) =>
    trace(() => `${level}: ${sentence} ${JSON.stringify(facts)}`);
  const logger: Logger = {
    debug: tell('debug'),
    info: tell('info'),
    warn: tell('warn'),
    error: tell('error'),
    child: () => logger,
  };
  return logger;
}
