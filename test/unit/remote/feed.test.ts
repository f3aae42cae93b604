import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { Feed, type WantedScope } from '../../../src/remote/feed.js';
import { FakeEngine } from '../../support/fake-engine.js';
import type { Frame } from '../../support/frame-log.js';
import { stopsAfterEach } from '../../support/running.js';
import { silentLogger } from '../../support/silent-logger.js';
import { linkTo, open } from './link-to.js';

const stopLater = stopsAfterEach();

const LIST = 'engine::registered-triggers::list';
const isQuestion = ({ function_id }: Frame) => function_id === LIST;
const asksFor = (scope: string) => (frame: Frame) =>
  (frame['config'] as Frame | undefined)?.['scope'] === scope;

/** Lists what is registered on it, but for the scopes that it was told to forget. */
function listing(engine: FakeEngine, forgotten: Set<string> = new Set()): void {
  engine.reply(LIST, () => ({
    result: {
      registered_triggers: engine.frames.filter(
        ({ type, config }) =>
          type === 'registertrigger' && !forgotten.has(String((config as Frame)['scope'])),
      ),
    },
  }));
}

async function feedOn(engine: FakeEngine, wanted: WantedScope[]) {
  const logger = silentLogger();
  const link = stopLater(linkTo(engine.url));
  const feed = new Feed(link, 'gateway', logger);
  const told: unknown[] = [];
  feed.on('confirmed', (scope) => told.push(['confirmed', scope]));
  feed.on('lost', (scopes) => told.push(['lost', scopes]));
  for (const scope of wanted) feed.want(scope);
  await open(link);
  return { feed, link, told, logger };
}

describe('a subscription by trigger', () => {
  it('counts when the engine lists it, which is asked once for all', async () => {
    const engine = stopLater(await FakeEngine.start());
    listing(engine);
    const { feed, told } = await feedOn(engine, ['a', 'b']);
    expect(feed.confirmed('a')).toBe(false);
    await expect
      .poll(() => told)
      .toEqual([
        ['confirmed', 'a'],
        ['confirmed', 'b'],
      ]);
    expect(feed.confirmed('a')).toBe(true);
    expect(feed.confirmed('c')).toBe(false);
    expect(feed.confirmed(undefined)).toBe(false);
    const questions = engine.frames.filter(isQuestion);
    expect(questions).toHaveLength(1);
    const subscription = engine.frames.find(({ type }) => type === 'registertrigger');
    expect(questions[0]?.['data']).toEqual({
      trigger_type: 'state',
      function_id: subscription?.['function_id'],
      include_internal: true,
    });
  });

  it('to everything covers each scope', async () => {
    const engine = stopLater(await FakeEngine.start());
    listing(engine);
    const { feed } = await feedOn(engine, [undefined]);
    await once(feed, 'confirmed');
    expect([feed.confirmed(undefined), feed.confirmed('whatever')]).toEqual([true, true]);
  });

  it('is asked after until it is there', async () => {
    const engine = stopLater(await FakeEngine.start());
    const forgotten = new Set(['b']);
    listing(engine, forgotten);
    const { feed, told } = await feedOn(engine, ['a', 'b']);
    await engine.received(isQuestion);
    await engine.next(isQuestion);
    expect(told).toEqual([['confirmed', 'a']]);
    expect(feed.confirmed('b')).toBe(false);
    forgotten.clear();
    await expect.poll(() => feed.confirmed('b')).toBe(true);
    expect(told).toEqual([
      ['confirmed', 'a'],
      ['confirmed', 'b'],
    ]);
  });

  it('never counts where the engine refuses to list, and that is said', async () => {
    const engine = stopLater(await FakeEngine.start());
    engine.reply(LIST, () => ({ error: { code: 'function_not_found', message: 'no such thing' } }));
    const { feed, logger } = await feedOn(engine, ['a']);
    await expect
      .poll(() => logger.lines.map(({ facts }) => facts))
      .toContainEqual({ reason: 'no such thing' });
    expect(feed.confirmed('a')).toBe(false);
    expect(engine.frames.filter(isQuestion)).toHaveLength(1);
  });

  it('that comes later is confirmed too, and one that nobody wants any more is missed by nobody', async () => {
    const engine = stopLater(await FakeEngine.start());
    listing(engine);
    const { feed, told } = await feedOn(engine, ['a']);
    await once(feed, 'confirmed');
    feed.want('b');
    await once(feed, 'confirmed');
    feed.unwant('a');
    expect([feed.confirmed('a'), feed.confirmed('b')]).toEqual([false, true]);
    expect(told).toEqual([
      ['confirmed', 'a'],
      ['confirmed', 'b'],
    ]);
  });

  it('that comes with others is asked after with them', async () => {
    const engine = stopLater(await FakeEngine.start());
    listing(engine);
    const { feed, told } = await feedOn(engine, ['a']);
    await once(feed, 'confirmed');
    for (let count = 0; count < 50; count += 1) feed.want(`scope ${count}`);
    await expect.poll(() => told).toHaveLength(51);
    expect(engine.frames.filter(isQuestion)).toHaveLength(2);
  });

  it('is lost from a scope to all, and back, until the new one is confirmed', async () => {
    const engine = stopLater(await FakeEngine.start());
    listing(engine);
    const { feed, told } = await feedOn(engine, ['a']);
    await once(feed, 'confirmed');
    feed.want(undefined);
    expect(feed.confirmed('a')).toBe(false);
    await once(feed, 'confirmed');
    expect(feed.confirmed('a')).toBe(true);
    feed.unwant(undefined);
    expect(feed.confirmed('a')).toBe(false);
    await once(feed, 'confirmed');
    expect(told).toEqual([
      ['confirmed', 'a'],
      ['lost', ['a']],
      ['confirmed', undefined],
      ['lost', [undefined]],
      ['confirmed', 'a'],
    ]);
  });

  it('is lost with the link, and confirmed anew on the next connection', async () => {
    const engine = stopLater(await FakeEngine.start());
    listing(engine);
    const { feed, told } = await feedOn(engine, ['a']);
    await once(feed, 'confirmed');
    const lost = once(feed, 'lost');
    engine.frames.length = 0;
    engine.drop();
    expect(await lost).toEqual([['a']]);
    expect(feed.confirmed('a')).toBe(false);
    await engine.received(asksFor('a'));
    await expect.poll(() => told).toHaveLength(3);
    expect(feed.confirmed('a')).toBe(true);
  });
});

