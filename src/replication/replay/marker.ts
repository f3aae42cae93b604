/**
 * Markers: an update carries one more operation that notes its number in the value, so that a later look tells
 * whether it was applied, whoever else wrote meanwhile (replication section 3).
 */
import type { UpdateOp } from '../../operations/calls.js';
import { isObject, type Json, member } from '../../protocol/json.js';
import type { Payload } from '../../protocol/payload.js';
import { jsonOf, type Known, type View } from '../view.js';
import type { WriteInput } from '../write.js';
import { type Settlement, sameKnown } from './settlement.js';

/** Where a gateway's number stands in a marked value: `value[member][gatewayId]`. */
export interface MarkerPlace {
  member: string;
  gatewayId: string;
}

/**
 * Whether a marker may be put beside an update: only into an object. On anything else the operation that carries the
 * marker would replace the value; so it must be known to be an object, or to be made one.
 */
export function canBeMarked(input: WriteInput, before: View, after: View): boolean {
  if (input.functionId !== 'state::update' || input.ops.some(touchesRoot)) return false;
  if (before.kind === 'unknown' || after.kind !== 'value') return false;
  return isObject(jsonOf(after)) && (before.kind === 'absent' || isObject(jsonOf(before)));
}

/** The same update with its number in it. */
export function markedPayload(
  payload: Payload,
  { member: at, gatewayId }: MarkerPlace,
  number: number,
): Payload {
  const ops = isObject(payload.value) ? (member(payload.value, 'ops') as Json[]) : [];
  return payload.withMember('ops', [...ops, { type: 'merge', path: [at], value: { [gatewayId]: number } }]);
}

/** Settles an update that was sent with a marker, after the fence. */
export function settleByMarker({
  found,
  before,
  place,
  number,
  nullIsAbsent,
}: {
  found: Known;
  before: View;
  place: MarkerPlace;
  number: number;
  nullIsAbsent: boolean;
}): Settlement {
  const marked = markIn(found, place);
  if (marked !== undefined) return { kind: marked >= number ? 'committed' : 'send-again' };
  // No marker: it was never there, or somebody has replaced the whole value since.
  const isUntouched = before.kind !== 'unknown' && sameKnown(found, before, nullIsAbsent);
  return { kind: isUntouched ? 'send-again' : 'unknown' };
}

function markIn(found: Known, { member: at, gatewayId }: MarkerPlace): number | undefined {
  const value = jsonOf(found);
  const markers = isObject(value) ? member(value, at) : undefined;
  const number = isObject(markers) ? member(markers, gatewayId) : undefined;
  return typeof number === 'number' ? number : undefined;
}

function touchesRoot({ path }: UpdateOp): boolean {
  return path.length === 0;
}
