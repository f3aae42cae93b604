import { randomUUID } from 'node:crypto';
import { offerGatewayFunctions } from './admin/gateway-functions.js';
import { AdminServer } from './admin/server.js';
import { statusOf } from './admin/status.js';
import type { BridgeStateConfig, Config, StateConfig } from './config/config.js';
import { maskAddress } from './config/mask.js';
import { GatewayError } from './errors.js';
import { type Service, startAll } from './lifecycle.js';
import { Listener } from './listener/listener.js';
import type { Logger } from './logger.js';
import type { Json } from './protocol/json.js';
import { type Interest, StateTriggers } from './relay/state-triggers.js';
import { Breaker } from './remote/breaker.js';
import { Feed } from './remote/feed.js';
import { RemoteLink } from './remote/link.js';
import { PassageStamp } from './remote/passage.js';
import { enqueueOnRemote } from './remote/queue.js';
import { describeStatus } from './remote/status.js';
import { TraitsOfRemote } from './remote/traits.js';
import { systemClock } from './replication/clock.js';
import type { CallFunction } from './replication/replay/conflict-function.js';
import { Replication } from './replication/replication.js';
import { damagedFile } from './replication/store-tools/damaged-file.js';
import { Channels } from './router/channels.js';
import { offerConfiguration } from './router/configuration.js';
import { offerEngineEvents } from './router/engine-events.js';
import { offerEngineFunctions } from './router/engine-functions.js';
import { DEFAULT_NAMESPACE } from './router/functions.js';
import { offerPubSub } from './router/pubsub.js';
import { Router } from './router/router.js';
import type { StateAdapter } from './state/adapters/adapter.js';
import { BridgeAdapter } from './state/adapters/bridge.js';
import { CustomAdapter } from './state/adapters/custom.js';
import { createKv } from './state/adapters/kv.js';
import { STATE_FUNCTIONS } from './state/functions.js';
import { StateModule } from './state/state-module.js';
import { DataFolder } from './storage/data-folder.js';
import type { Identity } from './storage/identity.js';

export interface GatewayContext {
  logger: Logger;
  version: string;
}

/** Where a running gateway is found. */
export interface GatewayAddresses {
  listener: { host: string; port: number };
  /** Undefined without an admin server. */
  admin?: { host: string; port: number } | undefined;
  /** Where state lives, for people. */
  state: string;
}

export interface Gateway {
  /** @throws GatewayError `GATEWAY_STORAGE`, `GATEWAY_CONFIG`; or the listener's own error (`EADDRINUSE` …). */
  start(): Promise<GatewayAddresses>;
  stop(): Promise<void>;
}

/** What all parts are built from. */
interface Ground {
  config: Config;
  context: GatewayContext;
  folder: DataFolder;
  identity: Identity;
  passage: PassageStamp;
}

/** The way to the remote engine, and back. */
interface Remote {
  link: RemoteLink;
  feed: Feed;
  replication: Replication;
}

/** A gateway that is not running yet. Starting it opens its data folder, which is for one process at a time. */
export function createGateway(config: Config, context: GatewayContext): Gateway {
  let stopAll = async () => {};
  return {
    start: async () => {
      const folder = new DataFolder(
        config.dataDir,
        context.logger.child({ part: 'storage' }),
        (store, withTables) => damagedFile(store, config.dataDir, withTables),
      );
      await folder.start(); // first, because every other part is told who we are
      const { services, listener, admin } = await assemble(config, context, folder).catch(
        async (error: unknown) => {
          await folder.stop();
          throw folder.explain(error);
        },
      );
      stopAll = await startAll([folder, ...services]);
      return {
        listener: listener.address,
        admin: admin?.address,
        state: describeState(config.state),
      };
    },
    stop: () => stopAll(),
  };
}

/**
 * Builds the parts from the configuration and wires them, in the order of a write's way:
 * listener → router → state → adapter → remote, and back over feed and relay.
 */
