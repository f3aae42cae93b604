import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { FakeEngine } from '../support/fake-engine.js';
import { type RunningGateway, startGateway } from '../support/gateway.js';
import { RawWorker } from '../support/raw-worker.js';
import { stopsAfterEach } from '../support/running.js';

const stopLater = stopsAfterEach();
const MIB = 1024 * 1024;

interface Site {
  engine: FakeEngine;
  gateway: RunningGateway;
  worker: RawWorker;
}

/** A gateway before an engine that answers everything, a real engine's silence excepted. */
async function setUp(): Promise<Site> {
  const engine = stopLater(await FakeEngine.start());
  for (const id of ['state::get', 'state::set', 'state::update']) engine.reply(id, () => ({ result: 1 }));
  const gateway = stopLater(await startGateway({ remote: engine.url }));
  const worker = stopLater(await RawWorker.connect(gateway.url));
  await engine.received(({ function_id }) => function_id === 'engine::workers::register');
  return { engine, gateway, worker };
}

const answerTo = (worker: RawWorker, functionId: string, data: string) =>
  worker.answerTo(worker.callAsText(functionId, data));

/** The worker goes on as if nothing had happened, and the remote has seen no call but the one that shows it. */
async function expectUnharmed({ engine, worker }: Site): Promise<void> {
  expect((await worker.call('state::get', { scope: 's', key: 'k' }))['result']).toBe(1);
  expect(engine.callsOfWorkers.map(({ function_id }) => function_id)).toEqual(['state::get']);
}

const arrays = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
const objects = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;
const op = (members: string) => `{"scope":"s","key":"k","ops":[{${members}}]}`;
const tagged = (type: string, levels: number) => `"type":"${type}","path":"a","value":${objects(levels)}`;
const set = (value: string) => `{"scope":"s","key":"k","value":${value}}`;

describe('what a real engine would never answer is refused at the door', () => {
  it.each([
    ['126 arrays in each other', arrays(126)],
    ['126 objects in each other', objects(126)],
    ['100 000 levels', arrays(100_000)],
    ['the first half of a surrogate pair', '"\\ud800"'],
    ['the second half', '"x\\udc00"'],
    ['the halves in the wrong order', '"\\udc00\\ud800"'],
    ['the first half twice', '["\\ud83d\\ud83d\\ude00"]'],
    ['half a pair in a name', '{"\\uD800":1}'],
    ['half a pair after an escaped backslash', '"\\\\\\ud800"'],
    ['a number beyond a double', '1e400'],
    ['one below it', '-1E+400'],
    ['one of 400 digits', '9'.repeat(400)],
    ['one deep inside', '[[{"a":[1,2,1.5e309]}]]'],
    ['NaN', 'NaN'],
    ['Infinity', '-Infinity'],
    ['a comma too many', '{"a":1,}'],
    ['a number with a leading zero', '01'],
    ['a raw control character', '"\u0001"'],
    ['nothing', ''],
  ])('%s', async (_, value) => {
    const site = await setUp();
    const answer = await answerTo(site.worker, 'state::set', set(value));
    expect(answer).toMatchObject({ function_id: 'state::set', error: { code: 'deserialization_error' } });
    await expectUnharmed(site);
  });

  it.each<[id: string, place: string, deepest: string, tooDeep: string]>([
    ['state::set', 'value', set(arrays(125)), set(arrays(126))],
    [
      'state::set',
      'data',
      set(objects(125)).replace('value', 'data'),
      set(arrays(126)).replace('value', 'data'),
    ],
    ['state::update', 'set', op(tagged('set', 123)), op(tagged('set', 124))],
    ['state::update', 'merge', op(tagged('merge', 123)), op(tagged('merge', 124))],
    ['state::update', 'append', op(tagged('append', 123)), op(tagged('append', 124))],
    ['state::update', '{set: v}', op(`"set":${objects(123)}`), op(`"set":${objects(124)}`)],
    ['state::update', '{merge: o}', op(`"merge":${objects(123)}`), op(`"merge":${objects(124)}`)],
  ])('%s with %s: the deepest that an engine reads, and one level more', async (id, _, deepest, tooDeep) => {
    const site = await setUp();
    expect((await answerTo(site.worker, id, tooDeep))['error']).toMatchObject({
      code: 'deserialization_error',
      message: expect.stringContaining('127 levels'),
    });
    expect((await answerTo(site.worker, id, deepest))['result']).toBe(1);
  });

  it.each([
    ['that is deep', `{"m":${arrays(126)}}`],
    ['that is deep and no object, so that the mark of this gateway makes it deeper', arrays(126)],
    ['with half a surrogate pair', '{"tenant":"\\ud800"}'],
    ['with a number beyond a double', '{"n":1e999}'],
  ])('metadata %s', async (_, metadata) => {
    const site = await setUp();
    const id = site.worker.callAsText('state::set', `${set('1')},"metadata":${metadata}`);
    expect((await site.worker.answerTo(id))['error']).toMatchObject({ code: 'deserialization_error' });
    await expectUnharmed(site);
  });

  it.each([
    ['in one frame', 17 * MIB],
    ['in fragments', MIB],
  ])('a State call of more than 16 MiB %s', async (_, fragment) => {
    const site = await setUp();
    const id = randomUUID();
    const frame = { type: 'invokefunction', invocation_id: id, function_id: 'state::set' };
    site.worker.sendInFragments(
      { ...frame, data: { scope: 's', key: 'k', value: 'x'.repeat(16 * MIB) } },
      fragment,
    );
    expect((await site.worker.answerTo(id))['error']).toMatchObject({ code: 'deserialization_error' });
    await expectUnharmed(site);
  });

  it('a void call, which nobody hears of, and it goes no further', async () => {
    const site = await setUp();
    const data = set('1e400');
    site.worker.send(
      `{"type":"invokefunction","function_id":"state::set","data":${data},"action":{"type":"void"}}`,
    );
    await expectUnharmed(site);
    expect(site.worker.frames.filter(({ type }) => type === 'invocationresult')).toHaveLength(1);
  });

  it('a call of another worker', async () => {
    const site = await setUp();
    const other = stopLater(await RawWorker.connect(site.gateway.url));
    other.send({ type: 'registerfunction', id: 'take' });
    await other.call('engine::workers::list', {});
    const answer = await answerTo(site.worker, 'take', '{"n":1e400}');
    expect(answer['error']).toMatchObject({ code: 'deserialization_error' });
    await expectUnharmed(site);
    expect(other.callsOf('take')).toEqual([]);
  });

  it('an answer: the one who waits gets an error at once', async () => {
    const { gateway, worker } = await setUp();
    const other = stopLater(await RawWorker.connect(gateway.url));
    other.send({ type: 'registerfunction', id: 'give' });
    await other.call('engine::workers::list', {});
    for (const value of ['1e400', '"\\ud800"', arrays(127), '{"a":}']) {
      const answer = worker.call('give', {});
      const { invocation_id } = await other.next(({ function_id }) => function_id === 'give');
      other.send(
        `{"type":"invocationresult","invocation_id":"${invocation_id}","function_id":"give","result":${value}}`,
      );
      expect((await answer)['error']).toMatchObject({ code: 'serialization_error' });
    }
  });
});

