import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RawWorker } from '../support/raw-worker.js';
import { ready, Workers } from '../support/sdk.js';
import {
  type Binding,
  type ChannelReader,
  type ChannelWriter,
  NODE_SDKS,
  type NodeWorker,
} from '../support/sdk-node.js';
import { eventually, gatewayBeforeHub, type Site } from './site.js';

const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

describe.for(NODE_SDKS)('npm iii-sdk $version through the gateway', (sdk) => {
  const workers = new Workers();
  let site: Site;
  beforeEach(async () => {
    site = await gatewayBeforeHub();
  });
  afterEach(async () => {
    await workers.shutdown();
    await site.close();
  });
  const connect = (name: string) => sdk.connect(workers, site.url, name);
  const settled = (...all: NodeWorker[]) => ready(...all.map(({ client }) => client));

  it('is known by its name', async () => {
    const worker = connect('somebody');
    await settled(worker);

    const { workers: all } = await worker.call<{ workers: object[] }>('engine::workers::list', {});

    expect(all).toContainEqual(expect.objectContaining({ name: 'somebody', runtime: 'node' }));
  });

  it('uses all six state functions', async () => {
    const worker = connect('keeper');
    const place = { scope: 'notes', key: 'a' };
    const state = (name: string, input: object) => worker.call(`state::${name}`, input);

    expect(await state('set', { ...place, value: { n: 1 } })).toEqual({
      old_value: null,
      new_value: { n: 1 },
    });
    const ops = [
      { type: 'increment', path: 'n', by: 41 },
      { type: 'set', path: '__proto__', value: 1 },
    ];
    expect(await state('update', { ...place, ops })).toMatchObject({
      old_value: { n: 1 },
      new_value: { n: 42 },
      errors: [{ op_index: 1, code: 'set.path.proto_polluted' }],
    });
    expect(await state('get', place)).toEqual({ n: 42 });
    expect(await state('list', { scope: 'notes' })).toEqual([{ n: 42 }]);
    expect(await state('list_groups', {})).toEqual({ groups: ['notes'] });
    expect(await state('delete', place)).toEqual({ n: 42 });
    expect(await state('get', place)).toBeUndefined();
  });

  it('gets the refusal of a malformed write', async () => {
    const worker = connect('keeper');

    const write = worker.call('state::set', { scope: 'notes', value: 1 });

    await expect(write).rejects.toMatchObject({ code: 'deserialization_error' });
  });

  it("calls another worker's function, and is named to it", async () => {
    const [greeter, guest] = [connect('greeter'), connect('guest')];
    greeter.register('greet', async (data: { name: string; _caller_worker_id: string }) => data);
    await settled(greeter, guest);

    const heard = await guest.call<{ _caller_worker_id: string }>('greet', { name: 'Kim' });

    const { workers: all } = await guest.call<{ workers: { id: string; name: string }[] }>(
      'engine::workers::list',
      {},
    );
    const id = all.find(({ name }) => name === 'guest')?.id;
    expect(heard).toEqual({ name: 'Kim', _caller_worker_id: id });
  });

  it("gets another worker's error, and the engine's", async () => {
    const [failing, guest] = [connect('failing'), connect('guest')];
    failing.register('fail', async () => {
      throw new Error('out of tea');
    });
    await settled(failing);

    await expect(guest.call('fail', {})).rejects.toMatchObject({
      code: 'invocation_failed',
      message: expect.stringContaining('out of tea'),
    });
    await expect(guest.call('nobody::home', {})).rejects.toMatchObject({ code: 'function_not_found' });
  });

  it('tells without waiting', async () => {
    const [listener, guest] = [connect('listener'), connect('guest')];
    const told: number[] = [];
    listener.register('tell', async ({ n }: { n: number }) => void told.push(n));
    await settled(listener, guest);

    for (const n of [1, 2, 3]) await guest.tell('tell', { n });

    await eventually(() => expect(told.sort()).toEqual([1, 2, 3]));
  });

  it('takes a function back', async () => {
    const [host, guest] = [connect('host'), connect('guest')];
    const door = host.register('door', async () => 'open');
    await settled(host);
    expect(await guest.call('door', {})).toBe('open');

    door.unregister();
    await settled(host);

    await expect(guest.call('door', {})).rejects.toMatchObject({ code: 'function_not_found' });
  });

  it('offers a trigger type that another worker uses, also one that asked before', async () => {
    const [tower, early, late] = [connect('tower'), connect('early'), connect('late')];
    const rung: string[] = [];
    early.register('early::hears', async ({ hour }: { hour: number }) => void rung.push(`early ${hour}`));
    late.register('late::hears', async ({ hour }: { hour: number }) => void rung.push(`late ${hour}`));
    early.bind('bell', 'early::hears', { hours: 'all' });
    await settled(early, late);

    const bindings = new Map<string, Binding>();
    tower.provide('bell', {
      registerTrigger: async (binding) => void bindings.set(binding.id, binding),
      unregisterTrigger: async () => {},
    });
    late.bind('bell', 'late::hears', { hours: 'noon' });
    await eventually(() => expect(bindings.size).toBe(2));
    const configs = [...bindings.values()].map(({ function_id, config }) => ({ function_id, config }));
    expect(configs).toContainEqual({ function_id: 'early::hears', config: { hours: 'all' } });
    expect(configs).toContainEqual({ function_id: 'late::hears', config: { hours: 'noon' } });

    for (const { function_id } of bindings.values()) await tower.tell(function_id, { hour: 12 });
    await eventually(() => expect(rung.sort()).toEqual(['early 12', 'late 12']));
  });

  it('hears of changes that its condition lets through, until it takes the trigger back', async () => {
    const [watcher, writer] = [connect('watcher'), connect('writer')];
    const heard: unknown[] = [];
    watcher.register('is-big', async ({ new_value }: { new_value: number }) => new_value >= 10);
    watcher.register('hear', async ({ new_value }: { new_value: number }) => void heard.push(new_value));
    const trigger = watcher.bind('state', 'hear', { scope: 'sizes', condition_function_id: 'is-big' });
    await settled(watcher, writer);
    const write = (value: number) => writer.call('state::set', { scope: 'sizes', key: 'a', value });

    await write(3);
    await write(30);
    await eventually(() => expect(heard).toEqual([30]));

    trigger.unregister();
    await settled(watcher);
    const after = new Promise((resolve) =>
      watcher.register('hear::after', resolve as () => Promise<unknown>),
    );
    watcher.bind('state', 'hear::after', { scope: 'sizes' });
    await settled(watcher);
    await write(300);
    await after;
    expect(heard).toEqual([30]);
  });

  it('publishes to a topic', async () => {
    const [subscriber, publisher] = [connect('subscriber'), connect('publisher')];
    const news: unknown[] = [];
    subscriber.register('read-news', async ({ headline }: { headline: string }) => void news.push(headline));
    subscriber.bind('subscribe', 'read-news', { topic: 'news' });
    await settled(subscriber, publisher);

    await publisher.call('publish', { topic: 'news', data: { headline: 'spring' } });

    await eventually(() => expect(news).toEqual(['spring']));
  });

  it('sends bytes and messages through a channel', async () => {
    const [source, sink] = [connect('source'), connect('sink')];
    sink.register('drink', async ({ reader }: { reader: ChannelReader }) => {
      const messages: string[] = [];
      reader.onMessage((text) => messages.push(text));
      const chunks: Buffer[] = [];
      for await (const chunk of reader.stream) chunks.push(Buffer.from(chunk));
      return { bytes: Buffer.concat(chunks).length, messages };
    });
    await settled(sink);

    const channel = await source.openChannel();
    const drunk = sink.call('drink', { reader: channel.readerRef });
    channel.writer.sendMessage('cheers');
    channel.writer.stream.end(Buffer.alloc(200_000, 7));

    expect(await drunk).toEqual({ bytes: 200_000, messages: ['cheers'] });
  });

  it('fills a channel that another worker reads', async () => {
    const [source, sink] = [connect('source'), connect('sink')];
    source.register('pour', async ({ writer }: { writer: ChannelWriter }) => {
      writer.stream.end(Buffer.from('tea'));
      await once(writer.stream, 'finish');
    });
    await settled(source);

    const channel = await sink.openChannel();
    const chunks: Buffer[] = [];
    const read = (async () => {
      for await (const chunk of channel.reader.stream) chunks.push(Buffer.from(chunk));
    })();
    await sink.call('pour', { writer: channel.writerRef });
    await read;

    expect(Buffer.concat(chunks).toString()).toBe('tea');
  });

  it('gets the trace headers of its caller, and gives them back', async () => {
    const traced = connect('traced');
    traced.register('traced', async () => 'done');
    await settled(traced);
    const caller = await RawWorker.connect(site.url);

    const answer = await caller.call('traced', {}, { traceparent: TRACE, baggage: 'tenant=a' });
    await caller.stop();

    expect(answer).toMatchObject({
      result: 'done',
      traceparent: TRACE,
      baggage: expect.stringContaining('tenant=a'),
    });
  });
});
