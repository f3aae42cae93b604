import { describe, expect, it } from 'vitest';
import { FakeEngine } from '../support/fake-engine.js';
import { type RunningGateway, startGateway } from '../support/gateway.js';
import { RawWorker } from '../support/raw-worker.js';
import { stopsAfterEach } from '../support/running.js';

const PATIENCE_MS = 150;
const stopLater = stopsAfterEach();

async function gatewayBefore(engine: FakeEngine): Promise<{ gateway: RunningGateway; worker: RawWorker }> {
  stopLater(engine);
  const gateway = stopLater(
    await startGateway({ remote: engine.url, gateway: { patience_ms: PATIENCE_MS } }),
  );
  const worker = stopLater(await RawWorker.connect(gateway.url));
  await engine.received(({ function_id }) => function_id === 'engine::workers::register');
  return { gateway, worker };
}

const INPUTS: [functionId: string, data: object][] = [
  ['state::set', { scope: 's', key: 'k', value: 1 }],
  ['state::get', { scope: 's', key: 'k' }],
  ['state::delete', { scope: 's', key: 'k' }],
  ['state::update', { scope: 's', key: 'k', ops: [] }],
  ['state::list', { scope: 's' }],
  ['state::list_groups', {}],
  ['state::list_keys', { scope: 's' }],
  ['state::list_entries', { scope: 's' }],
  ['state::compare-and-set', { scope: 's', key: 'k', value: 1 }],
];

describe('while the link is up the remote answers', () => {
  it.each(INPUTS)('%s with what it says, members that we do not know included', async (functionId, data) => {
    const engine = await FakeEngine.start();
    const { worker } = await gatewayBefore(engine);
    engine.reply(functionId, () => ({ result: { whatever: [1, { it: 'says' }], more: null } }));

    expect((await worker.call(functionId, data))['result']).toEqual({
      whatever: [1, { it: 'says' }],
      more: null,
    });
    expect((await engine.received(({ function_id }) => function_id === functionId))['data']).toEqual(data);
  });

  it.each(INPUTS)('%s with its error, word for word', async (functionId, data) => {
    const engine = await FakeEngine.start();
    const { worker } = await gatewayBefore(engine);
    const error = { code: 'SOME_ERROR', message: 'as it says "it"', stacktrace: 'at line 1' };
    engine.reply(functionId, () => ({ error }));

    const answer = await worker.call(functionId, data);
    expect(answer['error']).toEqual(error);
    expect(answer).not.toHaveProperty('result');
  });

  it('tells no result from a null result', async () => {
    const engine = await FakeEngine.start();
    const { worker } = await gatewayBefore(engine);
    engine.reply('state::get', ({ data }) =>
      (data as { key: string }).key === 'null' ? { result: null } : {},
    );

    expect(await worker.call('state::get', { scope: 's', key: 'null' })).toHaveProperty('result', null);
    expect(await worker.call('state::get', { scope: 's', key: 'absent' })).not.toHaveProperty('result');
  });

  it('keeps values to the digit on the way there', async () => {
    const engine = await FakeEngine.start();
    const { worker } = await gatewayBefore(engine);
    const seen = new Promise<string>((resolve) => {
      for (const socket of engine.sockets) {
        socket.on('message', (bytes: Buffer) => {
          const text = bytes.toString();
          if (text.includes('"state::set"')) resolve(text);
        });
      }
    });
    const data = '{"scope":"s","key":"k","value":{"b":18446744073709551615,"a":[1.0,-0,1e2,0.10]}}';
    worker.send(
      `{"type":"invokefunction","invocation_id":"b6c1c791-8b4d-497d-82af-e0ad45876665","function_id":"state::set","data":${data}}`,
    );
    expect(await seen).toContain(`"data":${data}`);
  });

  it('keeps values to the digit on the way back', async () => {
    const engine = await FakeEngine.start();
    const { worker } = await gatewayBefore(engine);
    const call = worker.call('state::get', { scope: 's', key: 'k' });
    const asked = await engine.received(({ function_id }) => function_id === 'state::get');
    const value = '{"b":18446744073709551615,"a":[1.0,-0,1e2,0.10],"s":"}}\\"","traceparent":"x"}';
    for (const socket of engine.sockets) {
      socket.send(
        `{"type":"invocationresult","invocation_id":"${asked['invocation_id']}","function_id":"state::get","result":${value}}`,
      );
    }
    await call;
    expect(worker.texts.at(-1)).toContain(`"result":${value}}`);
  });

  it('reads an answer that goes on after its result', async () => {
    const engine = await FakeEngine.start();
    const { worker } = await gatewayBefore(engine);
    const call = worker.call('state::get', { scope: 's', key: 'k' });
    const asked = await engine.received(({ function_id }) => function_id === 'state::get');
    for (const socket of engine.sockets) {
      socket.send(
        `{"type":"invocationresult","invocation_id":"${asked['invocation_id']}","function_id":"state::get","result":{"a":1},"traceparent":"t","future":[{}]}`,
      );
    }
    expect((await call)['result']).toEqual({ a: 1 });
  });

  it('a call that gets no answer delays no other', async () => {
    const engine = await FakeEngine.start();
    const { worker } = await gatewayBefore(engine);
    engine.reply('state::get', ({ data }) =>
      (data as { key: string }).key === 'slow' ? undefined : { result: 'quick' },
    );
    const slow = worker.call('state::get', { scope: 's', key: 'slow' });
    const quick = await Promise.race([slow, worker.call('state::get', { scope: 's', key: 'k' })]);
    expect(quick['result']).toBe('quick');
    expect((await slow)['error']).toMatchObject({ code: 'GATEWAY_TIMEOUT' });
  });

  it('sends a void write as an ordinary call, and answers it to nobody', async () => {
    const engine = await FakeEngine.start();
    const { worker } = await gatewayBefore(engine);
    worker.send({
      type: 'invokefunction',
      function_id: 'state::set',
      data: { scope: 's', key: 'k', value: 1 },
      action: { type: 'void' },
    });
    const call = await engine.received(({ function_id }) => function_id === 'state::set');
    expect(call['invocation_id']).toBeTypeOf('string');
    expect(call).not.toHaveProperty('action');
    engine.answer(call, { result: {} });
    engine.reply('state::get', () => ({}));
    await worker.call('state::get', { scope: 's', key: 'k' });
    expect(worker.frames.filter(({ type }) => type === 'invocationresult')).toHaveLength(1);
  });

  it('passes metadata and trace on, with the mark of this gateway', async () => {
    const engine = await FakeEngine.start();
    const { worker } = await gatewayBefore(engine);
    engine.reply('state::get', () => ({ result: 1 }));
    const more = { metadata: { tenant: 't' }, traceparent: '00-1-2-01', baggage: 'k=v' };
    await worker.call('state::get', { scope: 's', key: 'k' }, more);
    const call = await engine.received(({ function_id }) => function_id === 'state::get');
    expect(call).toMatchObject(more);
    expect(call['metadata']).toHaveProperty('iii_state_gateway.via', [expect.any(String)]);
  });
});