async function assemble(config: Config, context: GatewayContext, folder: DataFolder) {
  const { identity } = folder;
  const ground: Ground = { config, context, folder, identity, passage: new PassageStamp(identity.id) };
  const callFunction: CallFunction = (id, input) => router.ask(DEFAULT_NAMESPACE, id, input);
  const remote =
    config.state.adapter === 'bridge' ? await createRemote(config.state, ground, callFunction) : undefined;
  const router: Router = new Router({
    stateIsOurs: config.state.adapter !== 'none',
    randomUuid: randomUUID,
    enqueue: remote
      ? enqueueOnRemote(remote.link, ground.passage, config.remote.callTimeoutMs)
      : () =>
          Promise.reject(new GatewayError('enqueue_error', 'No queue provider is installed on this engine')),
  });
  const channels = new Channels({ now: Date.now, randomUuid: randomUUID });
  offerEngineFunctions(router, { now: Date.now, randomUuid: randomUUID, channels, version: context.version });
  offerEngineEvents(router);
  offerPubSub(router);
  const adapters = createState(router, remote, ground);
  const listener = createListener(router, channels, ground);
  const admin = createAdmin(router, listener, remote, ground);
  if (remote) refuseOurselves(remote.link, router);
  // Left to right in, right to left out: no worker is let in before its writes have a home.
  const services: Service[] = [channels, ...adapters, ...(remote ? [remote.link] : []), listener];
  if (admin) services.push(admin);
  return { services, listener, admin };
}

async function createRemote(
  { remoteUrl }: BridgeStateConfig,
  ground: Ground,
  callFunction: CallFunction,
): Promise<Remote> {
  const { config, context, identity, folder, passage } = ground;
  const { headers, tls, window, reconnectMs, callTimeoutMs } = config.remote;
  const logger = context.logger.child({ part: 'link' });
  const link = new RemoteLink(
    {
      url: remoteUrl,
      headers,
      tls,
      connectTimeoutMs: 10_000,
      workerName: nameOf(config, identity),
      version: context.version,
      window,
      lateMs: callTimeoutMs,
      reconnectMs,
    },
    identity,
    randomUUID,
    logger,
  );
  link.on('status', (status) => {
    if (status.state === 'refused') logger.error({ state: status.state }, describeStatus(status));
    else if (status.state !== 'connecting') logger.info({ state: status.state }, describeStatus(status));
  });
  const feed = new Feed(link, identity.id, context.logger.child({ part: 'feed' }));
  const { errorPercent, minCalls, resetMs } = config.breaker;
  const breaker = new Breaker(link, {
    errorPercent,
    minCalls,
    resetMs,
    patienceMs: config.patienceMs,
    metadata: passage.stamp(undefined),
    random: Math.random,
  });
  breaker.on('state', (state) => logger.info({ breaker: state }, `the breaker is ${state}`));
  const replication = await Replication.open({
    config,
    gatewayId: identity.id,
    formerIds: identity.formerIds,
    address: maskAddress(remoteUrl),
    database: folder.database,
    mark: folder.mark,
    folder: config.dataDir,
    link,
    breaker,
    traits: new TraitsOfRemote(link),
    feed,
    passage,
    callFunction,
    runId: randomUUID().slice(0, 8),
    earlierWorkerId: identity.recall()?.workerId,
    clock: systemClock,
    logger: context.logger.child({ part: 'replication' }),
  });
  return { link, feed, replication };
}

