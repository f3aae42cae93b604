import type { Payload } from '../../protocol/payload.js';
import { changeIn } from '../replay/attempts.js';
import type { RemoteAnswer } from '../replay/awaited.js';
import { knownValue, UNKNOWN, type View } from '../view.js';
import type { WriteInput } from '../write.js';

/** What a confirmed write made of its key, each value as far as it is known; where nothing was, `before` may be null. */
export interface ConfirmedChange {
  before: View;
  after: View;
}

/** The change of an applied write, as the remote's answer tells it. */
export function confirmedBy(input: WriteInput, result: Payload | undefined): ConfirmedChange {
  const { after, oldValue } = changeIn(input.functionId, result);
  return {
    before: oldValue === undefined ? UNKNOWN : knownValue(oldValue),
    after: input.functionId === 'state::set' ? knownValue(input.value) : after,
  };
}

/** What the key of a logged write held before it: as the answer tells, if there was one that does; else what was known. */
export function heldBefore(
  functionId: WriteInput['functionId'],
  answer: RemoteAnswer | undefined,
  base: View,
): View {
  const oldValue = answer && changeIn(functionId, answer.result).oldValue;
  return oldValue === undefined ? base : knownValue(oldValue);
}
