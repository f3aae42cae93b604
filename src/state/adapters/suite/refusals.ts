import { expect, it } from 'vitest';
import type { StateFunctionId, StateInput } from '../../../operations/calls.js';
import { stateCall } from './client.js';
import type { SuiteContext } from './context.js';

const INPUTS: StateInput[] = [
  { functionId: 'state::get', scope: 's', key: 'k' },
  { functionId: 'state::set', scope: 's', key: 'k', value: 1 },
  { functionId: 'state::delete', scope: 's', key: 'k' },
  { functionId: 'state::update', scope: 's', key: 'k', ops: [] },
  { functionId: 'state::list', scope: 's' },
  { functionId: 'state::list_groups' },
  { functionId: 'state::list_keys', scope: 's' },
  { functionId: 'state::list_entries', scope: 's', limit: 1, maxBytes: 256 },
  { functionId: 'state::compare-and-set', scope: 's', key: 'k', expected: null, value: 1 },
];

export function refusals(under: SuiteContext, lacks: readonly StateFunctionId[]): void {
  it.each(INPUTS.filter(({ functionId }) => lacks.includes(functionId)))(
    'refuses $functionId',
    async (input) => {
      const answer = under.adapter.answer(stateCall(input));
      await expect(answer).rejects.toMatchObject({ code: 'function_not_found' });
    },
  );
}
