import { describe, expect, it } from 'vitest';
import type { InvocationResult } from '../../../src/protocol/messages.js';
import { Payload } from '../../../src/protocol/payload.js';
import { outcomeOf } from '../../../src/replication/replay/answers.js';

const set = 'state::set';
const remove = 'state::delete';

function answer(error?: { code: string; message?: string }): InvocationResult {
  const frame = { type: 'invocationresult', invocation_id: 'i', function_id: 'f' } as const;
  return error
    ? { ...frame, error: { message: 'm', ...error } }
    : { ...frame, result: Payload.of({ new_value: 1 }) };
}

describe('what an answer to a write means', () => {
  it('a result is a write that was applied', () => {
    expect(outcomeOf(set, answer()).kind).toBe('applied');
  });

  it.each(['deserialization_error', 'VALUE_TOO_LARGE', 'FORBIDDEN', 'RESERVED_SCOPE', 'INVALID_NAMESPACE'])(
    '%s is a definite refusal',
    (code) => {
      expect(outcomeOf(set, answer({ code })).kind).toBe('refused');
      const nested = { code: 'invocation_failed', message: `handler error: ${code}: too much` };
      expect(outcomeOf(set, answer(nested)).kind).toBe('refused');
    },
  );

  it('a missing function is no refusal: it may be there later', () => {
    expect(outcomeOf(set, answer({ code: 'function_not_found' })).kind).toBe('not-now');
  });

  it('GET_ERROR on a delete came before anything was deleted, and on a set means anything', () => {
    expect(outcomeOf(remove, answer({ code: 'GET_ERROR' })).kind).toBe('not-now');
    expect(outcomeOf(set, answer({ code: 'GET_ERROR' })).kind).toBe('unclear');
  });

  it.each(['SET_ERROR', 'invocation_stopped', 'TIMEOUT', 'invocation_failed', 'constructor'])(
    '%s tells nothing',
    (code) => {
      expect(outcomeOf(set, answer({ code })).kind).toBe('unclear');
    },
  );
});
