/** A disk that fails, fills, or is slow: no false acceptance, a clear state, and a clean restart. */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { BarrierResult } from '../../src/replication/operator.js';
import { runCommand } from '../support/command.js';
import type { Frame } from '../support/frame-log.js';
import { type GatewayOptions, type RunningGateway, writeConfig } from '../support/gateway.js';
import { startGatewayProcess } from '../support/gateway-process.js';
import {
  BY_ITSELF_MS,
  codeOf,
  expectExactAccounts,
  numbers,
  pendingIn,
  resultOf,
  type Status,
  valuesIn,
} from '../support/outpost.js';
import { RawWorker } from '../support/raw-worker.js';
import { stopsAfterEach } from '../support/running.js';
import { describeTraced, startTraced, type TracedGateway } from '../support/strace.js';
import { tempDir } from '../support/temp-dir.js';
import { UnreliableRemote } from '../support/unreliable-remote.js';

const stopLater = stopsAfterEach();
const SCOPE = 'disk';
const MIB = 1024 * 1024;
/** More than a start needs, and soon used up. */
const SPARED = 10;
/** More writes than can pass before a thread has used up what was spared. */
const MANY = 100;

/** A worker on a gateway, whatever disk that is on. */
class Site<G extends RunningGateway> {
  private constructor(
    readonly gateway: G,
    private readonly worker: RawWorker,
  ) {}

  static async at<G extends RunningGateway>(gateway: G): Promise<Site<G>> {
    stopLater(gateway);
    return new Site(gateway, stopLater(await RawWorker.connect(gateway.url)));
  }

  set(key: string, value: unknown): Promise<Frame> {
    return this.worker.call('state::set', { scope: SCOPE, key, value });
  }

  increment(key: string): Promise<Frame> {
    const ops = [{ type: 'increment', path: 'n', by: 1 }];
    return this.worker.call('state::update', { scope: SCOPE, key, ops });
  }

  async value(key: string): Promise<unknown> {
    return resultOf(await this.worker.call('state::get', { scope: SCOPE, key }));
  }

  async status(): Promise<Status & { degraded: boolean; reasons: string[] }> {
    return resultOf(await this.worker.call('gateway::status', {}));
  }

  async settled(): Promise<BarrierResult> {
    return resultOf(await this.worker.call('gateway::barrier', { timeout_ms: BY_ITSELF_MS }));
  }
}

const optionsFor = (remote: UnreliableRemote, dataDir: string, more: object = {}) => ({
  remote: remote.url,
  dataDir,
  gateway: {
    patience_ms: 500,
    settle_delay_ms: 50,
    remote: { reconnect_ms: [20, 100] },
    limits: { min_free_bytes: 0 },
    log: { level: 'warn' },
    ...more,
  },
});

async function newDataDir(): Promise<string> {
  const folder = await tempDir();
  stopLater({ stop: () => folder.remove() });
  return join(folder.path, 'data');
}

const startSound = async (options: GatewayOptions) => Site.at(await startGatewayProcess(options));

/** What became of writes, by their keys. */
interface Outcome {
  accepted: string[];
  /** The disk failed while it was written: it may be found on it later. */
  unknown: string[];
  refused: string[];
}

/** Judges the answer of a write: accepted by us, or not taken by our disk; anything else fails the test. */
function judge({ accepted, unknown, refused }: Outcome, key: string, answer: Frame): void {
  if (!('error' in answer)) {
    pendingIn(answer);
    accepted.push(key);
    return;
  }
  expect(answer['result']).toBeUndefined();
  const code = codeOf(answer);
  expect(['GATEWAY_OUTCOME_UNKNOWN', 'GATEWAY_STORAGE']).toContain(code);
  (code === 'GATEWAY_STORAGE' ? refused : unknown).push(key);
}

