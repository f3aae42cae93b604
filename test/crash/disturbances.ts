import { setTimeout as delay } from 'node:timers/promises';
import { RemoteTroubles, type Trouble } from '../support/remote-troubles.js';
import type { SeededRandom } from '../support/seeded-random.js';
import type { Ledger } from './ledger.js';
import type { Operator } from './operator.js';
import { SETTLE_MS, type Site } from './site.js';

/** What the gateway was doing when it was killed. */
export type Phase = 'starting' | 'serving' | 'offline' | 'draining';
export type Kills = Record<Phase, number>;

const LONGEST_HOLD_MS = 900;
/** A start takes about as long. */
const START_MS = 600;
/** How long a drain may keep a kill waiting for its next writes. */
const NEXT_WRITES_MS = 300;

/** Breaks things by chance: first the link, then the process, then heals the link, and at times kills the drain. */
export class Disturbances {
  readonly kills: Kills = { starting: 0, serving: 0, offline: 0, draining: 0 };
  /** In plain words, for whoever has to find out what happened. */
  readonly story: string[] = [];
  private readonly troubles: RemoteTroubles;
  private isAway = false;

  constructor(
    private readonly site: Site,
    private readonly ledger: Ledger,
    private readonly operator: Operator,
    private readonly random: SeededRandom,
  ) {
    this.troubles = new RemoteTroubles(site.remote, random, SETTLE_MS);
  }

  /** Afterwards the link is whole and the gateway runs. */
  async disturb(): Promise<void> {
    const { random } = this;
    const { all } = this.troubles;
    for (let left = random.below(3); left > 0; left -= 1) {
      // away for long is what this gateway is for
      await this.begin(random.pick(random.chance(0.3) ? all.filter(({ away }) => away) : all));
      await delay(random.below(LONGEST_HOLD_MS));
    }
    if (random.chance(0.5)) this.operator.begin();
    await this.hitProcess();
    await delay(random.below(LONGEST_HOLD_MS / 2));
    this.tell('healed');
    this.isAway = false;
    await this.troubles.healed();
    await this.operator.ended();
    if (random.chance(0.5)) this.operator.begin();
    if (random.chance(0.5)) await this.killDrain();
  }

  private async begin({ name, away, begin }: Trouble): Promise<void> {
    this.tell(name);
    if (away) this.isAway = true;
    await begin();
  }

  private async hitProcess(): Promise<void> {
    const { random } = this;
    switch (random.below(6)) {
      case 0:
        return;
      case 1:
        this.tell('ended orderly');
        await this.site.terminate();
        break;
      case 2:
        this.tell('killed with frames under way');
        await this.troubles.executeLate(() => this.kill());
        break;
      case 3: // twice in a row
        await this.kill();
        await this.start();
        await delay(random.below(200));
        await this.kill();
        break;
      case 4: // and while it starts
        await this.kill();
        for (let left = 1 + random.below(3); left > 0; left -= 1) await this.killStart();
        break;
      default:
        await this.kill();
    }
    await this.start();
  }

  /** Kills it once it has sent a few more writes, at times several times. */
  private async killDrain(): Promise<void> {
    for (let left = 1 + this.random.below(2); left > 0; left -= 1) {
      const { remote } = this.site;
      const some = remote.executed(remote.journal.length + 1 + this.random.below(40));
      await Promise.race([some, delay(NEXT_WRITES_MS)]);
      await this.kill();
      await this.start();
    }
  }

  private async kill(): Promise<void> {
    const phase = this.isAway ? 'offline' : this.isDraining ? 'draining' : 'serving';
    this.count(phase);
    await this.site.kill();
  }

  private async killStart(): Promise<void> {
    const wasReady = await this.site.startAndKill(this.random.below(START_MS));
    this.count(wasReady ? 'serving' : 'starting');
  }

  private async start(): Promise<void> {
    await this.site.start();
    this.tell('started');
    await this.ledger.audit(this.random);
  }

  /** Whether the gateway holds writes that it could be sending. */
  private get isDraining(): boolean {
    const executed = new Set(this.site.remote.journal.map(({ label }) => label));
    const open = new Set(this.ledger.openReceipts);
    return this.ledger.writes.some(
      ({ id, told }) => told.kind === 'accepted' && open.has(told.receipt) && !executed.has(String(id)),
    );
  }

  private count(phase: Phase): void {
    this.kills[phase] += 1;
    this.tell(`killed (${phase})`);
  }

  private tell(what: string): void {
    this.story.push(`${new Date().toISOString()} ${what}`);
  }
}
