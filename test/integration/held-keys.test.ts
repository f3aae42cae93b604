import { describe, expect, it } from 'vitest';
import {
  codeOf,
  expectExactAccounts,
  numbers,
  Outpost,
  pendingIn,
  resultOf,
  SCOPE,
  valuesIn,
} from '../support/outpost.js';
import { stopsAfterEach } from '../support/running.js';

const stopLater = stopsAfterEach();

async function site(rule: object = {}): Promise<Outpost> {
  const scopes = [{ match: SCOPE, on_refusal: 'hold', ...rule }];
  return stopLater(await Outpost.start({ gateway: { admin: { port: 0 }, scopes } }));
}

/** Three writes to a key, of which the remote refuses the first; gives its number in quarantine. */
async function held(outpost: Outpost, more = 2): Promise<number> {
  await outpost.goOffline();
  await outpost.setPending('k', 'refused');
  for (const n of numbers(more)) await outpost.setPending('k', n);
  await outpost.setPending('other', 'flows');
  outpost.remote.refuse('VALUE_TOO_LARGE', { functionId: 'state::set', key: 'k' }, 1);
  await outpost.goOnline();
  expect(await outpost.settled()).toEqual({ settled: true, quarantined: 1, held: more });
  return seqIn(outpost);
}

async function seqIn(outpost: Outpost): Promise<number> {
  const { body } = await outpost.admin('GET', '/api/quarantine');
  const [first] = (body as { quarantined: { seq: number }[] }).quarantined;
  return (first as { seq: number }).seq;
}

describe('on_refusal: hold', () => {
  it('keeps the writes behind a refused one, and takes no more; other keys flow', async () => {
    const outpost = await site();
    await held(outpost);
    expect(valuesIn(outpost.remote.journalOf(SCOPE, 'k'))).toEqual([]);
    expect(outpost.remote.value(SCOPE, 'other')).toBe('flows');
    expect(codeOf(await outpost.set('k', 'more'))).toBe('GATEWAY_KEY_HELD');
    expect((await outpost.get('k'))['result']).toBe(1); // read-your-writes
    expectExactAccounts(await outpost.status());
  });

  it('lets them go when the refused one is dropped', async () => {
    const outpost = await site();
    const seq = await held(outpost);
    await outpost.admin('POST', `/api/quarantine/${seq}/drop`);
    expect(await outpost.settled()).toEqual({ settled: true, quarantined: 0, held: 0 });
    expect(valuesIn(outpost.remote.journalOf(SCOPE, 'k'))).toEqual([0, 1]);
    resultOf(await outpost.set('k', 'after'));
    expect(outpost.remote.value(SCOPE, 'k')).toBe('after');
  });

  it('sends it first when it is tried again', async () => {
    const outpost = await site();
    const seq = await held(outpost);
    await outpost.admin('POST', `/api/quarantine/${seq}/retry`);
    expect(await outpost.settled()).toEqual({ settled: true, quarantined: 0, held: 0 });
    expect(valuesIn(outpost.remote.journalOf(SCOPE, 'k'))).toEqual(['refused', 0, 1]);
    expectExactAccounts(await outpost.status());
  });

  it('holds again when it is refused again, and with nothing behind it', async () => {
    const outpost = await site();
    const seq = await held(outpost, 0);
    expect(codeOf(await outpost.set('k', 'more'))).toBe('GATEWAY_KEY_HELD');
    outpost.remote.refuse('VALUE_TOO_LARGE', { functionId: 'state::set', key: 'k' }, 1);
    await outpost.admin('POST', `/api/quarantine/${seq}/retry`);
    await outpost.settled();
    expect(codeOf(await outpost.set('k', 'more'))).toBe('GATEWAY_KEY_HELD');
    await outpost.admin('POST', `/api/quarantine/${await seqIn(outpost)}/drop`);
    resultOf(await outpost.set('k', 'after'));
  });

  it('shows what the writes behind it will make without it', async () => {
    const outpost = await site();
    await outpost.set('k', { n: 1 });
    await outpost.goOffline();
    await outpost.setPending('k', { n: 100 });
    for (const by of [10, 20]) pendingIn(await outpost.increment('k', by));
    expect((await outpost.get('k'))['result']).toEqual({ n: 130 });
    outpost.remote.refuse('VALUE_TOO_LARGE', { functionId: 'state::set', key: 'k' }, 1);
    await outpost.goOnline();
    expect(await outpost.settled()).toMatchObject({ held: 2 });
    expect((await outpost.get('k'))['result']).toEqual({ n: 31 });
    await outpost.restart();
    expect((await outpost.get('k'))['result']).toEqual({ n: 31 });
  });

  it('outlives a restart, also when much is settled behind it', async () => {
    const outpost = await site();
    const seq = await held(outpost);
    for (const n of numbers(50)) await outpost.set(`k${n}`, n);
    await outpost.goOffline();
    for (const n of numbers(50)) await outpost.setPending(`k${n}`, -n);
    await outpost.goOnline();
    await outpost.settled();
    await outpost.restart();
    await outpost.settled();
    expect(codeOf(await outpost.set('k', 'more'))).toBe('GATEWAY_KEY_HELD');
    expect(outpost.remote.value(SCOPE, 'k')).toBeUndefined();
    await outpost.admin('POST', `/api/quarantine/${seq}/retry`);
    await outpost.restart(); // in the middle of it, perhaps
    expect(await outpost.settled()).toEqual({ settled: true, quarantined: 0, held: 0 });
    expect(valuesIn(outpost.remote.journalOf(SCOPE, 'k'))).toEqual(['refused', 0, 1]);
  });
});