/** Eight writes at a time, each to a key of its own, until the disk fails. */
async function writeUntilRefused(site: Site<RunningGateway>, value: unknown = 1): Promise<Outcome> {
  const outcome: Outcome = { accepted: [], unknown: [], refused: [] };
  for (let burst = 0; burst < MANY && outcome.unknown.length === 0; burst += 1) {
    await Promise.all(
      numbers(8).map(async (n) => {
        const key = `b${burst}-${n}`;
        judge(outcome, key, await site.set(key, value));
      }),
    );
  }
  expect(outcome.accepted.length, 'writes that were accepted').toBeGreaterThan(0);
  expect(outcome.unknown.length, 'writes that the disk did not take').toBeGreaterThan(0);
  return outcome;
}

/** All is at the remote that was accepted, and nothing twice; of the rest only what nobody could tell. */
function expectArrived(remote: UnreliableRemote, outcome: Outcome, later: string[]): void {
  const { accepted, unknown, refused } = outcome;
  const arrived = remote.journal.map(({ key }) => key);
  expect(arrived.length, 'nothing twice').toBe(new Set(arrived).size);
  expect(arrived).toEqual(expect.arrayContaining(accepted));
  expect([...accepted, ...unknown]).toEqual(expect.arrayContaining(arrived));
  expect(arrived.filter((key) => [...refused, ...later].includes(key))).toEqual([]);
}

/** The state of a gateway that writes nothing any more. */
async function expectFailStop(site: Site<TracedGateway>): Promise<void> {
  const { log, degraded, reasons } = await site.status();
  expect(log).toMatchObject({ accepting: false, reason: expect.stringMatching(/takes no more writes/) });
  expect(degraded).toBe(true);
  expect(reasons).toContain(log.reason);
  expect(site.gateway.isAlive()).toBe(true);
  expect(site.gateway.log().match(/takes no more writes/g), site.gateway.log()).toHaveLength(1);
}

