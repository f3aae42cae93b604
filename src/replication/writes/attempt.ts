import type { GatewayError } from '../../errors.js';
import type { InvocationResult } from '../../protocol/messages.js';
import type { LateAnswer } from '../../remote/calls.js';

/** One online write's way to the remote; what comes after its deadline goes to whoever has taken it over. */
export class Attempt implements LateAnswer {
  private follower: LateAnswer | undefined;
  /** What came before anybody had taken it over. */
  private tell: ((follower: LateAnswer) => void) | undefined;

  constructor(
    readonly workerId: string | undefined,
    /** The receipt that its frame carries. */
    readonly receipt: string | undefined,
  ) {}

  follow(follower: LateAnswer): void {
    this.follower = follower;
    this.tell?.(follower);
  }

  answered(answer: InvocationResult): void {
    if (this.follower) this.follower.answered(answer);
    else this.tell = (follower) => follower.answered(answer);
  }

  gone(cause: GatewayError): void {
    if (this.follower) this.follower.gone(cause);
    else this.tell = (follower) => follower.gone(cause);
  }
}
