/** A call of a function of the remote engine, as it arrived. */
export interface ReceivedCall {
  functionId: string;
  /** Undefined where the call has none. */
  scope: string | undefined;
  key: string | undefined;
  /** Worker id of the connection it came over. */
  connection: string;
  /** `performance.now()` of its arrival. */
  at: number;
  /** What the gateway called it in its metadata, if it did. */
  receipt: string | undefined;
  /** What its caller called it, as `label` in its metadata, if it did. */
  label: string | undefined;
}

/** The calls that are meant; without `functionId` all State calls. */
export interface Which {
  functionId?: string;
  scope?: string;
  key?: string;
  where?: (call: ReceivedCall) => boolean;
}

export type Fault =
  /** Never executed, never answered. */
  | { kind: 'drop' }
  /** Executed, never answered. */
  | { kind: 'silent' }
  /** Executed and answered `ms` later. */
  | { kind: 'delay'; ms: number }
  /** Executed now, answered when released. */
  | { kind: 'late' }
  /** Executed when released, even if its connection is long gone; never answered. */
  | { kind: 'execute-late' }
  /** Answered with an error, not executed. */
  | { kind: 'refuse'; code: string; message?: string | undefined }
  /** Answered with an error, and executed all the same. */
  | { kind: 'error-but-execute'; code: string };

/** What the engine was told to do with some calls, and those it did it to. */
export class FaultOrder {
  /** The calls it was applied to, in order of arrival. */
  readonly calls: ReceivedCall[] = [];
  private held: (() => void)[] = [];
  private readonly waiting: { count: number; resolve: () => void }[] = [];

  constructor(
    readonly fault: Fault,
    private readonly which: Which,
    private left: number,
  ) {}

  /** Whether the call is one of them; if so it counts. */
  takes(call: ReceivedCall): boolean {
    const { functionId, scope, key, where } = this.which;
    const fits =
      this.left > 0 &&
      (functionId === undefined ? call.functionId.startsWith('state::') : call.functionId === functionId) &&
      (scope === undefined || call.scope === scope) &&
      (key === undefined || call.key === key) &&
      (where?.(call) ?? true);
    if (!fits) return false;
    this.left -= 1;
    this.calls.push(call);
    for (const { count, resolve } of this.waiting) if (this.calls.length >= count) resolve();
    return true;
  }

  /** Resolves when it was applied to that many calls. */
  met(count = 1): Promise<void> {
    if (this.calls.length >= count) return Promise.resolve();
    return new Promise((resolve) => this.waiting.push({ count, resolve }));
  }

  /** Later calls are not meant any more; what is held stays held. */
  end(): void {
    this.left = 0;
  }

  hold(action: () => void): void {
    this.held.push(action);
  }

  /** Does what was put off, in order of arrival; of one call or of all. */
  release(count = this.held.length): void {
    for (const action of this.held.splice(0, count)) action();
  }
}

/** All that the engine was told; the newest order that fits wins. */
export class Faults {
  private readonly orders: FaultOrder[] = [];

  add(fault: Fault, which: Which, times: number): FaultOrder {
    const order = new FaultOrder(fault, which, times);
    this.orders.unshift(order);
    return order;
  }

  of(call: ReceivedCall): FaultOrder | undefined {
    return this.orders.find((order) => order.takes(call));
  }

  /** From now on every call is answered normally. */
  end(): void {
    for (const order of this.orders) order.end();
  }
}
