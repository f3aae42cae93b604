import { GatewayError } from '../../src/errors.js';
import type { StateCall, StateFunctionId } from '../../src/operations/calls.js';
import { decodeInput } from '../../src/operations/inputs.js';
import type { Json } from '../../src/protocol/json.js';
import { Payload } from '../../src/protocol/payload.js';
import type { Write } from '../../src/replication/write.js';
import type { SimulatedGateway } from './gateway.js';
import {
  type History,
  isOutcomeUnknown,
  type MadeRead,
  type MadeWrite,
  nameOf,
  type Told,
} from './history.js';
import type { PlannedKey, Step, WriteKind } from './plan.js';
import type { Timeline } from './timeline.js';

/** How long callers wait before they look again for a gateway that is not there. */
const LOOK_AGAIN_MS = 200;
/** How often a call with a name is made at most. */
const MOST_TIMES = 10;

/** Programs that read and write through the gateway. */
export class Callers {
  constructor(
    private readonly timeline: Timeline,
    private readonly history: History,
    /** Undefined: it is not running. */
    private readonly gateway: () => { running: SimulatedGateway; run: number } | undefined,
    private readonly trace: (line: () => string) => void,
  ) {}

  /** Resolves when all steps are done and answered, or their gateway was gone. */
  async play(steps: readonly Step[]): Promise<void> {
    const open: Promise<void>[] = [];
    for (const step of steps) {
      await this.pause(step.pauseMs);
      while (!this.gateway()) await this.pause(LOOK_AGAIN_MS);
      const done = step.kind === 'read' ? this.read(step.key) : this.write(step.key, step.kind, step.isNamed);
      if (step.isAwaited) await done;
      else open.push(done);
    }
    await Promise.all(open);
  }

  async write(key: PlannedKey, kind: WriteKind, isNamed = false): Promise<void> {
    const { running, run } = this.present;
    const write: MadeWrite = {
      number: this.history.writes.length,
      kind,
      key,
      at: this.timeline.now,
      run,
      wasBeforeLink: !running.link.wasEverOpen,
      times: 0,
      told: undefined,
      seqs: [],
      hasFailed: false,
      receipt: undefined,
    };
    this.history.writes.push(write);
    const call = callOf(write) as Write;
    const repeat = { id: `call ${write.number}`, fingerprint: String(write.number) };
    do {
      if (write.times > 0) await this.pause(LOOK_AGAIN_MS);
      while (!this.gateway()) await this.pause(LOOK_AGAIN_MS);
      this.trace(() => `a caller makes ${nameOf(write)}${write.times > 0 ? ' again' : ''}`);
      write.times += 1;
      const { running: now } = this.present;
      const { named, writer } = now.core;
      write.told = await this.told(isNamed ? named.answer(call, repeat) : writer.answer(call), now);
      this.trace(() => `${nameOf(write)} is answered: ${JSON.stringify(write.told)}`);
    } while (isNamed && write.times < MOST_TIMES && (!write.told || isOutcomeUnknown(write)));
  }

  private async read(key: PlannedKey): Promise<void> {
    const { running } = this.present;
    const read: MadeRead = {
      key,
      at: this.timeline.now,
      after: this.history.writes.length,
      wasFresh: running.core.freshness.mayServe(key.scope, key.key),
      before: 0,
      wasBroken: false,
      told: undefined,
    };
    this.history.reads.push(read);
    const payload = Payload.of({ scope: key.scope, key: key.key, with_meta: true });
    const input = { functionId: 'state::get', scope: key.scope, key: key.key } as const;
    const answer = running.core.reader.answer({ input, payload, caller: '' });
    read.told = await this.told(
      answer.then((result) => (result ? { result } : {})),
      running,
    );
    read.before = this.history.writes.length;
    read.wasBroken = running.isBroken;
    this.trace(() => `a read of ${key.scope}/${key.key} is answered: ${JSON.stringify(read.told)}`);
  }

  /** Undefined: the gateway has ended before. */
  private async told(
    answer: Promise<{ result?: Payload }>,
    { ended }: SimulatedGateway,
  ): Promise<Told | undefined> {
    const told = answer.then(
      ({ result }) => ({ kind: 'result' as const, at: this.timeline.now, value: result?.value }),
      (error: unknown) => ({ kind: 'error' as const, at: this.timeline.now, code: codeOf(error) }),
    );
    return (await Promise.race([told, ended])) ?? undefined;
  }

  private get present() {
    const gateway = this.gateway();
    if (!gateway) throw new Error('the gateway is not running');
    return gateway;
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.timeline.after(ms, resolve));
  }
}

/** The call of a write; its number is in its metadata and, where there is room, in what it leaves. */
function callOf({ number, kind, key: { scope, key } }: MadeWrite): StateCall {
  const [functionId, more] = inputOf(kind, number);
  const { input, payload } = decodeInput(functionId, Payload.of({ scope, key, ...more }));
  const metadata = Payload.of(kind === 'refused' ? { write: number, refuse: true } : { write: number });
  return { input, payload, metadata, caller: '' };
}

function inputOf(kind: WriteKind, number: number): [StateFunctionId, { [name: string]: Json }] {
  const value = { id: number, n: 0, list: [] };
  switch (kind) {
    case 'set':
    case 'refused':
      return ['state::set', { value }];
    case 'root':
      return ['state::update', { ops: [{ type: 'set', path: '', value }] }];
    case 'delete':
      return ['state::delete', {}];
    case 'add': {
      const increment = { type: 'increment', path: 'n', by: 1 };
      return ['state::update', { ops: [increment, { type: 'append', path: 'list', value: number }] }];
    }
  }
}

/** Something that is no error of ours is a defect, and told as what it is. */
function codeOf(error: unknown): string {
  return error instanceof GatewayError ? error.code : String(error);
}
