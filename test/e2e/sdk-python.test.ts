import { once } from 'node:events';
import type { IIIClient } from 'iii-sdk';
import { createChannel } from 'iii-sdk/helpers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { describePython, type PythonWorker, startPython } from '../support/python.js';
import { RawWorker } from '../support/raw-worker.js';
import { ready } from '../support/sdk.js';
import { eventually, gatewayBeforeHub, useSite } from './site.js';

const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

describePython('PyPI iii-sdk through the gateway', (sdk) => {
  const site = useSite(gatewayBeforeHub);
  let python: PythonWorker;
  let node: IIIClient;
  beforeEach(async () => {
    python = await startPython(sdk, 'conformance.py', { url: site.url, name: 'python' });
    node = site.connect('node');
  });
  afterEach(() => python.stop());
  const call = (function_id: string, payload: object = {}) => node.trigger({ function_id, payload });

  it('is known by its name', async () => {
    const { workers } = await call('engine::workers::list');

    const known = { name: 'python', runtime: 'python', version: sdk.version };
    expect(workers).toContainEqual(expect.objectContaining(known));
  });

  it('uses all six state functions', async () => {
    expect(await call('py::use-state')).toEqual([
      { old_value: null, new_value: { n: 1 } },
      {
        old_value: { n: 1 },
        new_value: { n: 42 },
        errors: [expect.objectContaining({ op_index: 1, code: 'set.path.proto_polluted' })],
      },
      { n: 42 },
      [{ n: 42 }],
      { groups: ['notes'] },
      { n: 42 },
      null,
    ]);
  });

  it('gets refusals by their code', async () => {
    const refused = (function_id: string) =>
      call('py::get-refused', { function_id, payload: { scope: 'notes' } });

    expect(await refused('state::set')).toEqual({ refused: 'deserialization_error' });
    expect(await refused('nobody::home')).toEqual({ refused: 'function_not_found' });
  });

  it('calls a function of a Node worker with metadata, and has its own called', async () => {
    node.registerFunction('node::give-back', async (data: { n: number }, metadata: unknown) => ({
      n: data.n,
      metadata,
    }));
    await ready(node);

    const back = await call('py::ask', { function_id: 'node::give-back', payload: { n: 7 } });
    expect(back).toEqual({ n: 7, metadata: { from: 'python' } });

    const request = { function_id: 'py::give-back', payload: { n: 8 }, metadata: { from: 'node' } };
    expect(await node.trigger(request)).toMatchObject({ data: { n: 8 }, metadata: { from: 'node' } });
  });

  it('tells without waiting', async () => {
    const told: number[] = [];
    node.registerFunction('node::told', async ({ n }: { n: number }) => void told.push(n));
    await ready(node);

    await call('py::tell', { function_id: 'node::told', payload: { n: 9 } });

    await eventually(() => expect(told).toEqual([9]));
  });

  it("hears of changes that its condition lets through, with the trigger's metadata", async () => {
    const write = (value: number) => call('state::set', { scope: 'sizes', key: 'a', value });

    await write(3);
    await write(30);

    await eventually(async () =>
      expect(await call('py::heard')).toEqual([{ value: 30, metadata: { trigger: 'sizes' } }]),
    );
  });

  it('offers a trigger type that a Node worker uses', async () => {
    const hours: number[] = [];
    node.registerFunction('node::on-bell', async ({ hour }: { hour: number }) => void hours.push(hour));
    const trigger = node.registerTrigger({ type: 'py::bell', function_id: 'node::on-bell', config: {} });
    await eventually(async () => expect(await call('py::bound')).toEqual(['node::on-bell']));

    await call('py::ring', { hour: 12 });
    await eventually(() => expect(hours).toEqual([12]));

    trigger.unregister();
    await eventually(async () => expect(await call('py::bound')).toEqual([]));
  });

  it("uses a Node worker's trigger type that was not there when it asked", async () => {
    const bound: { function_id: string; config: unknown }[] = [];
    node.registerTriggerType(
      { id: 'node::bell', description: 'Rings when it is told to' },
      {
        registerTrigger: async ({ function_id, config }) => void bound.push({ function_id, config }),
        unregisterTrigger: async () => {},
      },
    );
    await eventually(() => expect(bound).toEqual([{ function_id: 'py::on-bell', config: { hours: 'all' } }]));

    await call('py::on-bell', { hour: 6 });

    expect(await call('py::rung')).toEqual([6]);
  });

  it('reads a channel that a Node worker fills, and fills one that it reads', async () => {
    const given = await createChannel(node);
    const drunk = call('py::drink', { reader: given.readerRef });
    given.writer.sendMessage('cheers');
    given.writer.stream.end(Buffer.alloc(200_000, 7));
    expect(await drunk).toEqual({ bytes: 200_000, messages: ['cheers'] });

    const taken = await createChannel(node);
    const messages: string[] = [];
    taken.reader.onMessage((text) => messages.push(text));
    let bytes = 0;
    taken.reader.stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    const over = once(taken.reader.stream, 'end');
    await call('py::pour', { writer: taken.writerRef });
    await over;
    expect({ bytes, messages }).toEqual({ bytes: 150_000, messages: ['cheers'] });
  });

  it('gets the trace headers of its caller, and gives them back', async () => {
    const caller = await RawWorker.connect(site.url);

    const answer = await caller.call('py::give-back', {}, { traceparent: TRACE, baggage: 'tenant=a' });
    await caller.stop();

    expect(answer).toMatchObject({ traceparent: TRACE, baggage: expect.stringContaining('tenant=a') });
  });
});
