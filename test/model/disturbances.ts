import { setTimeout as delay } from 'node:timers/promises';
import type fc from 'fast-check';
import type { Answer } from './exact-worker.js';
import type { GatewayModel } from './gateway-model.js';
import { known, sameValue, sameView, type Value } from './key-model.js';
import { CACHED_SCOPE, type Site } from './site.js';
import { demand, objectIn, sameTexts, shownValue, viewIn } from './verdicts.js';

type Disturbance = fc.AsyncCommand<GatewayModel, Site>;

/** The link is cut; also while what was accepted is on its way. */
export class Cut implements Disturbance {
  check({ link }: Readonly<GatewayModel>): boolean {
    return link !== 'down';
  }

  async run(model: GatewayModel, site: Site): Promise<void> {
    if (model.mayBeQuarantined()) await settle(model, site);
    await site.cut();
    model.cut();
  }

  toString(): string {
    return 'cut';
  }
}

/** The link can be had again, and calls go on at once. */
export class Restore implements Disturbance {
  check({ link }: Readonly<GatewayModel>): boolean {
    return link === 'down';
  }

  async run(model: GatewayModel, site: Site): Promise<void> {
    await site.restore();
    model.link = 'returning';
  }

  toString(): string {
    return 'restore';
  }
}

/** Waits until the link stands and the backlog is drained: the hub then holds exactly the model. */
export class Settle implements Disturbance {
  check({ link }: Readonly<GatewayModel>): boolean {
    return link === 'returning';
  }

  async run(model: GatewayModel, site: Site): Promise<void> {
    await settle(model, site);
  }

  toString(): string {
    return 'settle';
  }
}

/** The gateway ends and starts again on what it left, in whatever state the link is. */
export class Restart implements Disturbance {
  check(): boolean {
    return true;
  }

  async run(model: GatewayModel, site: Site): Promise<void> {
    if (model.mayBeQuarantined()) await settle(model, site);
    await site.restart();
    if (model.link === 'down') return;
    await settle(model, site);
  }

  toString(): string {
    return 'restart';
  }
}

/** Somebody else changes a key at the hub. */
export class Elsewhere implements Disturbance {
  constructor(
    private readonly scope: string,
    private readonly key: string,
    private readonly value: Value,
  ) {}

  /** Which of our writes come before it, and which after, must be certain. */
  check(model: Readonly<GatewayModel>): boolean {
    return model.link !== 'returning' && !model.key(this.scope, this.key).isTorn;
  }

  async run(model: GatewayModel, site: Site): Promise<void> {
    const { scope, key, value } = this;
    const before = model.key(scope, key).hub;
    if (value === undefined) await site.callHub('state::delete', { scope, key });
    else await site.callHub('state::set', { scope, key, value });
    model.changedElsewhere(scope, key, value);
    if (model.link === 'up' && scope === CACHED_SCOPE) await this.isSeen(site, before);
  }

  toString(): string {
    return `elsewhere ${JSON.stringify([this.scope, this.key])} ${shownValue(this.value)}`;
  }

  /** A read that may be served from the mirror shows the old value for a moment; never anything else. */
  private async isSeen(site: Site, before: Value): Promise<void> {
    for (const deadline = Date.now() + SEEN_MS; ; ) {
      const answer = await site.call('state::get', { scope: this.scope, key: this.key });
      const view = viewIn(answer);
      if (view && sameView(view, known(this.value))) return;
      const isOld = view !== undefined && sameView(view, known(before)) && Date.now() < deadline;
      demand(isOld, `a read after ${this}`, answer, `${shownValue(before)} at first`);
      await delay(1);
    }
  }
}

const SEEN_MS = 5000;

/** @throws Contradiction if the hub does not hold what it has to. */
export async function settle(model: GatewayModel, site: Site): Promise<void> {
  await site.isLinked();
  const drained = await site.drained();
  for (const receipt of model.openReceipts) {
    const answer = await site.receipt(receipt);
    demand(objectIn(answer)?.['status'] === 'committed', `receipt ${receipt}`, answer, 'committed');
  }
  const { settled, quarantined, held } = objectIn(drained) ?? {};
  demand(settled === true && quarantined === 0 && held === 0, 'barrier', drained, 'everything settled well');
  model.drained();
  await compareHub(model, site);
}

async function compareHub(model: GatewayModel, site: Site): Promise<void> {
  const scopes: string[] = [];
  for (const [scope, keys] of model.allScopes()) {
    const present: string[] = [];
    for (const [key, { hub }] of keys) {
      if (hub !== undefined) present.push(key);
      const answer = await site.callHub('state::get', { scope, key });
      const view = viewIn(answer);
      const isEqual = view?.kind === 'known' && sameValue(view.value, hub);
      demand(isEqual, `the hub's ${JSON.stringify([scope, key])}`, answer, shownValue(hub));
    }
    if (present.length > 0) scopes.push(scope);
    demandNames(await site.callHub('state::list_keys', { scope }), 'keys', present);
  }
  demandNames(await site.callHub('state::list_groups', {}), 'groups', scopes);
}

function demandNames(answer: Answer, member: 'keys' | 'groups', names: readonly string[]): void {
  const listed = objectIn(answer)?.[member];
  const isEqual = Array.isArray(listed) && sameTexts(listed.map(String), names);
  demand(isEqual, `the hub's ${member}`, answer, JSON.stringify(names));
}
