import { describe, expect, it } from 'vitest';
import type { Frame } from '../support/frame-log.js';
import { codeOf, Outpost, type OutpostOptions, SCOPE } from '../support/outpost.js';
import { stopsAfterEach } from '../support/running.js';

const stopLater = stopsAfterEach();
const outpost = async (options: OutpostOptions = {}) => stopLater(await Outpost.start(options));

/** Calls to the key `ghost` that the remote ever saw, once everything has been sent that ever will be. */
async function ghostsOf(site: Outpost): Promise<string[]> {
  await site.goOnline();
  await site.set('last', 1);
  await site.settled();
  return site.remote.calls.filter(({ key }) => key === 'ghost').map(({ functionId }) => functionId);
}

const REFUSED: [code: string, write: (site: Outpost) => Promise<Frame>][] = [
  ['GATEWAY_OFFLINE_UNKNOWN', (site) => site.increment('ghost')],
  ['GATEWAY_OFFLINE_UNKNOWN', (site) => site.delete('ghost')],
  [
    'deserialization_error',
    (site) => site.worker.call('state::update', { scope: SCOPE, key: 'ghost', ops: [{ type: 'no such' }] }),
  ],
  ['deserialization_error', (site) => site.worker.call('state::set', { scope: SCOPE, key: 'ghost' })],
  [
    'GATEWAY_OFFLINE',
    (site) =>
      site.worker.call('state::compare-and-set', { scope: SCOPE, key: 'ghost', expected: null, value: 1 }),
  ],
];

describe('a write that we refused is never sent', () => {
  it.each(REFUSED)('%s', async (code, write) => {
    const site = await outpost({ away: true });
    expect(codeOf(await write(site))).toBe(code);
    await site.setPending('kept', 1);
    expect(await ghostsOf(site)).toEqual([]);
    expect(site.remote.value(SCOPE, 'kept')).toBe(1);
  });

  it.each(REFUSED.slice(0, 2))('%s, not after a restart either', async (code, write) => {
    const site = await outpost({ away: true });
    expect(codeOf(await write(site))).toBe(code);
    await site.restart();
    expect(await ghostsOf(site)).toEqual([]);
  });

  it('GATEWAY_BACKLOG_FULL', async () => {
    const site = await outpost({ away: true, gateway: { limits: { log_entries: 2 } } });
    for (const key of ['a', 'b']) await site.setPending(key, 1);
    expect(codeOf(await site.set('ghost', 1))).toBe('GATEWAY_BACKLOG_FULL');
    expect(await ghostsOf(site)).toEqual([]);
    expect([site.remote.value(SCOPE, 'a'), site.remote.value(SCOPE, 'b')]).toEqual([1, 1]);
  });

  it('whatever the caller was told of its first try, its second one counts', async () => {
    const site = await outpost({ away: true });
    expect(codeOf(await site.increment('k'))).toBe('GATEWAY_OFFLINE_UNKNOWN');
    await site.goOnline();
    expect((await site.increment('k'))['result']).toEqual({ old_value: null, new_value: { n: 1 } });
    await site.settled();
    expect(site.remote.value(SCOPE, 'k')).toEqual({ n: 1 });
  });
});

describe('a write that the remote refused online', () => {
  it('is not kept', async () => {
    const site = await outpost();
    site.remote.refuse('FORBIDDEN', { functionId: 'state::set', key: 'ghost' }, 1);
    expect(codeOf(await site.set('ghost', 1))).toBe('FORBIDDEN');
    await site.goOffline();
    expect((await site.status()).writes.accepted).toBe(0);
    expect(await ghostsOf(site)).toEqual(['state::set']);
    expect(site.remote.journalOf(SCOPE, 'ghost')).toEqual([]);
  });
});
