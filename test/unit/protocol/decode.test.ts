import { describe, expect, it } from 'vitest';
import { decode } from '../../../src/protocol/decode.js';
import { encode } from '../../../src/protocol/encode.js';
import type { InvokeFunction, Message } from '../../../src/protocol/messages.js';
import { Payload } from '../../../src/protocol/payload.js';

const ID = 'b6c1c791-8b4d-497d-82af-e0ad45876665';

function messageIn(text: string): Message {
  const decoded = decode(text);
  if (decoded.kind !== 'message') throw new Error(`${decoded.kind}: ${JSON.stringify(decoded)}`);
  return decoded.message;
}

const callText = (data: string, more = '') =>
  `{"type":"invokefunction","invocation_id":"${ID}","function_id":"state::set","data":${data}${more}}`;

describe('reading a call', () => {
  it('keeps the text of its data to the byte', () => {
    const data = '{"scope":"s","key":"k","value":[1.0,1e2,9007199254740993,-0,{"b":1,"a":2}]}';
    const message = messageIn(callText(data)) as InvokeFunction;
    expect(message.data.text).toBe(data);
    expect(message).toMatchObject({ type: 'invokefunction', invocation_id: ID, function_id: 'state::set' });
  });

  it.each([
    ['members after the data', callText('{"a":1}', ',"metadata":{"m":1},"traceparent":"t","baggage":"b"')],
    [
      'another order of members (Python)',
      `{"function_id":"state::set","data":{"a":1},"metadata":{"m":1},"traceparent":"t","baggage":"b","invocation_id":"${ID}","type":"invokefunction"}`,
    ],
    [
      'white space',
      ` { "type" : "invokefunction", "invocation_id":"${ID}", "function_id":"state::set", "data": {"a":1}, "metadata":{"m":1}, "traceparent":"t","baggage":"b" } `,
    ],
  ])('reads %s', (_, text) => {
    const message = messageIn(text) as InvokeFunction;
    expect(message.data.value).toEqual({ a: 1 });
    expect(message.metadata?.value).toEqual({ m: 1 });
    expect(message).toMatchObject({ function_id: 'state::set', traceparent: 't', baggage: 'b' });
  });

  it('is not fooled by data that looks like the end of a frame', () => {
    const data = '{"text":"}}, \\"metadata\\":{}"}';
    expect((messageIn(callText(data)) as InvokeFunction).data.text).toBe(data);
  });

  it('reads missing data as null, as SDKs leave it out', () => {
    const message = messageIn(
      `{"type":"invokefunction","invocation_id":"${ID}","function_id":"f"}`,
    ) as InvokeFunction;
    expect(message.data.value).toBeNull();
  });

  it('treats a null id as none', () => {
    expect(
      messageIn('{"type":"invokefunction","invocation_id":null,"function_id":"f","data":1}'),
    ).not.toHaveProperty('invocation_id');
  });

  it('reads actions', () => {
    expect(messageIn(callText('{}', ',"action":{"type":"enqueue","queue":"q"}'))).toMatchObject({
      action: { type: 'enqueue', queue: 'q' },
    });
  });
});

describe('reading an answer', () => {
  const text = (rest: string) =>
    `{"type":"invocationresult","invocation_id":"${ID}","function_id":"f"${rest}}`;

  it('tells no result from a null result', () => {
    expect(messageIn(text(''))).not.toHaveProperty('result');
    expect(messageIn(text(',"result":null'))).toHaveProperty('result');
  });

  it('keeps the text of the result', () => {
    const message = messageIn(text(',"result":{"n":12345678901234567890}'));
    expect(message).toHaveProperty('result.text', '{"n":12345678901234567890}');
  });

  it('lets an error win over a result, whatever shape it has', () => {
    expect(messageIn(text(',"result":1,"error":{"code":"C","message":"m"}'))).toMatchObject({
      error: { code: 'C', message: 'm' },
    });
    expect(messageIn(text(',"error":"boom"'))).toMatchObject({
      error: { code: 'UNKNOWN', message: '"boom"' },
    });
  });
});

