import { expect, it } from 'vitest';
import { Outpost, pendingIn, SCOPE } from '../support/outpost.js';
import { stopsAfterEach } from '../support/running.js';

const stopLater = stopsAfterEach();

it.each(['remote-wins', 'park'])(
  'an empty log counts no bytes after an update behind a write that lost, under %s',
  async (conflict) => {
    const scopes = [{ match: SCOPE, order: 'scope', on_refusal: 'skip', conflict }];
    const outpost = stopLater(await Outpost.start({ gateway: { scopes } }));
    await outpost.set('k', { n: 1 });
    await outpost.goOffline();
    await outpost.setPending('k', { n: 2, long: 'x'.repeat(100) });
    pendingIn(await outpost.increment('k', 10));
    outpost.remote.writesElsewhere(SCOPE, 'k', { n: 50 });
    await outpost.goOnline();
    await outpost.settled();
    expect((await outpost.status()).log).toMatchObject({ entries: 0, bytes: 0 });
  },
);
