import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { FakeEngine } from '../support/fake-engine.js';
import { startGateway } from '../support/gateway.js';
import { RawWorker } from '../support/raw-worker.js';
import { stopsAfterEach } from '../support/running.js';

const stopLater = stopsAfterEach();
const MIB = 1024 * 1024;

async function setUp() {
  const engine = stopLater(await FakeEngine.start());
  const gateway = stopLater(await startGateway({ remote: engine.url }));
  const worker = stopLater(await RawWorker.connect(gateway.url));
  await engine.received(({ function_id }) => function_id === 'engine::workers::register');
  return { engine, gateway, worker };
}

/** Sends a call as text, since JSON.stringify would mend what is wrong with it. */
function callAsText(worker: RawWorker, functionId: string, data: string) {
  const id = randomUUID();
  worker.send(
    `{"type":"invokefunction","invocation_id":"${id}","function_id":"${functionId}","data":${data}}`,
  );
  return worker.answerTo(id);
}

const deep = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);

describe('what a real engine would never answer', () => {
  it.each([
    ['a value nested too deep', deep(126)],
    ['half a surrogate pair', '"\\ud800"'],
    ['a number beyond a double', '1e400'],
    ['NaN', 'NaN'],
    ['Infinity', '-Infinity'],
    ['a comma too many', '{"a":1,}'],
  ])('%s: is refused at the door, and the remote never sees it', async (_, value) => {
    const { engine, worker } = await setUp();
    const answer = await callAsText(worker, 'state::set', `{"scope":"s","key":"k","value":${value}}`);
    expect(answer['error']).toMatchObject({ code: 'deserialization_error' });
    engine.reply('state::get', () => ({ result: 1 }));
    await worker.call('state::get', { scope: 's', key: 'k' });
    expect(engine.frames.filter(({ function_id }) => function_id === 'state::set')).toEqual([]);
  });

  it.each([
    ['in one frame', 0],
    ['in fragments', MIB],
  ])('a State call of more than 16 MiB %s: is refused, and nothing else suffers', async (_, fragment) => {
    const { engine, worker } = await setUp();
    const id = randomUUID();
    const frame = JSON.stringify({
      type: 'invokefunction',
      invocation_id: id,
      function_id: 'state::set',
      data: { scope: 's', key: 'k', value: 'x'.repeat(17 * MIB) },
    });
    for (let at = 0; at < frame.length; at += fragment || frame.length) {
      const part = frame.slice(at, fragment ? at + fragment : undefined);
      worker.socket.send(part, { fin: at + part.length === frame.length });
    }
    expect((await worker.answerTo(id))['error']).toMatchObject({ code: 'deserialization_error' });
    engine.reply('state::get', () => ({ result: 1 }));
    expect((await worker.call('state::get', { scope: 's', key: 'k' }))['result']).toBe(1);
  });
});

describe('input that the engine refuses is refused here, and changes nothing', () => {
  it.each([
    ['state::set', {}, 'missing field `scope`'],
    ['state::set', { scope: 's', key: 'k' }, 'missing field `value`'],
    ['state::set', { scope: 's', key: 'k', value: 1, data: 2 }, 'duplicate field `value`'],
    ['state::get', { scope: 5, key: 'k' }, 'expected a string'],
    ['state::get', null, ''],
    ['state::get', 'text', ''],
    ['state::update', { scope: 's', key: 'k', ops: [{ type: 'upsert' }] }, 'unknown variant `upsert`'],
    ['state::update', { scope: 's', key: 'k', ops: [{ set: 1, merge: {} }] }, ''],
    ['state::update', { scope: 's', key: 'k', ops: [{ increment: { field: 'n', by: 1.5 } }] }, ''],
    ['state::list_groups', null, ''],
  ])('%s %j', async (functionId, data, detail) => {
    const { engine, worker } = await setUp();
    const answer = await worker.call(functionId, data);
    expect(answer['error']).toMatchObject({
      code: 'deserialization_error',
      message: expect.stringContaining(detail),
    });
    expect(engine.frames.filter(({ function_id }) => function_id === functionId)).toEqual([]);
  });

  it('an id that is no UUID', async () => {
    const { worker } = await setUp();
    worker.send({ type: 'invokefunction', invocation_id: 'mine-1', function_id: 'state::get', data: {} });
    expect((await worker.answerTo('mine-1'))['error']).toMatchObject({ code: 'deserialization_error' });
  });
});

