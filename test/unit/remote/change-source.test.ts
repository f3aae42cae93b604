import { describe, expect, it } from 'vitest';
import type { Json } from '../../../src/protocol/json.js';
import type { InvokeFunction } from '../../../src/protocol/messages.js';
import { Payload } from '../../../src/protocol/payload.js';
import { changeIn, chooseChangeSource, subscribe, unsubscribe } from '../../../src/remote/change-source.js';

const CHANGE = {
  type: 'state',
  event_type: 'state:updated',
  scope: 's',
  key: 'k',
  old_value: 1,
  new_value: { n: 2 },
};

const call = (data: Payload): InvokeFunction => ({ type: 'invokefunction', function_id: 'feed', data });

describe('which source of changes an engine has', () => {
  it.each<[features: string[], answer: Json | undefined, source: string, asked: number]>([
    [[], undefined, 'trigger', 0],
    [['large-messages.v1'], undefined, 'trigger', 0],
    [['observe.v1', 'observe.v2'], undefined, 'observer', 0],
    [['observe.v2'], undefined, 'observer', 0],
    [['observe.v1'], { functions: [{ function_id: 'state::on-changed' }] }, 'observer', 1],
    [['observe.v1'], { functions: [{ function_id: 'state::on-changed', error: 'not_found' }] }, 'trigger', 1],
    [['observe.v1'], { functions: [{ function_id: 'state::set' }] }, 'trigger', 1],
    [['observe.v1'], { functions: [] }, 'trigger', 1],
    [['observe.v1'], { functions: 'none' }, 'trigger', 1],
    [['observe.v1'], null, 'trigger', 1],
    [['observe.v1'], undefined, 'trigger', 1],
  ])('with %j, asked and answered %j: the %s', async (features, answer, source, asked) => {
    const questions: [string, Json][] = [];
    const ask = async (functionId: string, data: Json) => {
      questions.push([functionId, data]);
      return answer;
    };
    expect(await chooseChangeSource({ features, ask })).toBe(source);
    expect(questions).toHaveLength(asked);
    if (asked > 0) {
      expect(questions[0]).toEqual(['engine::functions::info', { function_ids: ['state::on-changed'] }]);
    }
  });
});

describe('a subscription', () => {
  it.each<[scope: string | undefined, config: object, filters: object]>([
    ['s', { scope: 's' }, { 'input.scope': { $eq: 's' } }],
    ['', { scope: '' }, { 'input.scope': { $eq: '' } }],
    [undefined, {}, {}],
  ])('to %j', (scope, config, filters) => {
    expect(subscribe('trigger', 'id', scope, 'feed')).toEqual({
      type: 'registertrigger',
      id: 'id',
      trigger_type: 'state',
      function_id: 'feed',
      config,
    });
    expect(subscribe('observer', 'id', scope, 'feed')).toEqual({
      type: 'observe',
      id: 'id',
      source: { function_id: 'state::on-changed', filters, capture: ['input'] },
      target: { function_id: 'feed' },
      max_in_flight: 1,
    });
  });

  it('is taken back by its id', () => {
    expect(unsubscribe('trigger', 'id')).toEqual({
      type: 'unregistertrigger',
      id: 'id',
      trigger_type: 'state',
    });
    expect(unsubscribe('observer', 'id')).toEqual({ type: 'unobserve', id: 'id' });
  });
});

describe('the change that a call brings', () => {
  it('is its data where a trigger fired, and its input where a call was observed', () => {
    const expected = { scope: 's', key: 'k' };
    const fromTrigger = changeIn('trigger', call(Payload.of(CHANGE)));
    const observed = changeIn('observer', call(Payload.of({ observer_id: 'o', input: CHANGE })));
    for (const change of [fromTrigger, observed]) {
      expect(change).toMatchObject(expected);
      expect(change?.document.value).toEqual(CHANGE);
    }
  });

  it('has the six members only, whatever an engine added', () => {
    const marked = { ...CHANGE, _caller_worker_id: 'w', event_id: 'e' };
    expect(changeIn('trigger', call(Payload.of(marked)))?.document.value).toEqual(CHANGE);
    expect(changeIn('observer', call(Payload.of({ input: marked })))?.document.value).toEqual(CHANGE);
  });

  it('keeps its numbers to the digit', () => {
    const text = JSON.stringify(CHANGE).replace('{"n":2}', '[18446744073709551615,1.0,-9223372036854775808]');
    expect(changeIn('trigger', call(Payload.fromText(text)))?.document.text).toBe(text);
    const marked = Payload.fromText(text.replace('{', '{"_caller_worker_id":"w",'));
    expect(changeIn('trigger', call(marked))?.document.text).toBe(text);
  });

  it.each<[Json]>([
    [null],
    ['text'],
    [[]],
    [{}],
    [{ ...CHANGE, type: 'cron' }],
    [{ ...CHANGE, scope: 5 }],
    [{ ...CHANGE, key: null }],
    [{ input: { ...CHANGE, scope: {} } }],
  ])('is none in %j', (data) => {
    expect(changeIn('trigger', call(Payload.of(data)))).toBeUndefined();
    expect(changeIn('observer', call(Payload.of(data)))).toBeUndefined();
  });
});