describe('every call is answered', () => {
  it('at once with GATEWAY_OFFLINE while the remote is known to be away', async () => {
    const engine = await FakeEngine.start();
    const { worker } = await gatewayBefore(engine);
    await engine.stop();
    await expect
      .poll(async () => (await worker.call('state::set', { scope: 's', key: 'k', value: 1 }))['error'])
      .toMatchObject({ code: 'GATEWAY_OFFLINE' });
    const startedAt = performance.now();
    const answers = await Promise.all(INPUTS.map(([functionId, data]) => worker.call(functionId, data)));
    expect(performance.now() - startedAt).toBeLessThan(PATIENCE_MS);
    expect(answers.map(({ error }) => (error as { code: string }).code)).toEqual(
      INPUTS.map(() => 'GATEWAY_OFFLINE'),
    );
  });

  it.each([
    ['state::set', { scope: 's', key: 'k', value: 1 }, 'GATEWAY_OUTCOME_UNKNOWN'],
    ['state::update', { scope: 's', key: 'k', ops: [] }, 'GATEWAY_OUTCOME_UNKNOWN'],
    ['state::delete', { scope: 's', key: 'k' }, 'GATEWAY_OUTCOME_UNKNOWN'],
    ['state::get', { scope: 's', key: 'k' }, 'GATEWAY_TIMEOUT'],
    ['state::list', { scope: 's' }, 'GATEWAY_TIMEOUT'],
  ])('%s after patience_ms while the remote is silent', async (functionId, data, code) => {
    const engine = await FakeEngine.start();
    const { worker } = await gatewayBefore(engine);
    expect((await worker.call(functionId, data))['error']).toMatchObject({ code });
  });

  it('when the link is lost with hundreds of calls in flight', async () => {
    const engine = await FakeEngine.start();
    const { worker } = await gatewayBefore(engine);
    const calls = Array.from({ length: 300 }, (_, n) =>
      worker.call('state::set', { scope: 's', key: `k${n}`, value: n }),
    );
    await engine.received((frame) => (frame['data'] as { key?: string })?.key === 'k255'); // the window is 256
    engine.drop();
    const codes = (await Promise.all(calls)).map(({ error }) => (error as { code: string }).code);
    expect(codes.filter((code) => code === 'GATEWAY_OUTCOME_UNKNOWN')).toHaveLength(256);
    expect(codes.filter((code) => code === 'GATEWAY_OFFLINE')).toHaveLength(44);
  });

  it('and one that was answered with an error is never sent later', async () => {
    const engine = await FakeEngine.start();
    const { worker } = await gatewayBefore(engine);
    const { port } = engine;
    await engine.stop();
    await expect
      .poll(async () => (await worker.call('state::set', { scope: 's', key: 'k', value: 'ghost' }))['error'])
      .toMatchObject({ code: 'GATEWAY_OFFLINE' });

    const back = await FakeEngine.start({ port });
    stopLater(back);
    back.reply('state::get', () => ({ result: 1 }));
    await back.received(({ function_id }) => function_id === 'engine::workers::register');
    await worker.call('state::get', { scope: 's', key: 'k' });
    expect(back.frames.filter(({ function_id }) => function_id === 'state::set')).toEqual([]);
  });
});
