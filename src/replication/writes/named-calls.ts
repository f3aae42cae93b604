import { GatewayError } from '../../errors.js';
import type { StateAnswer } from '../../operations/calls.js';
import { fingerprintMismatch, isReceipt, type Repeat } from '../../operations/repeats.js';
import { Payload } from '../../protocol/payload.js';
import type { Clock } from '../clock.js';
import type { NamedCall, Repeats } from '../log/repeats.js';
import type { Receipt } from '../operator.js';
import type { Endings } from '../replay/endings.js';
import type { Write, WriteInput } from '../write.js';
import type { Writer } from './writer.js';

export interface NamedCallsOptions {
  patienceMs: number;
  /** Where a write is; undefined: nobody knows any more. */
  receiptOf: (seq: number) => Receipt | undefined;
  /** Whether its remote can be asked now. */
  isAvailable: () => boolean;
}

/**
 * Calls with an idempotency key, or with the receipt of a gateway before us: whoever makes one again gets what it got
 * first, and nothing is written twice (replication section 7).
 */
export class NamedCalls {
  /** Those that are being answered; a repeat joins the first. */
  private readonly underWay = new Map<string, { fingerprint: string; answer: Promise<StateAnswer> }>();

  constructor(
    private readonly repeats: Repeats,
    private readonly writer: Writer,
    private readonly endings: Pick<Endings, 'whenSettled'>,
    private readonly clock: Pick<Clock, 'schedule'>,
    private readonly options: NamedCallsOptions,
  ) {}

  /**
   * @throws GatewayError what `Writer.answer` throws; `GATEWAY_KEY_REUSED` for a name that another call has. A call that was
   * refused before it was logged leaves no trace: it may be made again.
   */
  answer(write: Write, { id, fingerprint }: Repeat): Promise<StateAnswer> {
    const first = this.underWay.get(id);
    if (first)
      return first.fingerprint === fingerprint ? first.answer : Promise.reject(fingerprintMismatch());
    const answer = this.answerNow(write, { id, fingerprint });
    this.underWay.set(id, { fingerprint, answer });
    const done = () => this.underWay.delete(id);
    answer.then(done, done);
    return answer;
  }

  private async answerNow(write: Write, { id, fingerprint }: Repeat): Promise<StateAnswer> {
    const known = this.repeats.find(id);
    if (known) {
      if (known.fingerprint !== fingerprint) throw fingerprintMismatch();
      return this.answerAgain(id, known, write.input);
    }
    return this.writer.answerNamed(write, {
      repeatId: id,
      isHandedOver: isReceipt(id),
      together: ({ seq, answer, isBlind }) => [
        this.repeats.begin(id, { fingerprint, seq, first: { result: answer.result?.text, isBlind } }),
      ],
    });
  }

  /** As it was answered first; one that was not settled then is told as it stands now. */
  private async answerAgain(id: string, known: NamedCall, input: WriteInput): Promise<StateAnswer> {
    if (isUnderWay(known) && this.options.isAvailable() && isPending(this.options.receiptOf(known.seq))) {
      await this.settled(known.seq);
    }
    return this.told(id, this.repeats.find(id) ?? known, input);
  }

  private settled(seq: number): Promise<void> {
    return new Promise((resolve) => {
      const callOff = this.endings.whenSettled(seq, () => {
        callOffTimer();
        resolve();
      });
      const callOffTimer = this.clock.schedule(() => {
        callOff();
        resolve();
      }, this.options.patienceMs);
    });
  }

  private told(id: string, { seq, first, ended }: NamedCall, input: WriteInput): StateAnswer {
    if (ended?.kind === 'answered') {
      if (ended.error) throw GatewayError.fromBody(ended.error);
      return asAnswer(ended.result);
    }
    const isBlind = first.isBlind && input.functionId !== 'state::set';
    if (ended?.kind === 'committed' && !isBlind) return asAnswer(first.result && settledText(first.result));
    // A gateway before us has handed it over: what becomes of it is seen here.
    if (isReceipt(id) || (!ended && !isBlind)) return asAnswer(first.result);
    const receipt = this.options.receiptOf(seq);
    const isDecided = receipt?.status === 'superseded' || receipt?.status === 'dropped';
    const error = isDecided
      ? undefined
      : (receipt?.error ?? (ended?.kind === 'given-up' ? ended.error : undefined));
    if (error) throw GatewayError.fromBody(error);
    throw noAnswer(input.functionId, seq, receipt?.status ?? ended?.kind ?? 'settled');
  }
}

/** The first answer without the member that says that it waits. */
function settledText(text: string): string {
  const at = text.lastIndexOf(',"pending":true');
  return at < 0 ? text : text.slice(0, at) + text.slice(at + ',"pending":true'.length);
}

function isUnderWay({ ended }: NamedCall): boolean {
  return ended === undefined;
}

function isPending(receipt: Receipt | undefined): boolean {
  return receipt?.status === 'pending' || receipt?.status === 'sent';
}

function asAnswer(result: string | undefined): StateAnswer {
  return result === undefined ? {} : { result: Payload.fromText(result) };
}

function noAnswer(functionId: string, seq: number, status: string): GatewayError {
  return new GatewayError(
    'GATEWAY_OUTCOME_UNKNOWN',
    `${functionId} is write ${seq} of this gateway, which is ${status}: there is no answer of the remote engine to it`,
  );
}
