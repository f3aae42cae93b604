import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { FakeEngine } from '../support/fake-engine.js';
import { startGateway } from '../support/gateway.js';
import { mutate, oneOf, randomFrom, scramble, seed } from '../support/mutations.js';
import { RawWorker } from '../support/raw-worker.js';
import { stopsAfterEach } from '../support/running.js';

const stopLater = stopsAfterEach();

async function setUp() {
  const engine = stopLater(await FakeEngine.start()).reply('state::get', () => ({ result: 1 }));
  const gateway = stopLater(await startGateway({ remote: engine.url }));
  const worker = stopLater(await RawWorker.connect(gateway.url));
  const bystander = stopLater(await RawWorker.connect(gateway.url));
  await engine.received(({ function_id }) => function_id === 'engine::workers::register');
  return { engine, gateway, worker, bystander };
}

async function expectToBeServed(...workers: RawWorker[]): Promise<void> {
  for (const worker of workers) {
    expect((await worker.call('state::get', { scope: 's', key: 'k' }))['result']).toBe(1);
  }
}

const KEY = { scope: 's', key: 'k' };
const update = (...ops: unknown[]) => ({ ...KEY, ops });

describe('a State call that the engine refuses is refused here, and goes no further', () => {
  it.each<[functionId: string, data: unknown, detail: string]>([
    ['state::set', {}, 'missing field `scope`'],
    ['state::set', { scope: 's' }, 'missing field `key`'],
    ['state::set', KEY, 'missing field `value`'],
    ['state::set', { ...KEY, value: 1, data: 2 }, 'duplicate field `value`'],
    ['state::set', { scope: null, key: 'k', value: 1 }, 'invalid type: null, expected a string'],
    ['state::set', { scope: 's', key: ['k'], value: 1 }, 'invalid type: sequence, expected a string'],
    ['state::set', ['s', 'k'], 'invalid length 2'],
    ['state::get', { scope: 5, key: 'k' }, 'invalid type: integer `5`, expected a string'],
    ['state::get', null, 'invalid type: null'],
    ['state::get', undefined, 'invalid type: null'],
    ['state::get', 'text', 'invalid type: string "text"'],
    ['state::get', true, 'invalid type: boolean `true`'],
    ['state::get', ['s', 'k', 'more'], 'invalid length 3'],
    ['state::delete', { key: 'k' }, 'missing field `scope`'],
    ['state::delete', [], 'invalid length 0'],
    ['state::update', KEY, 'missing field `ops`'],
    ['state::update', { ...KEY, ops: {} }, 'expected a sequence'],
    ['state::update', { ...KEY, ops: null }, 'expected a sequence'],
    ['state::update', update('set'), 'expected internally tagged enum'],
    ['state::update', update({ type: 'upsert', path: 'a', value: 1 }), 'unknown variant `upsert`'],
    ['state::update', update({ type: 'Set', path: 'a', value: 1 }), 'unknown variant `Set`'],
    ['state::update', update({ type: 'set', value: 1 }), 'missing field `path`'],
    ['state::update', update({ type: 'set', path: ['a'], value: 1 }), 'expected a string'],
    [
      'state::update',
      update({ type: 'increment', path: 'a', by: 1.5 }),
      'floating point `1.5`, expected i64',
    ],
    ['state::update', update({ type: 'increment', path: 'a', by: '1' }), 'expected i64'],
    ['state::update', update({ type: 'merge', path: ['a', 1], value: {} }), 'untagged enum MergePath'],
    ['state::update', update({ type: 'append', path: 'a' }), 'missing field `value`'],
    ['state::update', update({ type: 'set', path: 'a', value: 1 }, { type: 'no' }), 'unknown variant `no`'],
    ['state::update', update({ set: 1, merge: {} }), 'missing field `type`'],
    ['state::update', update({}), 'missing field `type`'],
    ['state::update', update({ increment: { field: 'n', by: 1.5 } }), 'expected i64'],
    ['state::update', update({ increment: { field: 'n' } }), 'missing field `by`'],
    ['state::update', update({ decrement: { by: 1 } }), 'missing field `field`'],
    ['state::update', update({ decrement: 'n' }), '`decrement` with `field` and `by`'],
    ['state::update', update({ remove: { field: 'n' } }), 'expected a string'],
    ['state::update', update({ append: 'n' }), 'missing field `type`'],
    ['state::list', {}, 'missing field `scope`'],
    ['state::list', { scope: {} }, 'invalid type: map, expected a string'],
    ['state::list_groups', null, 'invalid type: null'],
    ['state::list_keys', { scope: 1 }, 'expected a string'],
    ['state::list_entries', { scope: 's', limit: 'all' }, 'expected usize'],
    ['state::list_entries', { scope: 's', max_bytes: -1000 }, 'expected usize'],
    ['state::list_entries', { scope: 's', cursor: 5 }, 'expected a string'],
    ['state::compare-and-set', { ...KEY, expected: 1 }, 'missing field `value`'],
  ])('%s %j', async (functionId, data, detail) => {
    const { engine, worker } = await setUp();
    expect((await worker.call(functionId, data))['error']).toEqual({
      code: 'deserialization_error',
      message: expect.stringMatching(new RegExp(`^Failed to deserialize input for ${functionId}: `)),
    });
    expect(worker.texts.at(-1)).toContain(JSON.stringify(detail).slice(1, -1));
    await expectToBeServed(worker);
    expect(engine.frames.filter(({ function_id }) => function_id === functionId)).toHaveLength(
      functionId === 'state::get' ? 1 : 0,
    );
  });

  it('a page without bounds has a code of its own', async () => {
    const { worker } = await setUp();
    for (const bounds of [{ limit: 0 }, { limit: 1001 }, { max_bytes: 1 }]) {
      const answer = await worker.call('state::list_entries', { scope: 's', ...bounds });
      expect(answer['error']).toMatchObject({ code: 'INVALID_PAGE_LIMITS' });
    }
  });
});

