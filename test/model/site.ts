import { setTimeout as delay } from 'node:timers/promises';
import { isObject, type Json, type JsonObject, member } from '../../src/protocol/json.js';
import { type RunningGateway, startGateway } from '../support/gateway.js';
import { startHub } from '../support/hub.js';
import { type TempDir, tempDir } from '../support/temp-dir.js';
import { type Answer, ExactWorker } from './exact-worker.js';
import { Link } from './link.js';

/** The scope whose reads may be served from the mirror. */
export const CACHED_SCOPE = 'cached';

/** Something wrong between the worker and the gateway, planted to see whether the model notices. */
export type Tamper = (
  call: StateFunctionCall,
  ask: (call: StateFunctionCall) => Promise<Answer>,
) => Promise<Answer>;

export interface StateFunctionCall {
  functionId: string;
  input: JsonObject;
}

/** Long against what a busy machine needs, so that a call over a link that stands never runs out of it. */
const PATIENCE_MS = 10_000;
const NOTICED_MS = 15_000;

/** A gateway in front of a hub with a link that comes and goes, a worker on it, and another writer at the hub. */
export class Site {
  private running: { gateway: RunningGateway; worker: ExactWorker } | undefined;

  private constructor(
    private readonly hub: RunningGateway,
    private readonly hubWorker: ExactWorker,
    private readonly link: Link,
    private readonly folder: TempDir,
    private readonly tamper: Tamper,
  ) {}

  static async start(tamper: Tamper = (call, ask) => ask(call)): Promise<Site> {
    const hub = await startHub();
    const link = await Link.open(hub.port);
    const site = new Site(hub, await ExactWorker.connect(hub.url), link, await tempDir(), tamper);
    await site.open();
    await site.isLinked();
    return site;
  }

  /** A State call of the worker. */
  call(functionId: string, input: JsonObject): Promise<Answer> {
    return this.tamper({ functionId, input }, (call) => this.worker.call(call.functionId, call.input));
  }

  /** A State call of somebody else, at the hub. */
  callHub(functionId: string, input: JsonObject): Promise<Answer> {
    return this.hubWorker.call(functionId, input);
  }

  /** The link is gone, and the gateway knows. */
  async cut(): Promise<void> {
    await this.link.cut();
    await this.statusBecomes('link is noticed to be gone', ({ link }) => link !== 'open');
  }

  /** The link can be had again; the gateway will find out. */
  restore(): Promise<void> {
    return this.link.restore();
  }

  /** The gateway is connected, and knows what its hub is. */
  isLinked(): Promise<void> {
    return this.statusBecomes(
      'link is open',
      ({ link, breaker, adapter }) => link === 'open' && breaker === 'closed' && adapter === 'kv',
    );
  }

  /** Waits until everything accepted so far is settled; gives what the gateway says of it. */
  drained(): Promise<Answer> {
    return this.worker.call('gateway::barrier', { timeout_ms: NOTICED_MS });
  }

  receipt(receipt: string): Promise<Answer> {
    return this.worker.call('gateway::receipt', { receipt });
  }

  /** Ends the gateway and starts it again on what it left. */
  async restart(): Promise<void> {
    await this.close();
    await this.open();
  }

  async stop(): Promise<void> {
    await this.close();
    await this.hubWorker.stop();
    await this.link.cut();
    await this.hub.stop();
    await this.folder.remove();
  }

  private get worker(): ExactWorker {
    if (!this.running) throw new Error('the gateway does not run');
    return this.running.worker;
  }

  private async open(): Promise<void> {
    const gateway = await startGateway({
      remote: this.link.url,
      dataDir: `${this.folder.path}/data`,
      gateway: {
        patience_ms: PATIENCE_MS,
        settle_delay_ms: 20,
        remote: { reconnect_ms: [10, 40], call_timeout_ms: PATIENCE_MS },
        limits: { min_free_bytes: 0 },
        breaker: { reset_ms: 50 },
        scopes: [{ match: CACHED_SCOPE, consistency: 'cache' }],
      },
    });
    this.running = { gateway, worker: await ExactWorker.connect(gateway.url) };
  }

  private async close(): Promise<void> {
    const running = this.running;
    this.running = undefined;
    await running?.worker.stop();
    await running?.gateway.stop();
  }

  private async statusBecomes(what: string, fits: (status: LinkStatus) => boolean): Promise<void> {
    for (const deadline = Date.now() + NOTICED_MS; ; ) {
      const status = linkStatusIn(await this.worker.call('gateway::status', {}));
      if (fits(status)) return;
      if (Date.now() > deadline) throw new Error(`not in time: ${what} (${JSON.stringify(status)})`);
      await delay(2);
    }
  }
}

interface LinkStatus {
  link: Json | undefined;
  adapter: Json | undefined;
  breaker: Json | undefined;
}

function linkStatusIn(answer: Answer): LinkStatus {
  const { link, breaker } = membersOf(answer);
  return {
    link: isObject(link) ? member(link, 'state') : undefined,
    adapter: isObject(link) ? member(link, 'adapter') : undefined,
    breaker: isObject(breaker) ? member(breaker, 'state') : undefined,
  };
}

function membersOf(answer: Answer): JsonObject {
  if (answer.kind !== 'result' || !isObject(answer.value)) {
    throw new Error(`expected an object: ${JSON.stringify(answer)}`);
  }
  return answer.value;
}
