import { GatewayError } from '../../errors.js';
import { isObject, type Json, type JsonObject, member } from '../../protocol/json.js';
import { Payload } from '../../protocol/payload.js';
import type { Clock } from '../clock.js';
import type { Entry } from '../log/layout.js';
import { jsonOf, type Known, type View } from '../view.js';

/** Calls a function of a worker; undefined: it answered nothing. */
export type CallFunction = (functionId: string, input: Payload) => Promise<Payload | undefined>;

/** How long a function may think about a conflict. */
const DEADLINE_MS = 10_000;
/** How soon one that is not registered is looked for again. */
const ASK_AGAIN_MS = 500;

export type Decision =
  | { kind: 'local' }
  | { kind: 'remote' }
  /** Neither: this value. */
  | { kind: 'value'; value: Json }
  | { kind: 'park' };

/** The write, and what it met. */
export interface Disagreement {
  entry: Entry;
  receipt: string;
  base: View;
  /** What the key would hold after the write. */
  local: View;
  remote: Known;
}

/**
 * Lets a worker's function decide about a conflict. It is told `scope`, `key`, `function_id`, `receipt`, and `base`, `local`
 * and `remote` as far as there are such values; it answers `{"decision": "local" | "remote" | "park"}` or `{"value": …}`. A
 * function that fails, answers something else, or takes too long leaves it to an operator.
 */
export function decideByFunction(
  call: CallFunction,
  functionId: string,
  disagreement: Disagreement,
  clock: Pick<Clock, 'schedule'>,
): Promise<Decision> {
  return new Promise((resolve) => {
    let callOffNext = () => {};
    let isDecided = false;
    const decide = (decision: Decision) => {
      isDecided = true;
      callOffDeadline();
      callOffNext();
      resolve(decision);
    };
    const callOffDeadline = clock.schedule(() => decide({ kind: 'park' }), DEADLINE_MS);
    const ask = () => {
      if (isDecided) return;
      call(functionId, inputOf(disagreement)).then(
        (answer) => decide(decisionIn(answer?.value)),
        (error: unknown) => {
          // After a start the link may be there before its worker is.
          if (isMissing(error)) callOffNext = clock.schedule(ask, ASK_AGAIN_MS);
          else decide({ kind: 'park' });
        },
      );
    };
    ask();
  });
}

function isMissing(error: unknown): boolean {
  return error instanceof GatewayError && error.code === 'function_not_found';
}

function inputOf({ entry, receipt, base, local, remote }: Disagreement): Payload {
  const { scope, key, functionId } = entry.write;
  const input: JsonObject = { scope, key, function_id: functionId, receipt };
  for (const [name, view] of Object.entries({ base, local, remote })) {
    const value = view.kind === 'unknown' ? undefined : jsonOf(view);
    if (value !== undefined) input[name] = value;
  }
  return Payload.of({ ...input, base_known: base.kind !== 'unknown' });
}

function decisionIn(answer: Json | undefined): Decision {
  if (!isObject(answer)) return { kind: 'park' };
  const value = member(answer, 'value');
  if (value !== undefined) return { kind: 'value', value };
  const decision = member(answer, 'decision');
  return { kind: decision === 'local' || decision === 'remote' ? decision : 'park' };
}