describe('a call that is no call is answered at once', () => {
  it.each([
    ['an id that is no UUID', { invocation_id: 'mine-1', function_id: 'state::get', data: KEY }],
    ['an id of the right length', { invocation_id: 'z'.repeat(36), function_id: 'state::get', data: KEY }],
    ['no function', { invocation_id: randomUUID(), data: KEY }],
    ['a function that is a number', { invocation_id: randomUUID(), function_id: 7, data: KEY }],
    [
      'an action that nobody knows',
      { invocation_id: randomUUID(), function_id: 'f', action: { type: 'later' } },
    ],
    ['an action that is a text', { invocation_id: randomUUID(), function_id: 'f', action: 'void' }],
    [
      'a queue without a name',
      { invocation_id: randomUUID(), function_id: 'f', action: { type: 'enqueue' } },
    ],
  ])('%s', async (_, call) => {
    const { worker, bystander } = await setUp();
    worker.send({ type: 'invokefunction', ...call });
    expect((await worker.answerTo(call.invocation_id))['error']).toMatchObject({
      code: 'deserialization_error',
    });
    await expectToBeServed(worker, bystander);
  });

  it('without data it is a call with null, as SDKs mean it', async () => {
    const { worker, bystander } = await setUp();
    bystander.send({ type: 'registerfunction', id: 'take' });
    await bystander.call('engine::workers::list', {});
    worker.send({ type: 'invokefunction', invocation_id: randomUUID(), function_id: 'take' });
    expect(await bystander.received(({ function_id }) => function_id === 'take')).toHaveProperty(
      'data',
      null,
    );
  });
});

const LEVELS = '['.repeat(100_000) + ']'.repeat(100_000);

