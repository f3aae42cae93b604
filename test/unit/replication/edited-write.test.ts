import { describe, expect, it } from 'vitest';
import type { StateFunctionId } from '../../../src/operations/calls.js';
import { decodeInput } from '../../../src/operations/inputs.js';
import { Payload } from '../../../src/protocol/payload.js';
import { editedWrite } from '../../../src/replication/edited-write.js';
import type { Write, WriteInput } from '../../../src/replication/write.js';

function writeOf(functionId: StateFunctionId, input: string): Write {
  const decoded = decodeInput(functionId, Payload.fromText(input));
  return {
    input: decoded.input as WriteInput,
    payload: decoded.payload,
    metadata: Payload.of({ who: 'w' }),
    traceparent: 'trace',
    baggage: 'bag',
  };
}

const SET = writeOf('state::set', '{"scope":"s","key":"k","value":"bad"}');
const edited = (text: string, maxBytes = 1000) => editedWrite(SET, text, maxBytes);

describe('an edited write', () => {
  it('has the new input as it was written, and the rest of the old call', () => {
    const text = '{ "scope": "s", "key": "k",\n  "value": 1.0 }';
    const { input, payload, ...rest } = edited(`${text}\n`);
    expect(payload.text).toBe(text);
    expect(input).toMatchObject({ functionId: 'state::set', scope: 's', key: 'k' });
    expect(rest).toEqual({ metadata: SET.metadata, traceparent: 'trace', baggage: 'bag' });
  });

  it('may say the same in another of the shapes that engines take', () => {
    expect(edited('["s","k","good"]').input).toMatchObject({ value: 'good' });
    const update = writeOf('state::update', '{"scope":"s","key":"k","ops":[]}');
    const ops = '[{"increment":{"field":"n","by":2}}]'; // a shape that engines refuse
    const { payload } = editedWrite(update, `{"scope":"s","key":"k","ops":${ops}}`, 1000);
    expect(payload.value).toMatchObject({ ops: [{ type: 'increment', path: 'n', by: 2 }] });
  });

  it.each([
    ['another key', '{"scope":"s","key":"other","value":1}', 'INVALID_ARGUMENTS'],
    ['another scope', '{"scope":"other","key":"k","value":1}', 'INVALID_ARGUMENTS'],
    ['no key', '{"scope":"s","value":1}', 'deserialization_error'],
    ['a key that is none', '{"scope":"s","key":5,"value":1}', 'deserialization_error'],
    ['no object', '5', 'deserialization_error'],
    ['nothing', '', 'deserialization_error'],
    ['what is no JSON', '{"scope":"s","key":"k","value":secret}', 'deserialization_error'],
    ['a number beyond a double', '{"scope":"s","key":"k","value":1e400}', 'deserialization_error'],
    ['half a surrogate pair', String.raw`{"scope":"s","key":"k","value":"\ud800"}`, 'deserialization_error'],
    [
      'too many levels',
      `{"scope":"s","key":"k","value":${'['.repeat(126)}${']'.repeat(126)}}`,
      'deserialization_error',
    ],
    ['too many bytes', `{"scope":"s","key":"k","value":"${'ü'.repeat(500)}"}`, 'GATEWAY_TOO_LARGE'],
  ])('is refused with %s', (_, text, code) => {
    expect(() => edited(text)).toThrow(expect.objectContaining({ code }));
  });

  it('is refused without its values in the error', () => {
    for (const text of ['["secret",]', '{"value":"secret" x}', '{"scope":"s","key":"q","value":"secret"}'])
      expect(() => edited(text)).toThrow(
        expect.not.objectContaining({ message: expect.stringContaining('secret') }),
      );
    expect(() => edited('{"value":"secret" x}')).toThrow(/not JSON: see position 18$/);
  });
});
