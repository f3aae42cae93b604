import { describe, expect, it } from 'vitest';
import { FakeEngine } from '../support/fake-engine.js';
import type { Frame } from '../support/frame-log.js';
import { type RunningGateway, startGateway } from '../support/gateway.js';
import { RawWorker } from '../support/raw-worker.js';
import { stopsAfterEach } from '../support/running.js';

const PATIENCE_MS = 250;
const stopLater = stopsAfterEach();

async function gatewayBefore(
  engine: FakeEngine,
  more: object = {},
): Promise<{ gateway: RunningGateway; worker: RawWorker }> {
  stopLater(engine);
  const gateway = stopLater(
    await startGateway({ remote: engine.url, gateway: { patience_ms: PATIENCE_MS, ...more } }),
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

const UUID = 'b6c1c791-8b4d-497d-82af-e0ad45876665';
/** Numbers, names and texts that a careless reader or printer changes, in an order that one would not keep. */
const EXACT =
  '{"b":18446744073709551615,"a":[1.0,-0,1e2,0.10,123456789012345678901234567890,-9223372036854775808],' +
  '"10":1,"9":2,"__proto__":{"x":null},"s":"}}\\"\\u0041/\\/","traceparent":"x","a":[]}';

const isCallOf = (key: string) => (frame: Frame) =>
  (frame['data'] as { key?: string } | undefined)?.key === key;

const answerAsText = ({ invocation_id, function_id }: Frame, result: string) =>
  `{"type":"invocationresult","invocation_id":"${invocation_id}","function_id":"${function_id}","result":${result}}`;

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

  it.each(INPUTS)('%s, with values kept to the digit on the way there and back', async (functionId, data) => {
    const engine = await FakeEngine.start();
    const { worker } = await gatewayBefore(engine);
    const text = JSON.stringify({ ...data, more: 0 }).replace('"more":0', `"more":${EXACT}`);
    const id = worker.callAsText(functionId, text);
    const call = await engine.received(({ function_id }) => function_id === functionId);
    expect(engine.texts.at(-1)).toContain(`"data":${text}`);

    engine.send(answerAsText(call, EXACT));
    await worker.answerTo(id);
    expect(worker.texts.at(-1)).toContain(`"result":${EXACT}}`);
  });

  it('whoever prints the frames, and in whatever order', async () => {
    const engine = await FakeEngine.start();
    const { worker } = await gatewayBefore(engine);
    const value = '[18446744073709551615, -9223372036854775808, 1.0, -0.0, 0.1]'; // as Python prints it
    worker.send(
      `{"data": {"scope": "s", "key": "k", "value": ${value}}, "function_id": "state::set", ` +
        `"invocation_id": "${UUID}", "baggage": null, "type": "invokefunction"}`,
    );
    const call = await engine.received(({ function_id }) => function_id === 'state::set');
    expect(engine.texts.at(-1)).toContain(`"value":${value.replaceAll(' ', '')}`);

    engine.send(
      `{"traceparent": "t", "result": ${value}, "invocation_id": "${call['invocation_id']}", ` +
        `"function_id": "state::set", "error": null, "type": "invocationresult"}`,
    );
    await worker.answerTo(UUID);
    expect(worker.texts.at(-1)).toContain(`"result":${value.replaceAll(' ', '')}`);
  });

  it('reads an answer that goes on after its result', async () => {
    const engine = await FakeEngine.start();
    const { worker } = await gatewayBefore(engine);
    const call = worker.call('state::get', { scope: 's', key: 'k' });
    const asked = await engine.received(({ function_id }) => function_id === 'state::get');
    engine.send(answerAsText(asked, '{"a":1},"traceparent":"t","future":[{}]'));
    expect((await call)['result']).toEqual({ a: 1 });
  });

  it('error first, where an answer has both', async () => {
    const engine = await FakeEngine.start();
    const { worker } = await gatewayBefore(engine);
    const error = { code: 'E', message: 'm' };
    engine.reply('state::get', () => ({ result: 1, error }));
    const answer = await worker.call('state::get', { scope: 's', key: 'k' });
    expect(answer['error']).toEqual(error);
    expect(answer).not.toHaveProperty('result');
  });

  it('to each worker its own, though they use the same ids, and in whatever order', async () => {
    const engine = await FakeEngine.start();
    const { gateway, worker } = await gatewayBefore(engine);
    const other = stopLater(await RawWorker.connect(gateway.url));
    const workers = [worker, other];
    for (const [n, caller] of workers.entries()) {
      caller.callAsText('state::get', `{"scope":"s","key":"k${n}"}`, UUID);
    }
    const calls = await Promise.all(['k0', 'k1'].map((key) => engine.received(isCallOf(key))));
    for (const call of calls.reverse()) engine.answer(call, { result: (call['data'] as Frame)['key'] });
    const answers = await Promise.all(workers.map((caller) => caller.answerTo(UUID)));
    expect(answers.map(({ result }) => result)).toEqual(['k0', 'k1']);
  });

  it('at length: 30 MiB of it', async () => {
    const engine = await FakeEngine.start();
    const { worker } = await gatewayBefore(engine, { patience_ms: 15_000 });
    const result = 'é'.repeat(15 * 1024 * 1024); // 30 MiB
    engine.reply('state::list', () => ({ result: [result] }));
    expect((await worker.call('state::list', { scope: 's' }))['result']).toEqual([result]);
  });

  it('and a call that gets no answer, or is refused, delays no other', async () => {
    const engine = await FakeEngine.start();
    const { gateway, worker } = await gatewayBefore(engine);
    const other = stopLater(await RawWorker.connect(gateway.url));
    engine.reply('state::get', ({ data }) => {
      const { key } = data as { key: string };
      if (key === 'slow') return undefined;
      return key === 'bad' ? { error: { code: 'E', message: 'm' } } : { result: key };
    });
    let slowIsOver = false;
    const slow = worker.call('state::get', { scope: 's', key: 'slow' }).then((answer) => {
      slowIsOver = true;
      return answer;
    });
    const quick = Array.from({ length: 200 }, (_, n) =>
      [worker, other][n % 2]?.call('state::get', { scope: 's', key: n % 3 === 0 ? 'bad' : `k${n}` }),
    );
    for (const [n, answer] of (await Promise.all(quick)).entries()) {
      if (n % 3 === 0) expect(answer?.['error']).toMatchObject({ code: 'E' });
      else expect(answer?.['result']).toBe(`k${n}`);
    }
    expect(slowIsOver).toBe(false);
    expect((await slow)['error']).toMatchObject({ code: 'GATEWAY_OFFLINE_UNKNOWN' });
  });

  it('and an answer that comes too late goes to nobody', async () => {
    const engine = await FakeEngine.start();
    const { worker } = await gatewayBefore(engine);
    const late = await worker.call('state::get', { scope: 's', key: 'late' });
    expect(late['error']).toMatchObject({ code: 'GATEWAY_OFFLINE_UNKNOWN' });
    engine.answer(await engine.received(isCallOf('late')), { result: 'late' });
    engine.reply('state::get', () => ({ result: 'next' }));
    expect((await worker.call('state::get', { scope: 's', key: 'k' }))['result']).toBe('next');
    expect(worker.frames.filter(({ result }) => result === 'late')).toEqual([]);
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

  it.each([
    ['the remote refuses it', { error: { code: 'E', message: 'm' } }, { scope: 's', key: 'k', value: 1 }],
    ['the remote is silent', undefined, { scope: 's', key: 'k', value: 1 }],
    ['its input is malformed', {}, { scope: 5 }],
  ])('answers a void write to nobody where %s', async (_, outcome, data) => {
    const engine = await FakeEngine.start();
    const { worker } = await gatewayBefore(engine);
    engine.reply('state::set', () => outcome).reply('state::get', () => ({}));
    const action = { type: 'void' };
    const voidId = crypto.randomUUID();
    worker.send({ type: 'invokefunction', invocation_id: voidId, function_id: 'state::set', data, action });
    worker.send({ type: 'invokefunction', function_id: 'state::set', data, action });
    await worker.call('state::get', { scope: 's', key: 'k' });
    await worker.call('state::update', { scope: 's', key: 'k2', ops: [] }); // takes as long as patience lasts
    const answered = worker.frames.filter(({ type }) => type === 'invocationresult');
    expect(answered.map(({ function_id }) => function_id)).toEqual(['state::get', 'state::update']);
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

/** What each of the calls is answered with by a gateway that knows nothing of the key and its scope. */
type Ours = 'accepted' | string;

describe('every call is answered', () => {
  it('at once while the remote is known to be away', async () => {
    const engine = await FakeEngine.start();
    const { gateway, worker } = await gatewayBefore(engine, { remote: { reconnect_ms: [30_000, 30_000] } });
    await engine.stop();
    await expect.poll(() => gateway.log()).toContain('trying again');
    const startedAt = performance.now();
    const answers = await Promise.all(INPUTS.map(([functionId, data]) => worker.call(functionId, data)));
    expect(performance.now() - startedAt).toBeLessThan(PATIENCE_MS);
    expect(INPUTS.map(([functionId], n) => [functionId, ...oursIn(answers[n])])).toEqual([
      ['state::set', 'accepted'],
      ['state::get', 'answered'],
      ['state::delete', 'answered'], // a deleted value comes bare
      ['state::update', 'accepted'],
      ['state::list', 'GATEWAY_OFFLINE_UNKNOWN'],
      ['state::list_groups', 'GATEWAY_OFFLINE_UNKNOWN'],
      ['state::list_keys', 'GATEWAY_OFFLINE'],
      ['state::list_entries', 'GATEWAY_OFFLINE'],
      ['state::compare-and-set', 'GATEWAY_OFFLINE'],
    ]);
  });

  it.each<[string, Ours]>([
    ['state::set', 'accepted'],
    ['state::get', 'GATEWAY_OFFLINE_UNKNOWN'],
    ['state::delete', 'GATEWAY_OUTCOME_UNKNOWN'],
    ['state::update', 'GATEWAY_OUTCOME_UNKNOWN'],
    ['state::list', 'GATEWAY_OFFLINE_UNKNOWN'],
    ['state::list_groups', 'GATEWAY_OFFLINE_UNKNOWN'],
    ['state::list_keys', 'GATEWAY_TIMEOUT'],
    ['state::list_entries', 'GATEWAY_TIMEOUT'],
    ['state::compare-and-set', 'GATEWAY_OUTCOME_UNKNOWN'],
  ])('%s after patience_ms while the remote is silent: %s', async (functionId, ours) => {
    const engine = await FakeEngine.start();
    const { worker } = await gatewayBefore(engine);
    const startedAt = performance.now();
    const [, data] = INPUTS.find(([id]) => id === functionId) as [string, object];
    expect(oursIn(await worker.call(functionId, data))).toEqual([ours]);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(PATIENCE_MS - 5);
  });

  it('though the window is full of calls that get no answer', async () => {
    const engine = await FakeEngine.start();
    const { worker } = await gatewayBefore(engine, { remote: { window: 2 } });
    const calls = Array.from({ length: 5 }, (_, n) =>
      worker.call('state::get', { scope: 's', key: `k${n}` }),
    );
    const ours = (await Promise.all(calls)).flatMap(oursIn);
    expect(new Set(ours)).toEqual(new Set(['GATEWAY_OFFLINE_UNKNOWN']));
    engine.reply('state::get', () => ({ result: 'again' }));
    expect((await worker.call('state::get', { scope: 's', key: 'k' }))['result']).toBe('again');
  });

  it('while the first connection to the remote is still being made', async () => {
    const warnings: string[] = [];
    const note = ({ message }: Error) => warnings.push(message);
    process.on('warning', note);
    const engine = stopLater(await FakeEngine.start({ greets: false }));
    const gateway = stopLater(
      await startGateway({ remote: engine.url, gateway: { patience_ms: PATIENCE_MS } }),
    );
    const worker = stopLater(await RawWorker.connect(gateway.url));
    const calls = Array.from({ length: 50 }, () => worker.call('state::get', { scope: 's', key: 'k' }));
    const ours = (await Promise.all(calls)).flatMap(oursIn);
    process.off('warning', note);
    expect(new Set(ours)).toEqual(new Set(['GATEWAY_OFFLINE_UNKNOWN']));
    expect(warnings).toEqual([]);
  });

  it('when the link is lost with hundreds of calls in flight', async () => {
    const engine = await FakeEngine.start();
    const error = { code: 'function_not_found', message: 'Function not found' };
    // The gateway's own questions must not keep a place in the window.
    for (const id of ['engine::functions::info', 'configuration::get']) engine.reply(id, () => ({ error }));
    const { worker } = await gatewayBefore(engine);
    const calls = Array.from({ length: 300 }, (_, n) =>
      n % 2 === 0
        ? worker.call('state::set', { scope: 's', key: `k${n}`, value: n })
        : worker.call('state::update', { scope: 's', key: `k${n}`, ops: [] }),
    );
    await engine.received((frame) => (frame['data'] as { key?: string })?.key === 'k255'); // the window is 256
    engine.drop();
    const ours = (await Promise.all(calls)).flatMap(oursIn);
    expect(ours.filter((code) => code === 'accepted')).toHaveLength(150);
    expect(ours.filter((code) => code === 'GATEWAY_OUTCOME_UNKNOWN')).toHaveLength(128);
    expect(ours.filter((code) => code === 'GATEWAY_OFFLINE_UNKNOWN')).toHaveLength(22); // never sent
  });
});

function oursIn(answer: Frame | undefined): Ours[] {
  const { error, result } = (answer ?? {}) as { error?: { code: string }; result?: { pending?: boolean } };
  if (error) return [error.code];
  return [result?.pending === true ? 'accepted' : 'answered'];
}