describeTraced('a disk whose fdatasync fails', () => {
  it('stops acceptance at once and for good; a restart holds and sends what was accepted', async () => {
    const remote = stopLater(await UnreliableRemote.startAway());
    const dataDir = await newDataDir();
    const options = optionsFor(remote, dataDir);
    const site = await Site.at(await startTraced({ kind: 'fails', spared: SPARED }, options));
    const outcome = await writeUntilRefused(site);
    const later = numbers(5).map((n) => `later${n}`);
    for (const key of later) expect(codeOf(await site.set(key, 1))).toBe('GATEWAY_STORAGE');
    const [known = ''] = outcome.accepted;
    expect(codeOf(await site.set(known, 2))).toBe('GATEWAY_STORAGE');
    for (const key of outcome.accepted) expect(await site.value(key)).toBe(1);
    await expectFailStop(site);
    expectExactAccounts(await site.status());
    await site.gateway.kill();

    const again = await startSound(options);
    for (const key of outcome.accepted) expect(await again.value(key)).toBe(1);
    const { log, writes } = await again.status();
    expect(log).toMatchObject({ accepting: true, entries: writes.pending + writes.sent });
    expect(writes.accepted).toBeGreaterThanOrEqual(outcome.accepted.length);
    expect(writes.accepted).toBeLessThanOrEqual(outcome.accepted.length + outcome.unknown.length);
    await remote.revive();
    expect(await again.settled()).toEqual({ settled: true, quarantined: 0, held: 0 });
    expectArrived(remote, outcome, later);
    const status = await again.status();
    expectExactAccounts(status);
    expect(status.writes).toMatchObject({ accepted: writes.accepted, committed: writes.accepted });
    expect(remote.journal).toHaveLength(writes.accepted);
  });

  it('lets the remote answer when it is back, and sends nothing twice after the restart', async () => {
    const remote = stopLater(await UnreliableRemote.startAway());
    const dataDir = await newDataDir();
    const options = optionsFor(remote, dataDir);
    const site = await Site.at(await startTraced({ kind: 'fails', spared: SPARED }, options));
    pendingIn(await site.set('n', { n: 0 }));
    await remote.revive();
    expect(await site.settled()).toEqual({ settled: true, quarantined: 0, held: 0 });
    await remote.die();
    await expect.poll(async () => (await site.status()).link.state).not.toBe('open');
    for (const _ of numbers(3)) pendingIn(await site.increment('n'));
    const outcome = await writeUntilRefused(site);

    await remote.revive();
    await expect.poll(async () => (await site.status()).link.state).toBe('open');
    expect(resultOf(await site.set('online', 1))).toEqual({ old_value: null, new_value: 1 });
    for (const key of outcome.accepted) expect(await site.value(key)).toBe(1);
    await expectFailStop(site);
    await site.gateway.kill();

    const again = await startSound(options);
    expect(await again.settled()).toEqual({ settled: true, quarantined: 0, held: 0 });
    expect(valuesIn(remote.journalOf(SCOPE, 'n')).at(-1)).toEqual({ n: 3 });
    for (const key of outcome.accepted) expect(valuesIn(remote.journalOf(SCOPE, key))).toEqual([1]);
    expectExactAccounts(await again.status());
  });

  it('lets no newer write pass one that was sent and could not be kept', async () => {
    const remote = stopLater(await UnreliableRemote.start());
    const patient = optionsFor(remote, await newDataDir(), {
      patience_ms: 50,
      breaker: { min_calls: 10_000 },
    });
    const site = await Site.at(await startTraced({ kind: 'fails', spared: SPARED }, patient));
    await expect.poll(async () => (await site.status()).link.state).toBe('open');
    const late = remote.executeLate({ functionId: 'state::set' });
    let key = 'k0';
    let answer = await site.set(key, 'older');
    for (let n = 1; !('error' in answer) && n < MANY; n += 1) {
      key = `k${n}`;
      answer = await site.set(key, 'older');
    }
    expect(codeOf(answer)).toBe('GATEWAY_OUTCOME_UNKNOWN');
    late.end();
    expect(codeOf(await site.set(key, 'newer'))).toBe('GATEWAY_STORAGE');
    late.release();
    expect(valuesIn(remote.journalOf(SCOPE, key))).toEqual(['older']);
  });

  it('leaves a write that was already sent without a known outcome, and settles it after a restart', async () => {
    const remote = stopLater(await UnreliableRemote.start());
    const patient = optionsFor(remote, await newDataDir(), {
      patience_ms: 50,
      breaker: { min_calls: 10_000 },
    });
    const site = await Site.at(await startTraced({ kind: 'fails', spared: SPARED }, patient));
    await expect.poll(async () => (await site.status()).link.state).toBe('open');
    const dropped = remote.drop({ functionId: 'state::set' });
    let kept = 0;
    let answer = await site.set('k0', 1);
    while (!('error' in answer) && kept < MANY) {
      pendingIn(answer);
      kept += 1;
      expect((await site.status()).log.accepting).toBe(true);
      answer = await site.set(`k${kept}`, 1);
    }
    expect(kept).toBeGreaterThan(0);
    expect(codeOf(answer)).toBe('GATEWAY_OUTCOME_UNKNOWN');
    // From now on it is known beforehand that nothing can be kept.
    expect(codeOf(await site.set('next', 1))).toBe('GATEWAY_OUTCOME_UNKNOWN');
    for (const key of [`k${kept}`, 'next']) {
      expect(remote.callsOf('state::set', SCOPE, key), `${key} was sent once`).toHaveLength(1);
    }
    await expectFailStop(site);
    await site.gateway.kill();

    dropped.end();
    const again = await startSound(patient);
    expect(await again.settled()).toEqual({ settled: true, quarantined: 0, held: 0 });
    for (const n of numbers(kept)) expect(valuesIn(remote.journalOf(SCOPE, `k${n}`))).toEqual([1]);
    expect(remote.journalOf(SCOPE, `k${kept}`).length).toBeLessThanOrEqual(1);
    expect(remote.journalOf(SCOPE, 'next')).toEqual([]);
    expectExactAccounts(await again.status());
  });
});