it('after a subscription of an earlier connection nobody asks', async () => {
  const engine = stopLater(await FakeEngine.start());
  listing(engine, new Set(['a']));
  await feedOn(engine, ['a']);
  const earlier = await engine.received(asksFor('a'));
  for (let count = 0; count < 2; count += 1) await engine.next(isQuestion);
  const again = engine.next(asksFor('a'));
  engine.drop();
  const { function_id } = await again;
  expect(function_id).not.toBe(earlier['function_id']);
  engine.frames.length = 0;
  for (let count = 0; count < 4; count += 1) await engine.next(isQuestion);
  const about = engine.frames.filter(isQuestion).map(({ data }) => (data as Frame)['function_id']);
  expect(new Set(about)).toEqual(new Set([function_id]));
});

describe('a subscription by observer', () => {
  it('counts while the engine calls it active', async () => {
    const engine = stopLater(await FakeEngine.start({ features: ['observe.v2'] }));
    const { feed, told } = await feedOn(engine, ['a']);
    const { id } = await engine.received(({ type }) => type === 'observe');
    engine.send({ type: 'observeresult', id, state: 'pending' });
    engine.send({ type: 'observerstatechanged', id: 'another', state: 'active', fires: 0 });
    engine.send({ type: 'observerstatechanged', id, state: 'active', fires: 0 });
    await expect.poll(() => told).toEqual([['confirmed', 'a']]);
    expect(feed.confirmed('a')).toBe(true);
    engine.send({ type: 'observerstatechanged', id, state: 'suspended', fires: 3 });
    await once(feed, 'lost');
    expect(feed.confirmed('a')).toBe(false);
    engine.send({ type: 'observeresult', id, state: 'active' });
    await once(feed, 'confirmed');
    expect(feed.confirmed('a')).toBe(true);
    expect(engine.frames.some(isQuestion)).toBe(false);
  });
});