describe('what an engine accepts passes', () => {
  it.each([
    ['a whole pair', '"\\ud83d\\ude00"'],
    ['an escaped backslash before what is no escape', '"\\\\ud800"'],
    ['a big number in a text', '"1e400"'],
    ['brackets in a text', `"${'['.repeat(1000)}"`],
    ['many brackets that are not in each other', `[${'[],'.repeat(500)}{}]`],
    ['a number that is nearly nothing', '1e-400'],
    ['the largest double', '1.7976931348623157e308'],
    ['integers of 64 bits', '[18446744073709551615,-9223372036854775808]'],
    ['a zero character', '"\\u0000"'],
    ['__proto__ and friends', '{"__proto__":{"x":1},"constructor":1,"prototype":[],"toJSON":null}'],
    ['a member twice', '{"a":1,"a":2}'],
    ['15 MiB', `"${'x'.repeat(15 * MIB)}"`],
  ])('%s', async (_, value) => {
    const { engine, worker } = await setUp();
    expect(await answerTo(worker, 'state::set', set(value))).toMatchObject({ result: 1 });
    expect(engine.texts.at(-1)).toContain(`"data":${set(value)}`);
  });

  it.each([
    ['-0', '-0.0'],
    ['1e2', '100.0'],
    ['1.0', '1.0'],
    ['18446744073709551615', '18446744073709551615'],
    ['-9223372036854775808', '-9223372036854775808'],
    ['"\\u0000"', '"\\u0000"'],
    ['{"__proto__":{"x":1},"constructor":2}', '{"__proto__":{"x":1},"constructor":2}'],
    ['{"a":1,"a":2}', '{"a":2}'],
  ])(
    'and %s is kept here as the engine keeps it, under an empty key of an empty scope',
    async (given, kept) => {
      const { url } = stopLater(await startGateway());
      const worker = stopLater(await RawWorker.connect(url));
      await answerTo(worker, 'state::set', `{"scope":"","key":"","value":${given}}`);
      await answerTo(worker, 'state::get', '{"scope":"","key":""}');
      expect(worker.texts.at(-1)).toContain(`"result":${kept}}`);
    },
  );
});