describeTraced('a slow disk', () => {
  it('delays answers, and writes that come together share its syncs', async () => {
    const remote = stopLater(await UnreliableRemote.startAway());
    const site = await Site.at(
      await startTraced({ kind: 'slow', ms: 200 }, optionsFor(remote, await newDataDir())),
    );
    const before = site.gateway.syncs();
    const startedAt = performance.now();
    await Promise.all(numbers(64).map(async (n) => pendingIn(await site.set(`k${n}`, n))));
    expect(performance.now() - startedAt).toBeGreaterThan(200);
    const syncs = site.gateway.syncs() - before;
    expect(syncs).toBeGreaterThan(0);
    expect(syncs).toBeLessThanOrEqual(8);
    for (const n of numbers(64)) expect(await site.value(`k${n}`)).toBe(n);
    const { log, writes } = await site.status();
    expect(log).toMatchObject({ accepting: true, entries: 64 });
    expect(writes).toMatchObject({ accepted: 64, pending: 64 });
  });
});

/** A disk that goes with the test. */
async function smallDisk(sizeMiB: number): Promise<string> {
  const folder = await tempDir();
  const { status, stderr } = mountSmall(folder.path, sizeMiB);
  stopLater({
    stop: async () => {
      spawnSync('umount', [folder.path]);
      await folder.remove();
    },
  });
  expect(status, stderr).toBe(0);
  return folder.path;
}

