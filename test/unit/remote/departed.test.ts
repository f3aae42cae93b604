import { describe, expect, it } from 'vitest';
import type { Json } from '../../../src/protocol/json.js';
import { Payload } from '../../../src/protocol/payload.js';
import type { Asked } from '../../../src/remote/ask.js';
import { hasLeft } from '../../../src/remote/departed.js';

function answering(result: Json | undefined, asked: string[] = []): Asked {
  return {
    call: async ({ function_id }) => {
      asked.push(function_id);
      const payload = result === undefined ? {} : { result: Payload.of(result) };
      return { type: 'invocationresult', invocation_id: 'i', function_id, ...payload };
    },
  };
}

describe('a worker has left', () => {
  it('when the engine lists others only', async () => {
    const asked: string[] = [];
    expect(await hasLeft(answering({ workers: [{ id: 'new' }, { id: 'other' }] }, asked), 'old')).toBe(true);
    expect(asked).toEqual(['engine::workers::list']);
  });

  it.each<[string, Json | undefined]>([
    ['it is listed', { workers: [{ id: 'new' }, { id: 'old' }] }],
    ['a row has no id', { workers: [{ id: 'new' }, { name: 'x' }] }],
    ['the list is none', { workers: 'none' }],
    ['the answer is none', null],
    ['there is no answer', undefined],
  ])('not when %s', async (_, answer) => {
    expect(await hasLeft(answering(answer), 'old')).toBe(false);
  });

  it('not when the engine refuses to tell, or does not answer', async () => {
    const refusing: Asked = {
      call: async ({ function_id }) => ({
        type: 'invocationresult',
        invocation_id: 'i',
        function_id,
        error: { code: 'FORBIDDEN', message: 'no' },
      }),
    };
    expect(await hasLeft(refusing, 'old')).toBe(false);
    expect(await hasLeft({ call: () => Promise.reject(new Error('away')) }, 'old')).toBe(false);
  });
});
