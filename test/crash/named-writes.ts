import type { Receipt } from '../../src/replication/operator.js';
import type { Frame } from '../support/frame-log.js';
import type { SeededRandom } from '../support/seeded-random.js';
import { callOf, type SentWrite, type Told, toldBy } from '../support/told-writes.js';
import type { Site } from './site.js';

const ASKED_AGAIN = 20;
/** Errors of the remote, which are the call's answer; after one of the gateway it may be made anew. */
const FINAL: readonly string[] = ['VALUE_TOO_LARGE'];
const DONE_OR_WAITING: readonly string[] = ['committed', 'pending', 'sent'];

interface Answered {
  sent: SentWrite;
  answer: Frame;
}

/** Writes with an idempotency key: whoever makes one again is told what he was told first. */
export class NamedWrites {
  private readonly answered: Answered[] = [];

  constructor(private readonly site: Site) {}

  async make(sent: SentWrite): Promise<Told> {
    const answer = await this.call(sent);
    if (answer !== 'none' && isFinal(toldBy(answer))) this.answered.push({ sent, answer });
    return toldBy(answer);
  }

  /**
   * Makes some of them again that were answered.
   * @throws Error if one is told something else than before.
   */
  async askAgain(random: SeededRandom): Promise<void> {
    const some = Array.from({ length: Math.min(ASKED_AGAIN, this.answered.length) }, () =>
      random.pick(this.answered),
    );
    await Promise.all(some.map((one) => this.ask(one)));
  }

  private async ask({ sent, answer }: Answered): Promise<void> {
    const again = await this.call(sent);
    if (again === 'none') throw new Error(`the connection ended before write ${sent.id} was answered again`);
    const first = toldBy(answer);
    const ending =
      first.kind === 'accepted' && again['error']
        ? await this.site.ask<Receipt>('gateway::receipt', { receipt: first.receipt })
        : undefined;
    if (agree(sent, answer, again, ending)) return;
    const [before, now] = [answer, again].map((frame) => JSON.stringify(frame['error'] ?? frame['result']));
    throw new Error(`write ${sent.id} was answered ${before}, and ${now} when it was made again`);
  }

  private call({ id, worker, ...write }: SentWrite): Promise<Frame | 'none'> {
    const { functionId, data } = callOf({ id, worker, ...write });
    const metadata = { label: String(id), idempotency_key: `write ${id}` };
    return this.site.call(worker, functionId, data, metadata);
  }
}

function isFinal(told: Told): boolean {
  return (
    told.kind === 'accepted' ||
    told.kind === 'answered' ||
    (told.kind === 'error' && FINAL.includes(told.code))
  );
}

/** What was answered before the remote had it may be answered better later; what the remote has said stays. */
function agree({ kind }: SentWrite, first: Frame, again: Frame, ending: Receipt | undefined): boolean {
  const [before, now] = [toldBy(first), toldBy(again)];
  if (before.kind === 'accepted') {
    if (now.kind === 'error') return ending !== undefined && !DONE_OR_WAITING.includes(ending.status);
    return now.kind === 'answered' || isSame(first['result'], again['result']);
  }
  if (before.kind === 'error') return now.kind === 'error' && now.code === before.code;
  // The answer to a delete does not tell whether it waits, and it may have come to another end.
  if (kind === 'delete') return now.kind !== 'nothing';
  return now.kind === 'answered' && isSame(first['result'], again['result']);
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
