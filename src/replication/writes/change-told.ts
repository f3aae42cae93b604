/** What the remote's answer to an online write tells of its key. */
import type { Payload } from '../../protocol/payload.js';
import { ABSENT, knownValue, UNKNOWN, type View } from '../view.js';
import { newValueIn, oldValueIn, type WriteInput } from '../write.js';

/** What the key holds after a write that the remote has applied. */
export function afterIn(input: WriteInput, result: Payload | undefined): View {
  if (input.functionId === 'state::delete') return ABSENT;
  if (input.functionId === 'state::set') return knownValue(input.value);
  const after = newValueIn(result);
  return after === undefined ? UNKNOWN : knownValue(after);
}

/** What the key held before; a null in an old value may also be no value. */
export function beforeIn({ functionId }: WriteInput, result: Payload | undefined): View {
  if (functionId !== 'state::delete') return knownValue(oldValueIn(result));
  return result === undefined ? ABSENT : knownValue(result.value);
}
