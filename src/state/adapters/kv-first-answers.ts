import type { StateAnswer } from '../../operations/calls.js';
import { fingerprintMismatch, type Repeat } from '../../operations/repeats.js';
import type { Decide, KvStore } from './kv-store.js';

/**
 * Makes calls that have a name once: whoever makes one again gets the first answer, and nothing changes.
 *
 * What the key held before is kept, not the answer: it is half as large, and the call, which is the same again, answers the
 * same from it.
 */
export class FirstAnswers {
  /** Calls that are being made; a repeat waits for the first. */
  private readonly underWay = new Map<string, { fingerprint: string; answer: Promise<StateAnswer> }>();

  constructor(private readonly store: KvStore) {}

  /** @throws GatewayError `GATEWAY_KEY_REUSED` for a name that another call has; `GATEWAY_STORAGE`, which is not kept. */
  async answer(
    scope: string,
    key: string,
    decide: Decide<StateAnswer>,
    repeat: Repeat,
  ): Promise<StateAnswer> {
    const { id, fingerprint } = repeat;
    const first = this.underWay.get(id) ?? this.store.firstOf(id);
    if (first === undefined) return this.answerFirst(scope, key, decide, repeat);
    if (first.fingerprint !== fingerprint) throw fingerprintMismatch();
    return withoutChange('answer' in first ? await first.answer : decide(first.before).answer);
  }

  private async answerFirst(
    scope: string,
    key: string,
    decide: Decide<StateAnswer>,
    repeat: Repeat,
  ): Promise<StateAnswer> {
    const { id, fingerprint } = repeat;
    const answer = this.store.change(scope, key, decide, repeat);
    this.underWay.set(id, { fingerprint, answer });
    try {
      return await answer;
    } finally {
      this.underWay.delete(id);
    }
  }
}

/** Subscribers were told by the first. */
function withoutChange({ change: _, ...answer }: StateAnswer): StateAnswer {
  return answer;
}
