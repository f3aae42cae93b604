import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { type RemoteTraits, TraitsOfRemote } from '../../../src/remote/traits.js';
import { FakeEngine } from '../../support/fake-engine.js';
import { stopsAfterEach } from '../../support/running.js';
import { linkTo, open } from './link-to.js';

const stopLater = stopsAfterEach();

const refused = { error: { code: 'function_not_found', message: 'no' } };
const unknown: RemoteTraits = {
  adapter: 'unknown',
  triggersEnabled: 'unknown',
  standalone: false,
  fenceable: false,
  knowsReceipts: false,
  comparesAndSets: false,
};

interface Engine {
  /** Owner of `state::set`. */
  owner?: string;
  /** Owners of other functions. */
  others?: Record<string, string>;
  entry?: unknown;
}

async function engineWith({ owner = 'iii-state', others = {}, entry }: Engine): Promise<FakeEngine> {
  const engine = stopLater(await FakeEngine.start());
  const owners: Record<string, string> = { 'state::set': owner, ...others };
  engine.reply('engine::functions::info', ({ data }) => {
    const id = (data as { function_id: string }).function_id;
    return id in owners ? { result: { function_id: id, worker_name: owners[id] } } : refused;
  });
  engine.reply('configuration::get', () => (entry === undefined ? refused : { result: entry }));
  return engine;
}

async function traitsOf(engine: FakeEngine): Promise<RemoteTraits> {
  const link = stopLater(linkTo(engine.url));
  const traits = new TraitsOfRemote(link);
  expect(traits.current).toEqual(unknown);
  const known = once(traits, 'known');
  await link.start();
  const [told] = await known;
  expect(traits.current).toEqual(told);
  return traits.current;
}

describe('what a remote is like', () => {
  it.each<[string, unknown, Partial<RemoteTraits>]>([
    ['kv with triggers where nothing was set', {}, { adapter: 'kv', triggersEnabled: true, fenceable: true }],
    [
      'what was set',
      { adapter: { name: 'redis', config: {} }, triggers_enabled: false },
      { adapter: 'redis', triggersEnabled: false, fenceable: true },
    ],
    [
      'not to be fenced where it is a bridge itself',
      { adapter: { name: 'bridge' } },
      { adapter: 'bridge', triggersEnabled: true, fenceable: false },
    ],
    ['unknown where the adapter is its own', { adapter: { name: 'mine' } }, { triggersEnabled: true }],
    ['unknown where the entry is none', null, {}],
    ['unknown where a setting is no setting', { adapter: 5, triggers_enabled: 'yes' }, {}],
  ])('is %s', async (_, value, expected) => {
    const engine = await engineWith({ entry: { id: 'iii-state', value } });
    expect(await traitsOf(engine)).toEqual({ ...unknown, ...expected });
    const asked = engine.frames.find(({ function_id }) => function_id === 'configuration::get');
    expect(asked?.['data']).toEqual({ id: 'iii-state' });
  });

  it('is unknown where it may not be asked', async () => {
    expect(await traitsOf(await engineWith({}))).toEqual(unknown);
  });

  it('is standalone where State is a worker, which is asked about under its own name', async () => {
    const engine = await engineWith({ owner: 'state', entry: { id: 'state', value: {} } });
    expect(await traitsOf(engine)).toMatchObject({ standalone: true, adapter: 'kv' });
    const asked = engine.frames.find(({ function_id }) => function_id === 'configuration::get');
    expect(asked?.['data']).toEqual({ id: 'state' });
  });

  it.each<[string, Engine, Partial<RemoteTraits>]>([
    [
      'a gateway',
      { others: { 'gateway::receipt': 'iii-state-gateway' }, entry: { value: {} } },
      { knowsReceipts: true },
    ],
    [
      'a gateway that serves an engine',
      { owner: 'edge', others: { 'gateway::receipt': 'edge' }, entry: { value: {} } },
      { knowsReceipts: true },
    ],
    [
      'an engine with a gateway among its workers',
      { others: { 'gateway::receipt': 'edge' }, entry: { value: {} } },
      { knowsReceipts: false },
    ],
    [
      'a gateway whose adapter is its own',
      {
        others: { 'gateway::receipt': 'iii-state-gateway' },
        entry: { value: { adapter: { name: 'custom' } } },
      },
      { knowsReceipts: false },
    ],
    [
      'one that compares',
      { others: { 'state::compare-and-set': 'iii-state' }, entry: { value: {} } },
      { comparesAndSets: true },
    ],
    [
      'one that passes comparisons on',
      {
        others: { 'state::compare-and-set': 'iii-state' },
        entry: { value: { adapter: { name: 'bridge' } } },
      },
      { comparesAndSets: false },
    ],
  ])('knows %s', async (_, engine, expected) => {
    expect(await traitsOf(await engineWith(engine))).toMatchObject(expected);
  });

  it('is asked after everything that is registered at once', async () => {
    const engine = await engineWith({});
    const link = stopLater(linkTo(engine.url));
    const traits = new TraitsOfRemote(link);
    link.on('open', async () => {
      await Promise.resolve();
      link.send({ type: 'registerfunction', id: 'f' });
    });
    const known = once(traits, 'known');
    await link.start();
    await known;
    expect(engine.frames.map(({ type, function_id = type }) => function_id)).toEqual([
      'engine::workers::register',
      'registerfunction',
      'engine::functions::info',
      'engine::functions::info',
      'engine::functions::info',
      'configuration::get',
    ]);
  });

  it('is asked for again on every connection, and unknown in between', async () => {
    const engine = await engineWith({ entry: { id: 'iii-state', value: {} } });
    const link = stopLater(linkTo(engine.url));
    const traits = new TraitsOfRemote(link);
    const first = once(traits, 'known');
    await open(link);
    await first;
    engine.reply('configuration::get', () => ({ result: { value: { adapter: { name: 'redis' } } } }));
    const [lost, again] = [once(link, 'status'), once(traits, 'known')];
    engine.drop();
    await lost;
    expect(traits.current).toEqual(unknown);
    await again;
    expect(traits.current.adapter).toBe('redis');
  });
});
