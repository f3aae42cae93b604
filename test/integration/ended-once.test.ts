import { describe, expect, it } from 'vitest';
import { BY_ITSELF_MS, expectExactAccounts, numbers, Outpost, SCOPE, valuesIn } from '../support/outpost.js';
import type { FaultOrder } from '../support/remote-faults.js';
import { stopsAfterEach } from '../support/running.js';

const stopLater = stopsAfterEach();
/** Nothing overtakes an attempt that is not answered. */
const PATIENT = { patience_ms: 60_000, remote: { call_timeout_ms: 60_000 }, drain: { window: 1 } };

interface Waiting {
  outpost: Outpost;
  receipts: string[];
  /** The answer to the first of them. */
  answer: FaultOrder;
}

/** Writes `k0`, `k1`, ... of which the first is at the remote; the others were read from the log together with it. */
async function readAhead(count: number, rule: object, limits: object = {}): Promise<Waiting> {
  const scopes = [{ match: SCOPE, write: 'behind', ...rule }];
  const outpost = stopLater(await Outpost.start({ gateway: { scopes, limits, ...PATIENT } }));
  const answer = outpost.remote.late({ functionId: 'state::set' }, 1);
  await outpost.goOffline();
  const receipts: string[] = [];
  for (const n of numbers(count)) receipts.push((await outpost.setPending(`k${n}`, n)).receipt);
  await outpost.goOnline();
  await answer.met();
  return { outpost, receipts, answer };
}

/** The remote answers the first, and what was read ahead is met. */
async function drained({ outpost, answer }: Waiting): Promise<void> {
  answer.release();
  await outpost.settled();
  await outpost.setPending('last', 'last');
  await outpost.settled();
}

describe('a write that left the log after it was read, and before its turn', () => {
  it('expires once', async () => {
    const waiting = await readAhead(4, { expire_ms: 1000 });
    const { outpost, receipts } = waiting;
    for (const receipt of receipts.slice(1)) {
      expect(await outpost.ending(receipt)).toMatchObject({ status: 'expired' });
    }
    await drained(waiting);
    const status = await outpost.status();
    expect(status.writes).toMatchObject({ accepted: 5, committed: 2, expired: 3, pending: 0, sent: 0 });
    expect(status.log).toMatchObject({ entries: 0, bytes: 0 });
    expectExactAccounts(status);
  });

  it('is not sent after it made room for newer ones', async () => {
    const waiting = await readAhead(4, { overflow: 'drop-oldest' }, { log_entries: 5 });
    const { outpost, receipts } = waiting;
    await outpost.setPending('k4', 4);
    const [, ...others] = receipts;
    await expect
      .poll(async () => (await outpost.status()).quarantine.overflow, { timeout: BY_ITSELF_MS, interval: 5 })
      .toBeGreaterThan(0);
    expect(await outpost.ending(others[0] as string)).toMatchObject({ status: 'quarantined' });
    await drained(waiting);
    const status = await outpost.status();
    expect(valuesIn(outpost.remote.journal)).not.toContain(1);
    expect(status.writes).toMatchObject({ accepted: 6, quarantined: status.quarantine.overflow });
    expect(status.writes.committed + status.writes.quarantined).toBe(6);
    expect(status.log).toMatchObject({ entries: 0, bytes: 0 });
    expectExactAccounts(status);
  });
});