describe('order: scope', () => {
  const ordered = { order: 'scope', on_refusal: undefined };

  it('sends the writes of a scope in the order of their acceptance, whatever their keys', async () => {
    const outpost = await site(ordered);
    await outpost.goOffline();
    for (const n of numbers(30)) await outpost.setPending(`k${n % 3}`, n);
    const late = outpost.remote.delay(20, { functionId: 'state::set' }, 5);
    await outpost.goOnline();
    expect(await outpost.settled()).toMatchObject({ quarantined: 0, held: 0 });
    late.end();
    const written = outpost.remote.journal.filter(({ scope }) => scope === SCOPE);
    expect(valuesIn(written)).toEqual(numbers(30));
  });

  it('online too, and reads show what is pending', async () => {
    const outpost = await site(ordered);
    const late = outpost.remote.delay(20, { functionId: 'state::set' }, 3);
    const answers = await Promise.all(numbers(10).map((n) => outpost.set(`k${n % 2}`, n)));
    for (const answer of answers) resultOf(answer);
    late.end();
    expect(valuesIn(outpost.remote.journal.filter(({ scope }) => scope === SCOPE))).toEqual(numbers(10));
    await outpost.goOffline();
    await outpost.setPending('k0', 'a');
    await outpost.setPending('k1', 'b');
    await outpost.setPending('k0', 'c');
    expect((await outpost.get('k0'))['result']).toBe('c');
    expect((await outpost.get('k1'))['result']).toBe('b');
    await outpost.restart();
    expect((await outpost.get('k0'))['result']).toBe('c');
    expect((await outpost.get('k1'))['result']).toBe('b');
  });

  it('holds the scope behind a refused write, and lets it go', async () => {
    const outpost = await site(ordered);
    await outpost.goOffline();
    for (const key of ['a', 'b', 'a', 'c']) await outpost.setPending(key, key);
    outpost.remote.refuse('VALUE_TOO_LARGE', { functionId: 'state::set', key: 'b' }, 1);
    await outpost.goOnline();
    expect(await outpost.settled()).toEqual({ settled: true, quarantined: 1, held: 2 });
    expect(codeOf(await outpost.set('d', 1))).toBe('GATEWAY_KEY_HELD');
    await outpost.restart();
    expect(await outpost.settled()).toEqual({ settled: true, quarantined: 1, held: 2 });
    await outpost.admin('POST', `/api/quarantine/${await seqIn(outpost)}/retry`);
    expect(await outpost.settled()).toEqual({ settled: true, quarantined: 0, held: 0 });
    const written = outpost.remote.journal.filter(({ scope }) => scope === SCOPE);
    expect(valuesIn(written)).toEqual(['a', 'b', 'a', 'c']);
    resultOf(await outpost.set('d', 1));
  });

  it('counts for what is accepted after the option was set, and is taken back the same way', async () => {
    const outpost = await site(ordered);
    await outpost.goOffline();
    await outpost.setPending('a', 1);
    await outpost.setPending('b', 2);
    await outpost.restart({ scopes: [] });
    await outpost.setPending('a', 3);
    await outpost.restart({ scopes: [{ match: SCOPE, order: 'scope' }] });
    await outpost.setPending('b', 4);
    expect((await outpost.get('a'))['result']).toBe(3);
    await outpost.goOnline();
    expect(await outpost.settled()).toMatchObject({ quarantined: 0, held: 0 });
    expect(valuesIn(outpost.remote.journal.filter(({ scope }) => scope === SCOPE))).toEqual([1, 2, 3, 4]);
  });
});