function mountSmall(folder: string, sizeMiB: number) {
  return spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMiB * 1024}k`, 'tmpfs', folder], {
    encoding: 'utf8',
  });
}

/** Gives a small disk room. A start needs as much as the log holds, because it makes a table of it. */
function makeRoom(disk: string): void {
  expect(spawnSync('mount', ['-o', 'remount,size=64m', disk]).status).toBe(0);
}

/** Why no disk can be had of that size; not even root may mount in every container. */
function whyNoDisk(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root to mount';
  const folder = mkdtempSync(join(tmpdir(), 'iii-state-gateway-'));
  const { status, stderr } = mountSmall(folder, 1);
  if (status === 0) spawnSync('umount', [folder]);
  rmdirSync(folder);
  return status === 0 ? undefined : `may not mount here (${stderr?.trim() ?? 'there is no mount'})`;
}

const noDisk = whyNoDisk();

describe.skipIf(noDisk)(`a small disk${noDisk ? `: ${noDisk}` : ''}`, () => {
  it.each([
    ['the log', 3, /\.log: No space left on device/],
    ['a table of it', 4.75, /\.(ldb|log): No space left on device/],
  ])(
    'too small for %s ends acceptance; with room, a restart holds and sends all that was accepted',
    async (_, sizeMiB, reason) => {
      const remote = stopLater(await UnreliableRemote.startAway());
      const disk = await smallDisk(sizeMiB);
      const options = optionsFor(remote, join(disk, 'data'));
      const site = await startSound(options);
      const text = randomBytes(15_000).toString('hex');
      const outcome = await writeUntilRefused(site, text);
      const later = ['later0', 'later1'];
      for (const key of later) expect(codeOf(await site.set(key, text))).toBe('GATEWAY_STORAGE');
      for (const key of outcome.accepted) expect(await site.value(key)).toBe(text);
      const { log, degraded } = await site.status();
      expect(log).toMatchObject({
        accepting: false,
        reason: expect.stringMatching(reason),
      });
      expect(degraded).toBe(true);
      expect(site.gateway.log().match(/takes no more writes/g)).toHaveLength(1);
      await site.gateway.stop();

      makeRoom(disk);
      const again = await startSound(options);
      for (const key of outcome.accepted) expect(await again.value(key)).toBe(text);
      expect((await again.status()).log.accepting).toBe(true);
      await remote.revive();
      expect(await again.settled()).toEqual({ settled: true, quarantined: 0, held: 0 });
      expectArrived(remote, outcome, later);
      expectExactAccounts(await again.status());
    },
  );

  it('that stays full lets no gateway start, and costs nothing of what was accepted', async () => {
    const remote = stopLater(await UnreliableRemote.startAway());
    const disk = await smallDisk(3);
    const options = optionsFor(remote, join(disk, 'data'));
    const site = await startSound(options);
    const { accepted } = await writeUntilRefused(site, 'x'.repeat(30_000));
    await site.gateway.signal('SIGKILL');
    await writeFile(join(disk, 'others'), Buffer.alloc(3 * MIB)).catch(() => undefined); // the last bytes

    const config = await writeConfig(join(await newDataDir(), '..'), options);
    for (const _ of numbers(2)) {
      const { code, err } = await runCommand(['start', '--config', config], disk, (child) => child.kill());
      expect(err).toMatch(/No space left on device.*make room on the disk/);
      expect(code).toBe(4);
    }
    makeRoom(disk);
    const again = await startSound(options);
    for (const key of accepted) expect(await again.value(key)).toHaveLength(30_000);
  });

  it('that got full while nobody wrote only refuses, and takes writes again with room', async () => {
    const remote = stopLater(await UnreliableRemote.startAway());
    const disk = await smallDisk(8);
    const options = optionsFor(remote, join(disk, 'data'), { limits: { min_free_bytes: 4 * MIB } });
    const site = await startSound(options);
    pendingIn(await site.set('first', 1));
    const others = join(disk, 'others');
    await writeFile(others, Buffer.alloc(8 * MIB)).catch(() => undefined); // to the last byte
    await setTimeout(2500); // the figure that a decision is based on may be a second old
    const text = randomBytes(15_000).toString('hex');
    expect(codeOf(await site.set('k', text))).toBe('GATEWAY_BACKLOG_FULL');
    await rm(others);
    await expect.poll(async () => 'error' in (await site.set('k', text)), { timeout: 5000 }).toBe(false);
  });

  it('is left room on: acceptance ends before it is full, and comes back with the room', async () => {
    const remote = stopLater(await UnreliableRemote.startAway());
    const disk = await smallDisk(8);
    const options = optionsFor(remote, join(disk, 'data'), { limits: { min_free_bytes: 4 * MIB } });
    const site = await startSound(options);
    pendingIn(await site.set('first', 1));
    const others = join(disk, 'others');
    await writeFile(others, Buffer.alloc(5 * MIB));
    const attempts: Frame[] = [];
    const attempt = async () => {
      const answer = await site.set('meanwhile', attempts.length);
      attempts.push(answer);
      return 'error' in answer ? codeOf(answer) : 'accepted';
    };
    await expect.poll(attempt, { timeout: 5000, interval: 100 }).toBe('GATEWAY_BACKLOG_FULL');
    const { log, degraded } = await site.status();
    expect(log).toMatchObject({ accepting: false, reason: expect.stringMatching(/min_free_bytes/) });
    expect(degraded).toBe(true);

    await rm(others);
    await expect.poll(attempt, { timeout: 5000, interval: 100 }).toBe('accepted');
    for (const answer of attempts) if ('error' in answer) expect(codeOf(answer)).toBe('GATEWAY_BACKLOG_FULL');
    expect(await site.value('first')).toBe(1);
    expect(await site.value('meanwhile')).toBe(attempts.length - 1);
    const { writes } = await site.status();
    expect(writes.accepted).toBe(1 + attempts.filter((answer) => !('error' in answer)).length);
  });
});

describe('a data folder', () => {
  it('is for one gateway: a second one says so and ends, the first goes on', async () => {
    const remote = stopLater(await UnreliableRemote.startAway());
    const dataDir = await newDataDir();
    const options = optionsFor(remote, dataDir);
    const first = await startSound(options);
    pendingIn(await first.set('k', 1));
    const folder = join(dataDir, '..');
    const config = await writeConfig(folder, options);
    const second = await runCommand(['start', '--config', config], folder, (child) => child.kill());
    expect(second).toMatchObject({
      code: 4,
      out: '',
      err: expect.stringMatching(/in use by another process/),
    });
    expect(second.err).toContain(dataDir);
    expect(second.err).not.toMatch(/^\s+at /m);
    pendingIn(await first.set('k', 2));
    expect(await first.value('k')).toBe(2);
  });
});
