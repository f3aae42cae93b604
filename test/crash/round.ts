import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { BarrierResult, Receipt } from '../../src/replication/operator.js';
import { SeededRandom } from '../support/seeded-random.js';
import { tempDir } from '../support/temp-dir.js';
import type { ToldWrite } from '../support/told-writes.js';
import { UnreliableRemote } from '../support/unreliable-remote.js';
import { violationsIn } from '../support/verdict.js';
import { Disturbances, type Kills } from './disturbances.js';
import { Ledger } from './ledger.js';
import { Operator } from './operator.js';
import { rulesOf, type ScopeCase } from './rules.js';
import { BOUND_MS, Site } from './site.js';
import { within } from './within.js';
import { anyKey, startWriters } from './writers.js';

/** What a round came to; it is over only if all promises were kept. */
export interface RoundResult {
  seed: number;
  kills: Kills;
  /** Calls of workers, and what the gateway counts of those that it accepted. */
  written: number;
  accepted: number;
  committed: number;
  quarantined: number;
  /** Of those, writes that made room in a full log; and those that an operator has dropped or sent again. */
  overflown: number;
  decided: number;
  /** Callers that were told that nobody knows. */
  unknown: number;
}

/** A promise was broken; all there is to see of it lies in `folder`. */
export class Violation extends Error {
  constructor(
    readonly seed: number,
    readonly folder: string,
    found: string,
  ) {
    super(`seed ${seed}: ${found}\n(data folder, log and journal: ${folder})`);
  }
}

export interface RoundOptions {
  seed: number;
  disturbances: number;
  cases: readonly ScopeCase[];
}

/** Every so many rounds the log is small, and fills up. */
const CRAMPED_EVERY = 4;
const CRAMPED_ENTRIES = 80;
const TRY_AGAIN_MS = 100;
/** Whose chances these are, beside the workers'. */
const OPERATOR = 99;

/** Workers write while link and process break at moments of the seed; then all must be as their callers were told. */
export async function runRound({ seed, disturbances, cases }: RoundOptions): Promise<RoundResult> {
  const folder = await tempDir();
  const limits = seed % CRAMPED_EVERY === 0 ? { log_entries: CRAMPED_ENTRIES } : {};
  const site = new Site(await UnreliableRemote.start(), join(folder.path, 'data'), rulesOf(cases), limits);
  const round = new Round(site, seed);
  try {
    const result = await round.run(disturbances, cases);
    await site.stop();
    await folder.remove();
    return { seed, ...result };
  } catch (error) {
    await round.leave(folder.path);
    await site.stop();
    throw new Violation(seed, folder.path, error instanceof Error ? error.message : String(error));
  }
}

class Round {
  private readonly ledger: Ledger;
  private readonly operator: Operator;
  private readonly disturbances: Disturbances;

  constructor(
    private readonly site: Site,
    private readonly seed: number,
    private readonly random = new SeededRandom(seed),
  ) {
    this.ledger = new Ledger(site);
    const isKnown = (receipt: string) => this.ledger.hasTold(receipt);
    this.operator = new Operator(site.dataDir, isKnown, new SeededRandom(seed, OPERATOR));
    this.disturbances = new Disturbances(site, this.ledger, this.operator, random);
  }

  async run(count: number, cases: readonly ScopeCase[]): Promise<Omit<RoundResult, 'seed'>> {
    await this.site.start();
    const flowing = cases.filter(({ flows }) => flows);
    const writers = startWriters(this.site.remote, this.ledger, cases, this.seed);
    try {
      for (let left = count; left > 0; left -= 1) {
        await this.disturbances.disturb();
        await this.writeArrives(this.random.pick(flowing));
      }
    } finally {
      writers.end();
    }
    await within(BOUND_MS, 'an answer to every call', writers.ended());
    await within(BOUND_MS, 'an answer to the operator', this.operator.ended());
    return this.judge(cases);
  }