/** State and its triggers, offered to workers; the adapter that holds it is to be started. */
function createState(
  router: Router,
  remote: Remote | undefined,
  { config, context, passage }: Ground,
): Service[] {
  if (config.state.adapter === 'none') return [];
  offerConfiguration(router, new Map([['iii-state', stateEntry(config.state)]]));
  const adapter = createAdapter(config.state, remote, { config, context });
  const { maxValueBytes, triggersEnabled } = config.state;
  const module = new StateModule(adapter, { passage, maxValueBytes, maxCallBytes: config.limits.frameBytes });
  for (const { id, ...info } of STATE_FUNCTIONS) {
    router.offer(id, { ...info, call: (call) => module.answer(id, call) });
  }
  const interest: Interest = remote && triggersEnabled ? remote.feed : { want: () => {}, unwant: () => {} };
  const triggers = new StateTriggers(router, interest, context.logger.child({ part: 'relay' }));
  router.triggers.offerType('state', triggers);
  if (triggersEnabled) {
    module.on('change', (change) => triggers.tell(change));
    remote?.feed.on('change', (change) => triggers.tell(change));
  }
  return [adapter];
}

/** What an engine's own entry for State would say; a custom adapter promises nothing that we know of. */
function stateEntry({ adapter, triggersEnabled }: Exclude<StateConfig, { adapter: 'none' }>): Json {
  return { adapter: { name: adapter }, triggers_enabled: triggersEnabled };
}

function createAdapter(
  state: Exclude<StateConfig, { adapter: 'none' }>,
  remote: Remote | undefined,
  { config, context }: Pick<Ground, 'config' | 'context'>,
): StateAdapter {
  switch (state.adapter) {
    case 'kv':
      return createKv(state, { logger: context.logger, now: Date.now, randomId: randomUUID });
    case 'bridge':
      return new BridgeAdapter((remote as Remote).replication);
    case 'custom':
      return new CustomAdapter(state.module, state.config, {
        dataDir: config.dataDir,
        logger: context.logger,
      });
  }
}

function createListener(router: Router, channels: Channels, { config, context }: Ground): Listener {
  const { host, port } = config.listener;
  const { workers, workerQueueBytes, ratePerWorker, handshakeMs } = config.limits;
  return new Listener(
    router,
    channels,
    {
      host,
      port,
      maxWorkers: workers,
      maxQueuedBytes: workerQueueBytes,
      ratePerWorker,
      handshakeMs,
      allowedOrigins: config.allowedOrigins,
    },
    context.logger.child({ part: 'listener' }),
  );
}

/** What operators and programs see of this gateway, and may do to it. */
function createAdmin(
  router: Router,
  listener: Listener,
  remote: Remote | undefined,
  { config, context, identity }: Ground,
): AdminServer | undefined {
  const operator = remote?.replication.operator;
  const facts = {
    id: identity.id,
    name: nameOf(config, identity),
    version: context.version,
    pid: process.pid,
    started_at: new Date().toISOString(),
    data_dir: config.dataDir,
  };
  const status = () =>
    statusOf({
      facts,
      state: describeState(config.state),
      listener: () => listener.address,
      workers: () => router.workers.size,
      replication: operator && (() => operator.status()),
    });
  offerGatewayFunctions(router, { status, operator });
  if (config.admin === 'off') return undefined;
  return new AdminServer(
    { ...config.admin, dataDir: config.dataDir, allowedOrigins: config.allowedOrigins },
    { status, operator },
    context.logger.child({ part: 'admin' }),
  );
}

function nameOf({ name }: Config, { id }: Identity): string {
  return name ?? `iii-state-gateway-${id.slice(0, 8)}`;
}

/** An address may lead back to our own listener in ways that no look at it can tell; a worker id cannot lie. */
function refuseOurselves(link: RemoteLink, router: Router): void {
  link.on('open', ({ workerId }) => {
    if (router.workers.find(workerId))
      link.refuse(new Error('it is this gateway itself; name another engine'));
  });
}

function describeState(state: StateConfig): string {
  switch (state.adapter) {
    case 'none':
      return 'none here';
    case 'kv':
      return state.storeMethod === 'in_memory'
        ? "in this process's memory"
        : `on this machine, in ${state.filePath}`;
    case 'bridge':
      return `on the remote engine ${maskAddress(state.remoteUrl)}`;
    case 'custom':
      return `in the adapter ${state.module}`;
  }
}