describe('rubbish hurts nobody', () => {
  it.each([
    ['no JSON', 'hello'],
    ['nothing', ''],
    ['white space', ' \n '],
    ['half a frame', '{"type":"invokefunction","invocation_id":"'],
    ['a text', '"invokefunction"'],
    ['a number', '1e400'],
    ['an array', '[{"type":"ping"}]'],
    ['no type', '{"id":"x"}'],
    ['a type that is an object', '{"type":{"type":"ping"}}'],
    ['an unknown type', '{"type":"somethingnew","x":1}'],
    ['what only engines say', '{"type":"workerregistered","worker_id":"me"}'],
    ['a type called constructor', '{"type":"constructor"}'],
    ['a type called __proto__', '{"type":"__proto__","__proto__":{"type":"ping"}}'],
    ['100 000 levels', LEVELS],
    [
      'a call of 100 000 levels without an id',
      `{"type":"invokefunction","function_id":"f","data":${LEVELS}}`,
    ],
    ['a mark of byte order', '\ufeff{"type":"ping"}'],
    ['a registration without an id', '{"type":"registerfunction"}'],
    ['a registration whose id is a number', '{"type":"registerfunction","id":5}'],
    ['a function called __proto__', '{"type":"registerfunction","id":"__proto__"}'],
    ['a trigger without a type', '{"type":"registertrigger","id":"t","function_id":"f","config":{}}'],
    [
      'a trigger called __proto__',
      '{"type":"registertrigger","id":"__proto__","trigger_type":"constructor","function_id":"f","config":{}}',
    ],
    ['a trigger type that is null', '{"type":"registertriggertype","id":null,"description":"d"}'],
    ['the end of what never was', '{"type":"unregistertrigger","id":"nothing"}'],
    [
      'an answer to nothing',
      `{"type":"invocationresult","invocation_id":"${randomUUID()}","function_id":"f"}`,
    ],
    ['an answer to rubbish', '{"type":"invocationresult","invocation_id":{},"function_id":"f","error":[]}'],
    ['a verdict on nothing', '{"type":"triggerregistrationresult","id":"t","trigger_type":"x","error":5}'],
    ['a reattach of nobody', '{"type":"reattach","previous_worker_id":"nobody","reattach_token":"x"}'],
    ['a reattach without anything', '{"type":"reattach"}'],
    [
      'a call of __proto__',
      '{"type":"invokefunction","function_id":"__proto__","data":{"__proto__":{"x":1}},"namespace":"__proto__"}',
    ],
    [
      'an introduction that is none',
      '{"type":"invokefunction","function_id":"engine::workers::register","data":[{"__proto__":1}],"action":{"type":"void"}}',
    ],
  ])('%s', async (_, text) => {
    const { worker, bystander } = await setUp();
    worker.send(text);
    worker.socket.send(Buffer.from(text), { binary: true });
    await expectToBeServed(worker, bystander);
  });

  it('binary frames: telemetry is ignored, text is read', async () => {
    const { worker, bystander } = await setUp();
    for (const head of ['OTLP', 'MTRC', 'LOGS', '\u0000\u0001']) {
      worker.socket.send(Buffer.from(`${head}{"type":"ping"}`), { binary: true });
    }
    worker.socket.send(Buffer.from('{"type":"ping"}'), { binary: true });
    await worker.received(({ type }) => type === 'pong');
    await expectToBeServed(worker, bystander);
    expect(worker.frames.filter(({ type }) => type === 'pong')).toHaveLength(1);
  });

  it.each([
    ['a byte that begins nothing', [0x22, 0xff, 0x22]],
    ['a character cut short', [0x22, 0xe2, 0x82]],
    ['a longer form than needed', [0xc0, 0xaf]],
    ['half a surrogate pair as bytes', [0x22, 0xed, 0xa0, 0x80, 0x22]],
  ])('invalid UTF-8 ends its own connection only: %s', async (_, bytes) => {
    const { worker, bystander } = await setUp();
    worker.socket.send(Buffer.from(bytes), { binary: false });
    expect(await worker.closed).toBe(1007);
    await expectToBeServed(bystander);
  });

  it('a character that is cut between two fragments is whole', async () => {
    const { worker, bystander } = await setUp();
    bystander.send({ type: 'registerfunction', id: 'take' });
    await bystander.call('engine::workers::list', {});
    worker.sendInFragments(
      { type: 'invokefunction', invocation_id: randomUUID(), function_id: 'take', data: '€😀é'.repeat(10) },
      1,
    );
    const { data } = await bystander.received(({ function_id }) => function_id === 'take');
    expect(data).toBe('€😀é'.repeat(10));
  });
});