describe('what an engine would never answer is refused', () => {
  const deep = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
  const setOf = (value: string) => callText(`{"scope":"s","key":"k","value":${value}}`);

  it('takes a value of 125 levels, which makes a frame of 127', () => {
    expect(decode(setOf(deep(125))).kind).toBe('message');
  });

  it.each([
    ['a value of 126 levels', setOf(deep(126))],
    ['a value of 100 000 levels', setOf(deep(100_000))],
    ['the first half of a surrogate pair', setOf('"\\ud800"')],
    ['the second half alone', setOf('"\\udc00"')],
    ['halves that are apart', setOf('"\\ud83d \\ude00"')],
    ['a number beyond a double', setOf('1e400')],
    ['an integer of 400 digits', setOf('1'.repeat(400))],
    ['NaN', setOf('NaN')],
    ['a comma too many', setOf('[1,]')],
    ['an id that is no UUID', callText('{}').replace(ID, 'not-a-uuid-at-all')],
    ['a cut-off frame', callText('{"scope":"s"').slice(0, -1)],
    ['an unknown action', callText('{}', ',"action":{"type":"teleport"}')],
  ])('%s', (_, text) => {
    expect(decode(text)).toMatchObject({
      kind: 'refused',
      functionId: 'state::set',
      error: { code: 'deserialization_error' },
    });
  });

  it.each([
    ['a whole pair', '"\\ud83d\\ude00"'],
    ['text that spells out half a pair', '"\\\\ud800"'],
    ['a NUL', '"\\u0000"'],
    ['127 brackets in a string', JSON.stringify('['.repeat(500))],
    ['the largest double', '1.7976931348623157e308'],
  ])('but not %s', (_, value) => {
    expect(decode(setOf(value)).kind).toBe('message');
  });

  it('turns an unreadable answer into an error for the one who waits', () => {
    const text = `{"type":"invocationresult","invocation_id":"${ID}","function_id":"f","result":${deep(127)}}`;
    expect(messageIn(text)).toMatchObject({ invocation_id: ID, error: { code: 'serialization_error' } });
  });
});

describe('what nobody waits for is ignored', () => {
  it.each([
    ['nothing', ''],
    ['white space', '  \n'],
    ['no JSON', 'hello'],
    ['a number', '7'],
    ['null', 'null'],
    ['an array', '[1]'],
    ['an unknown type', '{"type":"somethingnew","x":1}'],
    ['a type that is no string', '{"type":7}'],
    ['a registration without id', '{"type":"registerfunction"}'],
    ['a call without id that cannot be read', '{"type":"invokefunction","function_id":7}'],
    ['a member called __proto__', '{"__proto__":{"type":"ping"}}'],
  ])('%s', (_, text) => {
    expect(decode(text).kind).toBe('ignored');
  });
});

describe('printing', () => {
  it.each<[string, Message]>([
    ['a call', { type: 'invokefunction', invocation_id: ID, function_id: 'a"b', data: Payload.of({ x: 1 }) }],
    [
      'a call with everything',
      {
        type: 'invokefunction',
        invocation_id: ID,
        function_id: 'f',
        data: Payload.of(null),
        metadata: Payload.of({ m: [1] }),
        action: { type: 'void' },
        traceparent: 't"',
        baggage: 'b',
        namespace: 'n',
      },
    ],
    ['an answer', { type: 'invocationresult', invocation_id: ID, function_id: 'f', result: Payload.of([1]) }],
    ['no value', { type: 'invocationresult', invocation_id: ID, function_id: 'f' }],
    [
      'an error',
      {
        type: 'invocationresult',
        invocation_id: ID,
        function_id: 'f',
        error: { code: 'c', message: '"', stacktrace: 's' },
      },
    ],
    [
      'a registration',
      { type: 'registertrigger', id: 'i', trigger_type: 't', function_id: 'f', config: { n: 2n ** 60n } },
    ],
  ])('%s reads back as it was', (_, message) => {
    const printed = encode(message);
    expect(encode(messageIn(printed))).toBe(printed);
  });

  it('prints a payload that many receive once', () => {
    const payload = Payload.of({ a: 1 });
    expect(payload.text).toBe(payload.text);
    expect(encode({ type: 'invokefunction', function_id: 'f', data: payload })).toContain('"data":{"a":1}');
  });
});