  /** Writes all that is known of it beside the data; the gateway may still run. */
  async leave(folder: string): Promise<void> {
    const { writes, endings } = this.ledger;
    const status = await within(BOUND_MS, 'the status', this.site.ask('gateway::status')).catch(String);
    const told = writes.map((write: ToldWrite) => JSON.stringify(write)).join('\n');
    const ends = [...endings.values()].map((receipt: Receipt) => JSON.stringify(receipt)).join('\n');
    const journal = this.site.remote.journal.map((entry) => JSON.stringify(entry)).join('\n');
    const files = {
      told,
      ends,
      journal,
      status: JSON.stringify(status, undefined, 2),
      calls: this.site.remote.calls.map((call) => JSON.stringify(call)).join('\n'),
      log: this.site.log,
      story: this.disturbances.story.join('\n'),
    };
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  }

  /** Nothing stays stuck: with the link whole, a fresh write is at the remote within the bound. */
  private async writeArrives(at: ScopeCase): Promise<void> {
    const what = `a fresh write to ${at.scope}`;
    const { told } = await within(BOUND_MS, what, this.writeAtLast(at));
    if (told.kind === 'answered') return;
    if (told.kind !== 'accepted') throw new Error(`${what} was told ${JSON.stringify(told)}`);
    const asked = { receipt: told.receipt, wait_ms: BOUND_MS };
    const { status, reason } = await this.site.ask<Receipt>('gateway::receipt', asked);
    if (status !== 'committed' && status !== 'superseded') {
      throw new Error(`${what} is ${status} ${reason ?? ''} after ${BOUND_MS} ms`);
    }
  }

  /** A log that is full has room again once the link is whole. */
  private async writeAtLast(at: ScopeCase): Promise<ToldWrite> {
    for (;;) {
      const write = await this.ledger.write(0, at, anyKey(this.random), 'set');
      if (write.told.kind !== 'error' || write.told.code !== 'GATEWAY_BACKLOG_FULL') return write;
      await delay(TRY_AGAIN_MS);
    }
  }

  /** Drains, compares, and starts once more to see that nothing has changed. */
  private async judge(cases: readonly ScopeCase[]): Promise<Omit<RoundResult, 'seed'>> {
    const { site, ledger, random } = this;
    const { held } = await site.ask<BarrierResult>('gateway::barrier', { timeout_ms: 2 * BOUND_MS });
    const { writes, log, quarantine } = await ledger.audit(random);
    const open = writes.pending + writes.sent;
    if (open !== held || log.entries !== held) {
      throw new Error(`after the barrier ${open} writes are open, ${log.entries} in the log, ${held} held`);
    }
    if (held === 0 && log.bytes !== 0) throw new Error(`an empty log counts ${log.bytes} bytes`);
    const { openReceipts } = ledger;
    if (openReceipts.length > held) throw new Error(`the barrier forgot ${openReceipts.join(', ')}`);
    const found = violationsIn({
      writes: ledger.writes,
      journal: site.remote.journal,
      endings: ledger.endings,
      accounts: writes,
      retried: this.operator.retried,
      orderedScopes: new Set(cases.flatMap(({ scope, ordered }) => (ordered ? [scope] : []))),
    });
    if (found.length > 0) throw new Error(`${found.length} promises broken:\n${found.join('\n')}`);
    await site.terminate();
    await site.start();
    const after = (await ledger.audit(random)).writes;
    if (JSON.stringify(after) !== JSON.stringify(writes)) {
      throw new Error(`a restart changed the accounts: ${JSON.stringify({ before: writes, after })}`);
    }
    const isUnknown = ({ told }: ToldWrite) =>
      told.kind === 'error' && told.code === 'GATEWAY_OUTCOME_UNKNOWN';
    return {
      kills: this.disturbances.kills,
      written: ledger.writes.length,
      accepted: writes.accepted,
      committed: writes.committed,
      quarantined: writes.quarantined,
      overflown: quarantine.overflow,
      decided: this.operator.decided,
      unknown: ledger.writes.filter(isUnknown).length,
    };
  }
}