describe('rubbish hurts nobody', () => {
  it.each([
    ['no JSON', 'hello'],
    ['nothing', ''],
    ['an unknown type', '{"type":"somethingnew","x":1}'],
    ['a registration without an id', '{"type":"registerfunction"}'],
    [
      'an answer to nothing',
      `{"type":"invocationresult","invocation_id":"${randomUUID()}","function_id":"f"}`,
    ],
    [
      'a call to __proto__',
      '{"type":"invokefunction","function_id":"__proto__","data":{"__proto__":{"x":1}}}',
    ],
    ['a type called constructor', '{"type":"constructor"}'],
    ['100 000 levels', deep(100_000)],
  ])('%s', async (_, text) => {
    const { engine, gateway, worker } = await setUp();
    const other = stopLater(await RawWorker.connect(gateway.url));
    engine.reply('state::get', () => ({ result: 1 }));
    worker.send(text);
    expect((await worker.call('state::get', { scope: 's', key: 'k' }))['result']).toBe(1);
    expect((await other.call('state::get', { scope: 's', key: 'k' }))['result']).toBe(1);
  });

  it('invalid UTF-8 ends its own connection only', async () => {
    const { engine, gateway, worker } = await setUp();
    const other = stopLater(await RawWorker.connect(gateway.url));
    engine.reply('state::get', () => ({ result: 1 }));
    worker.socket.send(Buffer.from([0x22, 0xff, 0xfe, 0x22]), { binary: false });
    expect(await worker.closed).toBe(1007);
    expect((await other.call('state::get', { scope: 's', key: 'k' }))['result']).toBe(1);
  });

  it('frames mutated at random', { timeout: 60_000 }, async () => {
    const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
    console.log(`seed ${seed}`);
    const random = randomFrom(seed);
    const { engine, gateway, worker } = await setUp();
    engine.reply('state::get', () => ({ result: 1 }));
    const other = stopLater(await RawWorker.connect(gateway.url));
    const corpus = [
      `{"type":"invokefunction","invocation_id":"${randomUUID()}","function_id":"state::set","data":{"scope":"s","key":"k","value":[1.5,{"a":"\\ud83d\\ude00"}]}}`,
      '{"type":"registerfunction","id":"f","metadata":{"internal":true}}',
      '{"type":"registertrigger","id":"t","trigger_type":"state","function_id":"f","config":{"scope":"s"}}',
      '{"type":"registertriggertype","id":"tt","description":"d"}',
      '{"type":"invokefunction","function_id":"engine::workers::register","data":{"runtime":"x","features":[]},"action":{"type":"void"}}',
      `{"type":"invocationresult","invocation_id":"${randomUUID()}","function_id":"f","error":{"code":1}}`,
      '{"type":"reattach","previous_worker_id":"x","reattach_token":"y"}',
    ];
    for (let round = 0; round < 5000; round += 1) {
      const frame = corpus[Math.floor(random() * corpus.length)] as string;
      worker.send(mutate(frame, random));
    }
    expect((await worker.call('state::get', { scope: 's', key: 'k' }))['result']).toBe(1);
    expect((await other.call('state::get', { scope: 's', key: 'k' }))['result']).toBe(1);
  });
});

/** Cuts, doubles, swaps or replaces a piece of a text. */
function mutate(text: string, random: () => number): string {
  const at = Math.floor(random() * text.length);
  const end = Math.min(text.length, at + 1 + Math.floor(random() * 12));
  const pieces = [
    '',
    text.slice(at, end).repeat(2),
    '{',
    '}',
    '[',
    '"',
    '\\',
    'null',
    '-1',
    '1e999',
    '__proto__',
    '\u0000',
    '😀',
  ];
  return text.slice(0, at) + pieces[Math.floor(random() * pieces.length)] + text.slice(end);
}

/** A small generator (mulberry32), so that a seed gives the same frames again. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
