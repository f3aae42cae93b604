import { describe, expect, it } from 'vitest';
import { observerStateIn } from '../../../src/remote/observer-state.js';

const stateIn = (frame: object) => observerStateIn(JSON.stringify(frame));

describe('the state of an observer', () => {
  it.each([
    ['the answer', { type: 'observeresult', id: 'o', state: 'pending' }, {}],
    ['a change', { type: 'observerstatechanged', id: 'o', state: 'active', fires: 0 }, {}],
    [
      'a refusal',
      { type: 'observeresult', id: 'o', state: 'error', error: { code: 'NOT_OBSERVABLE', message: 'no' } },
      { error: { code: 'NOT_OBSERVABLE', message: 'no' } },
    ],
    [
      'a later refusal',
      { type: 'observerstatechanged', id: 'o', state: 'error', reason: { code: 'FORBIDDEN', message: 'no' } },
      { error: { code: 'FORBIDDEN', message: 'no' } },
    ],
    [
      'a change for a reason that is no refusal',
      { type: 'observerstatechanged', id: 'o', state: 'suspended', reason: { code: 'X', message: 'away' } },
      {},
    ],
  ])('is told by %s', (_, frame, more) => {
    expect(stateIn(frame)).toEqual({ type: 'observerstate', id: 'o', state: frame.state, ...more });
  });

  it.each([
    ['another frame', '{"type":"ping"}'],
    ['one that is no JSON', '{"type":"observeresult"'],
    ['one without an id', '{"type":"observeresult","state":"active"}'],
    ['one without a state', '{"type":"observeresult","id":"o"}'],
    ['one that only mentions it', '{"type":"x","y":{"type":"observeresult"},"id":"o","state":"active"}'],
    ['a list', '[{"type":"observeresult","id":"o","state":"active"}]'],
    ['a number beyond all', '{"type":"observeresult","id":"o","state":"active","fires":1e999}'],
  ])('is not told by %s', (_, text) => {
    expect(observerStateIn(text)).toBeUndefined();
  });
});