describe('what is no WebSocket frame ends its own connection only', () => {
  async function upgraded(url: string): Promise<Socket> {
    const { port, host } = new URL(url);
    const socket = connect(Number(port), '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(
      `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
    await once(socket, 'data');
    return socket;
  }

  it.each([
    ['a frame without a mask', [0x81, 0x02, 0x7b, 0x7d]],
    ['an opcode that does not exist', [0x83, 0x80, 0, 0, 0, 0]],
    ['reserved bits', [0xf1, 0x80, 0, 0, 0, 0]],
    ['a ping of 126 bytes', [0x89, 0xfe, 0, 126, 0, 0, 0, 0]],
    ['a frame of 2^63 bytes', [0x81, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0]],
    ['the rest of a message that has not begun', [0x80, 0x80, 0, 0, 0, 0]],
    ['plain HTTP', [...Buffer.from('GET / HTTP/1.1\r\n\r\n')]],
  ])('%s', async (_, bytes) => {
    const { gateway, bystander } = await setUp();
    const socket = await upgraded(gateway.url);
    socket.resume();
    socket.write(Buffer.from(bytes));
    await once(socket, 'end');
    socket.destroy();
    await expectToBeServed(bystander);
  });
});

describe(`frames changed at random (SEED=${seed})`, () => {
  const id = () => randomUUID();
  const corpus = [
    `{"type":"invokefunction","invocation_id":"${id()}","function_id":"state::set","data":{"scope":"s","key":"k","value":[1.5,1e2,{"a":"\\ud83d\\ude00"}]}}`,
    `{"type":"invokefunction","invocation_id":"${id()}","function_id":"state::update","data":{"scope":"s","key":"k","ops":[{"type":"merge","path":["a"],"value":{}},{"increment":{"field":"n","by":9223372036854775807}}]},"metadata":{"iii_state_gateway":{"via":["x"]}}}`,
    `{"type":"invokefunction","invocation_id":"${id()}","function_id":"state::list_entries","data":{"scope":"s","cursor":"c","limit":3}}`,
    `{"type":"invokefunction","invocation_id":"${id()}","function_id":"f","data":null,"action":{"type":"enqueue","queue":"q"},"traceparent":"t","baggage":"b","namespace":"n"}`,
    '{"type":"registerfunction","id":"f","description":null,"request_format":{},"metadata":{"internal":true},"invocation":{"url":"x"}}',
    '{"type":"unregisterfunction","id":"f"}',
    '{"type":"registertrigger","id":"t","trigger_type":"state","function_id":"f","config":{"scope":"s","condition_function_id":"f"},"metadata":{"a":1},"trigger_namespace":"n"}',
    '{"type":"unregistertrigger","id":"t","trigger_type":"state"}',
    '{"type":"registertriggertype","id":"tt","description":"d","call_request_format":{}}',
    '{"type":"triggerregistrationresult","id":"t","trigger_type":"tt","function_id":"f","error":{"code":"c","message":"m"}}',
    '{"type":"invokefunction","function_id":"engine::workers::register","data":{"runtime":"x","version":"1.0","name":"w","pid":5,"namespace":"n","telemetry":{},"features":[]},"action":{"type":"void"}}',
    `{"type":"invokefunction","invocation_id":"${id()}","function_id":"engine::functions::info","data":{"function_ids":["state::set"]}}`,
    `{"type":"invokefunction","invocation_id":"${id()}","function_id":"engine::register_trigger","data":{"trigger_type":"state","function_id":"f","config":{}}}`,
    `{"type":"invokefunction","invocation_id":"${id()}","function_id":"publish","data":{"topic":"t","data":{}}}`,
    `{"type":"invocationresult","invocation_id":"${id()}","function_id":"f","error":{"code":1}}`,
    '{"type":"reattach","previous_worker_id":"x","reattach_token":"y"}',
    '{"type":"ping"}',
  ];

  it.each([
    ['in front of a remote', true],
    ['with State of its own', false],
  ])('%s', { timeout: 60_000 }, async (_, hasRemote) => {
    const random = randomFrom(seed);
    const engine = stopLater(await FakeEngine.start());
    for (const functionId of ['state::get', 'state::set']) engine.reply(functionId, () => ({ result: 1 }));
    const { url } = stopLater(await startGateway(hasRemote ? { remote: engine.url } : {}));
    const bystander = stopLater(await RawWorker.connect(url));
    await bystander.call('state::set', { scope: 'own', key: 'k', value: 1 });
    let worker = await RawWorker.connect(url);
    for (let round = 0; round < 3000; round += 1) {
      if (worker.socket.readyState !== worker.socket.OPEN) worker = await RawWorker.connect(url);
      const frame = oneOf(corpus, random);
      if (random() < 0.2) worker.socket.send(scramble(frame, random), { binary: random() < 0.5 });
      else worker.send(mutate(frame, random));
      if (round % 100 === 0) {
        expect((await bystander.call('state::get', { scope: 'own', key: 'k' }))['result']).toBe(1);
      }
    }
    await worker.stop();
    expect((await bystander.call('state::get', { scope: 'own', key: 'k' }))['result']).toBe(1);
  });
});
